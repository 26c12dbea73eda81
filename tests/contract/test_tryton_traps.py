"""Traps of a Tryton behind somebody's proxy, seen or expected; what each test names is what the connector must do."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.base import (
    ConnectorError,
    CreateNote,
    CreateTask,
    FatalError,
    Result,
    RetryableError,
    Severity,
    UpdateRecord,
    Write,
)
from connectors.crm.tryton import TrytonConnector, connect, rest
from connectors.crm.tryton.rest import Rest
from tests.contract.tryton_stub import KEY, Instead, StubTryton, serving
from worker.core.model import Flag, Level, RecordKind
from worker.mapping import load_mapping

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
MAPPING = load_mapping(Path(__file__).parent.parent.parent / "config/mappings/tryton.yaml")
HTML = "text/html; charset=utf-8"
PAGE = b"<!doctype html>\n<title>Oops</title>\n<p>Something &amp; nothing</p>\n"


@pytest.fixture
def stub() -> Iterator[StubTryton]:
    with serving(StubTryton()) as running:
        yield running


@pytest.fixture
def tryton(stub: StubTryton) -> Iterator[TrytonConnector]:
    made = connect({"url": stub.url, "database": "crm", "key": KEY})
    yield made
    made.close()


def party(stub: StubTryton, name: str = "PT A") -> str:
    return str(stub.add("party.party", NOW, name=name, health="red"))


def names(tryton: TrytonConnector) -> list[str]:
    pages = tryton.pull(MAPPING.query(RecordKind.ACCOUNT))
    return [MAPPING.account(row).name for page in pages for row in page.rows]


def flag(account: str, key: str = "k") -> UpdateRecord:
    return UpdateRecord(key, "party.party", account, MAPPING.flag_values(Flag(True, Level.L2, "why")))


def note(account: str, key: str = "n1") -> CreateNote:
    return CreateNote(key, account, "title", "body", NOW)


def answering(stub: StubTryton, instead: Instead, method: str = "") -> None:
    stub.answer_instead = lambda asked, _path: instead if asked.startswith(method) else None


# What comes instead of an answer.


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_followed_nowhere_and_named(stub: StubTryton, tryton: TrytonConnector, status: int) -> None:
    """The key would go to whoever answers there."""
    account = party(stub)
    answering(stub, Instead(status, HTML, PAGE, {"Location": "http://192.0.2.1/elsewhere"}))

    with pytest.raises(FatalError, match=r"192\.0\.2\.1/elsewhere") as refused:
        names(tryton)
    with pytest.raises(FatalError, match="elsewhere"):
        tryton.write([flag(account)])
    assert refused.value.remedy
    assert [each.severity for each in tryton.check(MAPPING.needs())] == [Severity.ERROR]
    assert stub.records["party.party"][int(account)].get("escalated") is None


def test_an_answer_beyond_all_bounds_is_dropped_while_it_comes(
    stub: StubTryton, tryton: TrytonConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = party(stub)
    monkeypatch.setattr(rest, "_MOST_BYTES", 50_000)
    answering(stub, Instead(200, "application/json", b'["' + b"x" * 1_000_000 + b'"]'))

    with pytest.raises(RetryableError, match="larger than 50000 bytes"):
        names(tryton)
    assert tryton.write([note(account)])[0].result is Result.UNKNOWN


@contextmanager
def dripping(head: bytes) -> Iterator[str]:
    """A server that sends `head` and then a byte now and then, for ever."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection:
            connection.recv(65_536)
            connection.sendall(head)
            while not stop.wait(0.02):
                connection.sendall(b" ")

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(2)


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n["]
)
def test_an_answer_that_drips_ends_at_the_deadline(head: bytes) -> None:
    """No read of it takes long; only the whole does. Before the first byte, in a header, and in the body."""
    with dripping(head) as url:
        slow = TrytonConnector(Rest(url, "crm", KEY, timeout=5, deadline=0.3))
        began = time.monotonic()
        with pytest.raises(RetryableError):
            names(slow)
        fate = slow.write([note("1")])[0]

    assert time.monotonic() - began < 4
    assert fate.result is Result.UNKNOWN


@pytest.mark.parametrize("status", [429, 503])
def test_who_asks_to_wait_is_waited_for_by_the_worker_and_asked_once(
    stub: StubTryton, tryton: TrytonConnector, status: int
) -> None:
    account = party(stub)
    answering(stub, Instead(status, HTML, PAGE, {"Retry-After": "120"}))

    with pytest.raises(RetryableError) as read:
        names(tryton)
    with pytest.raises(RetryableError) as written:
        tryton.write([flag(account), note(account)])
    assert (read.value.after, written.value.after) == (timedelta(minutes=2), timedelta(minutes=2))
    assert len(stub.asked) == 2


