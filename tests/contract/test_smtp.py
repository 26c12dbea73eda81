"""E-mail against a real SMTP server: what is sure, what is unknown, and what never leaves."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.base import FatalError, Result, Severity
from connectors.notifier import Message, Posting
from connectors.notify.email import open_notifier, smtp
from tests.contract.smtp import PASSWORD, USER, Script, certificate, listening

AT = datetime(2026, 11, 24, 3, 4, 5, tzinfo=UTC)
MAIL = Message(
    key="0f1e2d3c-0000-5000-8000-000000000001",
    posting=Posting.POST,
    to=("bima@example.com",),
    cc=("dewi@example.com", "ratna@example.com"),
    subject="ESCALATION - PT Sinar - churn threat",
    text="Pelanggan ingin berhenti \N{SLIGHTLY SMILING FACE}",
    html="<p>Pelanggan ingin berhenti</p>",
    at=AT,
    thread_key="esc_1",
)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def port(script: Script) -> Iterator[int]:
    with listening(script) as number:
        yield number


def mailer(port: int, **more: object) -> smtp.SmtpMailer:
    given = {"host": "127.0.0.1", "port": port, "starttls": False, "sender": "escalations@example.com", **more}
    opened = open_notifier(given)
    assert isinstance(opened, smtp.SmtpMailer)
    return opened


def test_a_mail_arrives_with_both_texts_and_everything_fixed(script: Script, port: int) -> None:
    result = mailer(port).send(MAIL)
    mail = script.mails[0].parsed

    assert result.result is Result.APPLIED
    assert script.mails[0].recipients == ["bima@example.com", "dewi@example.com", "ratna@example.com"]
    assert (mail["To"], mail["Cc"]) == ("bima@example.com", "dewi@example.com, ratna@example.com")
    assert (mail["Message-ID"], mail["Date"]) == (f"<{MAIL.key}@example.com>", "Tue, 24 Nov 2026 03:04:05 +0000")
    assert mail.get_body(("plain",)).get_content().strip() == MAIL.text
    assert "<p>" in mail.get_body(("html",)).get_content()
    assert mail["Auto-Submitted"] == "auto-generated"


def test_a_repeat_is_the_same_bytes(script: Script, port: int) -> None:
    for _ in range(2):
        mailer(port).send(MAIL)

    assert script.mails[0].body == script.mails[1].body


def test_the_mails_of_one_escalation_hang_together(script: Script, port: int) -> None:
    for key in ("k1", "k2"):
        mailer(port).send(replace(MAIL, key=key))
    mailer(port).send(replace(MAIL, key="k3", thread_key="esc_2"))
    threads = [each.parsed["References"] for each in script.mails]

    assert threads[0] == threads[1] != threads[2]
    assert len({each.parsed["Message-ID"] for each in script.mails}) == 3


@pytest.mark.parametrize("domain", ["example.com", "escalations.customer-success.departments.example.co.id"])
def test_the_headers_that_programs_read_are_written_plainly(script: Script, port: int, domain: str) -> None:
    mailer(port, sender=f"worker@{domain}").send(replace(MAIL, thread_key="esc_" + "f" * 40))
    head = script.mails[0].body.partition(b"\r\n\r\n")[0].decode()

    for name in ("References", "In-Reply-To", "Message-ID"):
        assert f"@{domain}>" in next(line for line in head.replace("\r\n ", " ").split("\r\n") if line.startswith(name))
    assert "boundary=" in head


def test_a_copy_goes_to_its_envelope_and_names_everybody(script: Script, port: int) -> None:
    mailer(port).send(replace(MAIL, envelope=("dewi@example.com",)))

    assert script.mails[0].recipients == ["dewi@example.com"]
    assert script.mails[0].parsed["To"] == "bima@example.com"


@pytest.mark.parametrize(
    ("answers", "expected", "arrived"),
    [
        ({"bima@example.com": "550 no such user"}, Result.APPLIED, 2),
        ({"bima@example.com": "450 later", "dewi@example.com": "550 no"}, Result.APPLIED, 1),
        (dict.fromkeys((*MAIL.to, *MAIL.cc), "550 no such user"), Result.REJECTED, 0),
        (dict.fromkeys((*MAIL.to, *MAIL.cc), "450 greylisted"), Result.RETRY, 0),
        ({**dict.fromkeys(MAIL.cc, "550 no"), MAIL.to[0]: "452 too many"}, Result.RETRY, 0),
        ({"MAIL": "451 busy"}, Result.RETRY, 0),
        ({"MAIL": "553 this sender is not allowed"}, Result.REJECTED, 0),
        ({"DATA": "452 disk full"}, Result.RETRY, 0),
        ({"DATA": "554 no"}, Result.REJECTED, 0),
        ({"DOT": "451 try again"}, Result.RETRY, 0),
        ({"DOT": "554 spam"}, Result.REJECTED, 0),
    ],
)
def test_what_the_server_says_decides(
    script: Script, port: int, answers: dict[str, str], expected: Result, arrived: int
) -> None:
    script.answers = answers
    result = mailer(port).send(MAIL)

    assert (result.result, sum(len(each.recipients) for each in script.mails)) == (expected, arrived)
    assert result.reason
    assert result.remedy or expected is not Result.REJECTED


def test_who_was_refused_is_named(script: Script, port: int) -> None:
    script.answers = {"dewi@example.com": "550 no such user"}

    assert "dewi@example.com (550)" in mailer(port).send(MAIL).reason


@pytest.mark.parametrize(
    ("phase", "expected", "arrived"),
    [
        ("MAIL", Result.RETRY, 0),
        ("RCPT", Result.RETRY, 0),
        ("DATA", Result.RETRY, 0),
        ("DOT", Result.UNKNOWN, 1),
        ("QUIT", Result.APPLIED, 1),
    ],
)
def test_only_after_the_final_dot_a_broken_line_leaves_doubt(
    script: Script, port: int, phase: str, expected: Result, arrived: int
) -> None:
    script.dies = phase
    result = mailer(port).send(MAIL)

    assert (result.result, len(script.mails)) == (expected, arrived)


def test_a_line_that_breaks_in_the_middle_of_the_mail_leaves_no_doubt(script: Script, port: int) -> None:
    script.dies = "BODY"
    result = mailer(port).send(replace(MAIL, text="x" * 8_000_000))

    assert (result.result, script.mails) == (Result.RETRY, [])


@pytest.mark.parametrize(("phase", "expected"), [("RCPT", Result.RETRY), ("DOT", Result.UNKNOWN)])
def test_a_server_that_drags_its_feet_is_left_at_the_deadline(
    script: Script, port: int, phase: str, expected: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "_DEADLINE", 0.4)
    script.drags = phase
    began = time.monotonic()
    result = mailer(port).send(MAIL)
    script.drags = ""

    assert result.result is expected
    assert time.monotonic() - began < 3


@contextmanager
def mute(banner: bytes = b"") -> Iterator[int]:
    """A listener that says its banner and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def answer() -> None:
            connection, _ = server.accept()
            held.append(connection)
            connection.sendall(banner)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(2)
        for each in held:
            each.close()


