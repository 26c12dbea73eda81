"""What every channel must do. Discovered from the folder: a new module fails here until it has a harness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest

from connectors.base import ConnectorError, Result, Severity
from connectors.notifier import Message, Notifier, Posting
from connectors.twins.slack import TOKEN, Fault, SlackTwin

ROOT = Path(__file__).parent.parent.parent
FOUND = sorted(
    {path.stem for path in (ROOT / "connectors/notify").glob("*.py") if path.stem != "__init__"}
    | {path.parent.name for path in (ROOT / "connectors/notify").glob("*/__init__.py")}
)
AT = datetime.now(UTC)
CANARY = "canary-4f1d-secret"


@dataclass
class Harness:
    """One channel, and a look at what reached it: the texts, oldest first."""

    notifier: Notifier
    arrived: Callable[[], list[str]]
    lose: Callable[[], Notifier]
    to: tuple[str, ...] = ("#escalations",)
    lose_answer: Callable[[], None] | None = None


def console(folder: Path, stack: ExitStack) -> Harness:
    path = folder / "messages.txt"
    open_notifier = import_module("connectors.notify.console").open_notifier

    def arrived() -> list[str]:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return text.split("\nmessage to") if text else []

    return Harness(open_notifier({"path": path}), arrived, lambda: open_notifier({"path": folder / "no/where.txt"}))


def email(folder: Path, stack: ExitStack) -> Harness:
    open_notifier = import_module("connectors.notify.email").open_notifier
    (folder / "file").touch()

    def arrived() -> list[str]:
        files = sorted((folder / "mail").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_text(encoding="utf-8") for path in files]

    def lost() -> Notifier:
        return open_notifier({"host": "127.0.0.1", "port": 1, "starttls": False, "username": "u", "password": CANARY})

    return Harness(open_notifier({"directory": folder / "mail"}), arrived, lost, ("bima@example.com",))


def slack(folder: Path, stack: ExitStack) -> Harness:
    open_notifier = import_module("connectors.notify.slack").open_notifier
    twin = stack.enter_context(SlackTwin())
    return Harness(
        open_notifier({"token": TOKEN, "base_url": twin.url}),
        lambda: [str(each["text"]) for each in twin.posted()],
        lambda: open_notifier({"token": CANARY, "base_url": "http://127.0.0.1:1/api/"}),
        lose_answer=lambda: twin.order("chat.postMessage", Fault.DROP_AFTER),
    )


HARNESSES: dict[str, Callable[[Path, ExitStack], Harness]] = {"console": console, "email": email, "slack": slack}


@pytest.fixture(params=FOUND)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    with ExitStack() as stack:
        made = HARNESSES[request.param](tmp_path, stack)
        yield made
        made.notifier.close()
        made.notifier.close()


def message(harness: Harness, key: str = "k1", **more: object) -> Message:
    made = Message(
        key, Posting.POST, harness.to, f"L2 - PT Sinar {key}", f"text of {key}", AT, thread_key="esc_1", cc=()
    )
    return replace(made, **more)


@pytest.mark.parametrize("name", FOUND)
def test_it_has_a_harness_and_a_row_in_the_readme(name: str) -> None:
    assert name in HARNESSES
    assert f"| `connectors/notify/{name}` |" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_keeps_the_protocol_and_states_what_it_can_do(harness: Harness) -> None:
    able = harness.notifier.capabilities()

    assert isinstance(harness.notifier, Notifier)
    assert able == harness.notifier.capabilities()
    assert able.finds or not able.exactly_once


def test_a_message_arrives_with_headline_and_text(harness: Harness) -> None:
    result = harness.notifier.send(message(harness))

    assert (result.result, len(harness.arrived())) == (Result.APPLIED, 1)
    assert result.remote_id
    assert "L2 - PT Sinar k1" in harness.arrived()[0]
    assert "text of k1" in harness.arrived()[0]


def test_several_messages_keep_their_order(harness: Harness) -> None:
    for number in range(4):
        harness.notifier.send(message(harness, f"k{number}"))

    assert [f"text of k{number}" in text for number, text in enumerate(harness.arrived())] == [True] * 4


def test_what_was_sent_can_be_found_where_it_says_so(harness: Harness) -> None:
    remote_ids = {key: harness.notifier.send(message(harness, key)).remote_id for key in ("k1", "k2")}
    found = harness.notifier.find(["k1", "k2", "never"], AT)

    assert found == (remote_ids if harness.notifier.capabilities().finds else {})
    assert harness.notifier.find([], AT) == {}


def test_the_same_key_twice_makes_one_message_where_it_says_so(harness: Harness) -> None:
    results = [harness.notifier.send(message(harness)).result for _ in range(2)]
    unique = harness.notifier.capabilities().exactly_once

    assert results == [Result.APPLIED, Result.ALREADY_APPLIED if unique else Result.APPLIED]
    assert len(harness.arrived()) == (1 if unique else 2)


def test_later_messages_belong_to_the_first_where_it_has_threads(harness: Harness) -> None:
    first = harness.notifier.send(message(harness))
    edit = message(harness, "k2", posting=Posting.EDIT, thread_ref=first.remote_id)
    reply = message(harness, "k3", posting=Posting.REPLY, thread_ref=first.remote_id)
    results = [harness.notifier.send(each).result for each in (edit, reply)]
    texts = harness.arrived()

    assert results == [Result.APPLIED] * 2
    if harness.notifier.capabilities().threads:
        assert ["text of k2" in texts[0], "text of k3" in texts[1], len(texts)] == [True, True, 2]
    else:
        assert "text of k3" in texts[-1]


def test_a_thread_that_is_none_is_refused_or_not_needed(harness: Harness) -> None:
    for posting in (Posting.EDIT, Posting.REPLY):
        result = harness.notifier.send(message(harness, posting.value, posting=posting, thread_ref="nonsense"))

        assert result.result is (Result.REJECTED if harness.notifier.capabilities().threads else Result.APPLIED)


def test_a_lost_answer_is_unknown_and_can_be_looked_up(harness: Harness) -> None:
    if harness.lose_answer is None:
        assert not harness.notifier.capabilities().threads, "a channel over a network shows how it loses an answer"
        return
    harness.lose_answer()

    assert harness.notifier.send(message(harness)).result is Result.UNKNOWN
    assert list(harness.notifier.find(["k1"], AT)) == ["k1"]


@pytest.mark.parametrize("size", [1, 2_900, 200_000])
def test_a_text_of_any_length_arrives_or_is_cut(harness: Harness, size: int) -> None:
    result = harness.notifier.send(message(harness, text="\N{PILE OF POO}" + "x" * size))

    assert result.result is Result.APPLIED


@pytest.mark.parametrize(
    "text",
    ["\ud800 lone", "\x00\x07\x1b[2J", "\u202eevil\u2066", "\r\n.\r\n", "<!channel> <@U1> <b>&amp;", "\U0001f600", " "],
)
def test_a_text_of_any_kind_never_raises(harness: Harness, text: str) -> None:
    result = harness.notifier.send(message(harness, text=text, subject=text, html=text))

    assert result.result in (Result.APPLIED, Result.REJECTED)
    assert "\x1b" not in "".join(harness.arrived())


@pytest.mark.parametrize("to", [(), ("",), ("nobody",), ("two", "names"), ("\r\nx",)])
def test_a_wrong_recipient_never_raises_and_is_told_with_a_remedy(harness: Harness, to: tuple[str, ...]) -> None:
    result = harness.notifier.send(message(harness, to=to))

    assert result.done or (result.result is Result.REJECTED and result.reason and result.remedy)


def test_a_channel_that_is_not_there_is_told_not_raised(harness: Harness) -> None:
    lost = harness.lose()
    result = lost.send(message(harness))
    findings = lost.check()

    assert result.result is Result.RETRY
    assert any(each.severity is Severity.ERROR and each.remedy for each in findings)
    assert CANARY not in f"{lost!r}{result}{findings}"


def test_a_look_up_that_cannot_look_raises(harness: Harness) -> None:
    lost = harness.lose()
    if lost.capabilities().finds and harness.notifier.capabilities().threads:
        with pytest.raises(ConnectorError) as refused:
            lost.find(["k1"], AT)
        assert CANARY not in f"{refused.value}{refused.value.remedy}"
    else:
        assert lost.find(["k1"], AT) == {}


def test_check_looks_and_sends_nothing(harness: Harness) -> None:
    findings = harness.notifier.check()

    assert findings
    assert all(each.severity is Severity.OK for each in findings)
    assert harness.arrived() == []