def test_who_asks_to_wait_in_the_middle_of_a_batch_keeps_what_was_done(
    stub: StubTryton, tryton: TrytonConnector
) -> None:
    account = party(stub)
    stub.answer_instead = lambda _method, path: Instead(429, HTML, PAGE) if "escalation.task" in path else None
    batch: list[Write] = [
        flag(account), note(account), CreateTask("t1", account, "u", "s", "b", NOW), note(account, "n2"),
    ]  # fmt: skip
    results = [each.result for each in tryton.write(batch)]

    assert results == [Result.APPLIED, Result.APPLIED, Result.RETRY, Result.RETRY]
    assert [each["key"] for each in stub.records["escalation.note"].values()] == ["n1"]


@pytest.mark.parametrize("status", [408, 423, 425])
def test_a_passing_refusal_is_repeated_and_buries_nothing(
    stub: StubTryton, tryton: TrytonConnector, status: int
) -> None:
    account = party(stub)
    answering(stub, Instead(status, HTML, PAGE))

    with pytest.raises(RetryableError):
        tryton.write([flag(account), note(account)])
    with pytest.raises(RetryableError):
        names(tryton)


# Bodies that are not what they should be.

_NO_LIST = [
    Instead(200, HTML, PAGE),
    Instead(200, "application/json", b'[{"id": 1, "na'),
    Instead(200, "application/json", b'{"results": []}'),
    Instead(200, "application/json", b"null"),
    Instead(200, "application/json", b"[1, 2]"),
    Instead(200, "application/json", b'[{"name": "without an id"}]'),
    Instead(200, "application/json", b"\xff\xfe\x00"),
    Instead(200, "application/json", b"[" * 200_000),
    Instead(204, "application/json", b""),
    Instead(502, HTML, b"\xff\xfe<p>caf\xe9</p>"),
]


@pytest.mark.parametrize("instead", _NO_LIST, ids=[f"{each.status} {bytes(each.content[:20])!r}" for each in _NO_LIST])
def test_what_is_no_list_of_records_is_never_taken_for_none(
    stub: StubTryton, tryton: TrytonConnector, instead: Instead
) -> None:
    account = party(stub)
    answering(stub, instead)

    with pytest.raises(RetryableError):
        names(tryton)
    with pytest.raises(ConnectorError):
        tryton.find(["n1"])
    answering(stub, instead, "POST")
    assert [each.result for each in tryton.write([flag(account), note(account)])] == [Result.UNKNOWN] * 2


@pytest.mark.parametrize(
    ("status", "said", "remedy"),
    [(401, "does not know the key", "validated"), (403, "forbids this", "Escalation Worker")],
)
def test_html_that_refuses_the_user_ends_the_call_with_what_to_do(
    stub: StubTryton, tryton: TrytonConnector, status: int, said: str, remedy: str
) -> None:
    account = party(stub)
    answering(stub, Instead(status, HTML, PAGE))

    for call in (lambda: names(tryton), lambda: tryton.write([flag(account)]), lambda: tryton.find(["n1"])):
        with pytest.raises(FatalError, match=said) as refused:
            call()
        assert remedy in refused.value.remedy


def test_a_person_that_is_gone_is_told_in_html_and_concerns_that_flag_alone(
    stub: StubTryton, tryton: TrytonConnector
) -> None:
    there = party(stub)
    results = tryton.write([flag("4711"), flag(there, "k2")])

    assert [each.result for each in results] == [Result.REJECTED, Result.APPLIED]
    assert "4711 is not there" in results[0].reason


def test_html_of_a_failure_after_the_note_was_stored_is_looked_up(stub: StubTryton, tryton: TrytonConnector) -> None:
    account = party(stub)
    tryton.write([note(account)])
    answering(stub, Instead(500, HTML, PAGE), "POST")
    fate = tryton.write([note(account)])[0]
    stub.answer_instead = lambda _method, _path: None

    assert fate.result is Result.UNKNOWN
    assert "Something & nothing" in fate.reason
    assert set(tryton.find(["n1", "n2"])) == {"n1"}
    assert tryton.write([note(account)])[0].result is Result.ALREADY_APPLIED
    assert len(stub.records["escalation.note"]) == 1


@pytest.mark.parametrize("body", [{"result": "sure"}, {}, [], "applied"])
def test_an_answer_of_another_module_version_is_not_taken_for_done(
    stub: StubTryton, tryton: TrytonConnector, body: object
) -> None:
    account = party(stub)
    answering(stub, Instead(200, "application/json", json.dumps(body).encode()), "POST")

    assert [each.result for each in tryton.write([flag(account), note(account)])] == [Result.UNKNOWN] * 2