@pytest.mark.parametrize("banner", [b"", b"220 hello\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\xff\xfe\r\n"])
def test_a_peer_that_is_no_mail_server_costs_no_more_than_the_timeout(
    banner: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "_TIMEOUT", 0.3)
    began = time.monotonic()
    with mute(banner) as number:
        result = mailer(number).send(MAIL)

    assert result.result is Result.RETRY
    assert time.monotonic() - began < 3


def test_nobody_at_the_door_is_a_retry_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        number = closed.getsockname()[1]
    result = mailer(number).send(MAIL)

    assert (result.result, bool(result.remedy)) == (Result.RETRY, True)
    assert mailer(number).check()[0].severity is Severity.ERROR


def test_starttls_is_required_and_the_login_goes_through_it(script: Script, tmp_path: Path) -> None:
    context, authority = certificate(tmp_path)
    with listening(script, context, login=True) as number:
        given = {"host": "localhost", "starttls": True, "ca_file": str(authority), "username": USER}
        good = mailer(number, password=PASSWORD, **given)
        bad = mailer(number, password="canary-wrong-password", **given)
        assert good.check()[0].severity is Severity.OK
        assert good.send(MAIL).result is Result.APPLIED
        refused = bad.send(MAIL)
        assert bad.check()[0].severity is Severity.ERROR

    assert (refused.result, len(script.mails)) == (Result.REJECTED, 1), refused.reason
    assert "canary" not in refused.reason + refused.remedy