def test_a_value_of_no_known_class_spoils_its_own_record_only(stub: StubTryton, tryton: TrytonConnector) -> None:
    party(stub, "PT A")
    bad = party(stub, "PT B")
    stub.records["party.party"][int(bad)]["renewal_on"] = {"__class__": "duration", "days": 3}
    (page,) = tryton.pull(MAPPING.query(RecordKind.ACCOUNT))

    assert [row.record_id for row in page.rows] == ["1"]
    assert [(each.record_id, "duration" in each.reason) for each in page.bad] == [(bad, True)]


# What the user may not see or do.


def test_a_hidden_field_that_is_needed_stops_the_reading(stub: StubTryton, tryton: TrytonConnector) -> None:
    """Tryton leaves it out without a word: health would be taken for empty, and every flag for none."""
    party(stub)
    for name in ("health", "escalated", "changed_at"):
        stub.hidden = {name}
        with pytest.raises(FatalError, match=f"hides {name} of party.party") as refused:
            names(tryton)
        assert "Escalation Worker" in refused.value.remedy


def test_a_hidden_field_that_is_not_needed_is_left_empty_and_told_by_check(
    stub: StubTryton, tryton: TrytonConnector
) -> None:
    party(stub)
    stub.hidden = {"tier", "csm"}
    told = {each.subject: each for each in tryton.check(MAPPING.needs()) if each.severity is not Severity.OK}

    assert names(tryton) == ["PT A"]
    assert told["party.party.tier"].severity is Severity.WARNING
    assert "hidden" in told["party.party.csm.name"].detail


def test_keys_that_are_hidden_are_an_error_not_an_absent_note(stub: StubTryton, tryton: TrytonConnector) -> None:
    """Else each unanswered note would be taken for lost, and written again."""
    account = party(stub)
    tryton.write([note(account)])
    stub.hidden = {"key"}

    with pytest.raises(FatalError, match="hides key"):
        tryton.find(["n1"])


def test_who_may_not_set_the_flag_hears_it_from_check_and_from_the_write(
    stub: StubTryton, tryton: TrytonConnector
) -> None:
    account = party(stub)
    stub.may_escalate, stub.companies = False, ()
    told = [each.detail for each in tryton.check(MAPPING.needs()) if each.severity is Severity.ERROR]

    assert told == ["may not set the flag", "has no company and therefore sees no complaint"]
    with pytest.raises(FatalError, match="forbids"):
        tryton.write([flag(account)])


# The line.


def test_a_line_that_breaks_after_the_request_leaves_a_doubt_that_find_resolves(
    stub: StubTryton, tryton: TrytonConnector
) -> None:
    account = party(stub)
    stub.after = lambda method, path: method == "POST" and "escalation.note" in path
    fate = tryton.write([note(account)])[0]
    stub.after = lambda _method, _path: False

    assert fate.result is Result.UNKNOWN
    assert set(tryton.find(["n1"])) == {"n1"}


def test_a_server_that_tells_no_time_moves_no_cursor_and_check_says_so(
    stub: StubTryton, tryton: TrytonConnector
) -> None:
    party(stub)
    stub.tells_time = False
    pages = list(tryton.pull(MAPPING.query(RecordKind.ACCOUNT)))
    told = [each.subject for each in tryton.check(MAPPING.needs()) if each.severity is Severity.ERROR]

    assert [page.high_water for page in pages] == [None]
    assert told == ["clock"]


def test_the_key_goes_over_no_open_line(tryton: TrytonConnector) -> None:
    far = connect({"url": "http://tryton.example.com", "database": "crm", "key": KEY})

    with pytest.raises(FatalError, match="in the open"):
        names(far)


def test_the_key_stands_in_no_message_and_no_log(
    stub: StubTryton, tryton: TrytonConnector, caplog: pytest.LogCaptureFixture
) -> None:
    account = party(stub)
    said = [repr(tryton), repr(tryton.write([flag(account)]))]
    with caplog.at_level(logging.DEBUG):
        for instead in (Instead(401, HTML, PAGE), Instead(500, HTML, PAGE), Instead(200, HTML, PAGE)):
            answering(stub, instead)
            with pytest.raises(ConnectorError) as refused:
                names(tryton)
            said += [str(refused.value), refused.value.remedy, repr(refused.value.__cause__)]

    assert KEY not in "".join((*said, caplog.text))


def test_an_account_whose_party_was_replaced_is_gone_into_the_other(stub: StubTryton, tryton: TrytonConnector) -> None:
    kept, lost = (party(stub, name) for name in ("PT A", "PT B"))
    stub.records["party.party"][int(lost)].update(active=0, replaced_by=int(kept))
    rows = [row for page in tryton.pull(MAPPING.query(RecordKind.ACCOUNT)) for row in page.rows]

    assert {row.record_id: (row.deleted, MAPPING.merged_into(row)) for row in rows} == {
        kept: (False, None),
        lost: (True, kept),
    }