def test_a_stripped_starttls_is_refused_before_anything_is_said(script: Script, port: int) -> None:
    result = mailer(port, host="localhost", starttls=True, username=USER, password=PASSWORD).send(MAIL)

    assert (result.result, script.mails) == (Result.RETRY, [])
    assert "STARTTLS" in result.reason


@pytest.mark.parametrize(("name", "days"), [("mail.example.com", 2), ("localhost", -1)])
def test_a_certificate_of_another_host_or_of_yesterday_is_refused(
    script: Script, tmp_path: Path, name: str, days: int
) -> None:
    context, authority = certificate(tmp_path, name, days)
    with listening(script, context) as number:
        result = mailer(number, host="localhost", starttls=True, ca_file=str(authority)).send(MAIL)

    assert (result.result, script.mails) == (Result.RETRY, [])
    assert "certificate" in result.reason.lower()


def test_without_starttls_only_to_this_machine() -> None:
    with pytest.raises(FatalError, match="this machine only"):
        open_notifier({"host": "smtp.example.com", "starttls": False})


BREAKS = [
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "\x00",
    "\ud800",
]
FORGED = ["Bcc: everybody@example.com", "X-Forged: yes", "Content-Type: text/html", ".", "RCPT TO:<evil@example.com>"]


@pytest.mark.parametrize("forged", FORGED)
def test_what_a_customer_writes_forges_no_header_and_no_command(script: Script, port: int, forged: str) -> None:
    for each in BREAKS:
        text = f"PT Sinar{each}{forged}{each}"
        mailer(port).send(replace(MAIL, subject=text, text=text, html=text, key=f"k{each}"))

    assert len(script.mails) == len(BREAKS)
    for mail in script.mails:
        assert mail.recipients == [*MAIL.to, *MAIL.cc]
        assert set(mail.parsed.keys()) <= EXPECTED
        assert len(mail.parsed.get_all("Message-ID")) == len(mail.parsed.get_all("Subject")) == 1


EXPECTED = {
    "From", "To", "Cc", "Subject", "Date", "Message-ID", "Auto-Submitted", "References", "In-Reply-To",
    "Content-Type", "MIME-Version",
}  # fmt: skip


@pytest.mark.parametrize(
    "address",
    [
        "bima@example.com\r\nRCPT TO:<evil@example.com>",
        "bima@example.com> SIZE=1",
        "<bima@example.com>",
        "bima@example.com,evil@example.com",
        '"a b"@example.com',
        "bima",
        "@example.com",
        "bima@exam\u0440le.com",
        "",
    ],
)
def test_an_address_that_is_none_stops_no_one_elses_mail(script: Script, port: int, address: str) -> None:
    result = mailer(port).send(replace(MAIL, to=(address,)))
    alone = mailer(port).send(replace(MAIL, to=(address,), cc=()))

    assert (result.result, script.mails[0].recipients) == (Result.APPLIED, list(MAIL.cc))
    assert "not an address" in result.reason
    assert (alone.result, bool(alone.remedy)) == (Result.REJECTED, True)


def test_lines_of_any_length_and_dots_come_through(script: Script, port: int) -> None:
    text = "\n".join([".", "..", ". x", "x" * 5000, "", "\N{PILE OF POO}" * 800, "."])
    mailer(port).send(replace(MAIL, text=text, html=""))

    assert script.mails[0].parsed.get_content().splitlines() == text.splitlines()
    assert max(map(len, script.mails[0].body.split(b"\r\n"))) <= 998
