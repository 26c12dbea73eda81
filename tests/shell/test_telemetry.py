"""Log lines: nothing secret, nobody's address, one event a line, and no stream can stop the worker."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from worker.secrets import Secret
from worker.settings import LogSettings
from worker.telemetry import Redaction, Repeats, configure, report_crash

CANARY = "xoxb-canary-4711/?&"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure(LogSettings("info", "json"), [Secret(CANARY), Secret("abc")], stream)
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_with_level_and_utc_time(out: io.StringIO) -> None:
    structlog.get_logger().info("cycle", read=3, ok=True)
    (line,) = lines(out)
    assert (line["event"], line["level"], line["read"], line["ok"]) == ("cycle", "info", 3, True)
    assert str(line["at"]).endswith("Z")


def test_secrets_go_by_name_and_by_value_wherever_they_hide(out: io.StringIO) -> None:
    structlog.get_logger().warning(
        f"failed with {CANARY}", api_key="short", headers={"Authorization": "Bearer abcdefghi"},
        nested=[{"x": (CANARY, f"a{CANARY}b")}], token=b"bytes", note="sent Bearer abcdefghijk",
    )  # fmt: skip
    text = out.getvalue()
    for leak in (CANARY, "short", "abcdefghi", "bytes"):
        assert leak not in text


def test_a_traceback_shows_no_locals_and_no_secret(out: io.StringIO) -> None:
    password = "local-" + "value"
    try:
        raise ValueError(f"refused {CANARY} at https://u:{password}@h.example/x?key=9")
    except ValueError:
        structlog.get_logger().exception("boom")
    assert CANARY not in out.getvalue()
    assert password not in out.getvalue()
    assert "key=9" not in out.getvalue()
    assert "test_telemetry.py" in out.getvalue()


def test_addresses_are_hashed_the_same_each_time(out: io.StringIO) -> None:
    structlog.get_logger().info("sent", to="Maya.K@example.com", text="<maya.k@example.com> asked")
    (line,) = lines(out)
    assert "example.com" not in out.getvalue()
    assert str(line["to"]) in str(line["text"])


def test_control_characters_can_not_forge_a_line_or_move_a_cursor(out: io.StringIO) -> None:
    structlog.get_logger().info("x", name='a\n{"event":"forged"}\x1b[2J\u2028\u202e')
    assert len(out.getvalue().splitlines()) == 1
    assert lines(out)[0]["name"] == 'a\\u000a{"event":"forged"}\\u001b[2J\\u2028\\u202e'


@given(st.text(), st.text(max_size=20))
def test_no_text_carries_a_known_secret_or_a_control_character(before: str, after: str) -> None:
    clean = Redaction([Secret(CANARY)]).clean(before + CANARY + after)
    assert CANARY not in clean
    assert not any(character < " " for character in clean)
    clean.encode()


def test_other_libraries_come_the_same_way(out: io.StringIO) -> None:
    logging.getLogger("some.library").warning("retrying %s", CANARY)
    logging.getLogger("some.library").info("chatter")
    (line,) = lines(out)
    assert line["library"] == "some.library"
    assert CANARY not in out.getvalue()


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("kind", ["broken", "closed", "none"])
@pytest.mark.usefixtures("out")
def test_no_stream_stops_the_worker(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream: io.StringIO | None = Broken() if kind == "broken" else io.StringIO()
    if kind == "closed" and stream is not None:
        stream.close()
    if kind == "none":
        stream = None
        monkeypatch.setattr("sys.stderr", None)
    configure(LogSettings(), (), stream)
    structlog.get_logger().error("still here")


def test_for_people_the_console_says_what_failed_in_one_line(out: io.StringIO) -> None:
    stream = io.StringIO()
    configure(LogSettings("info", "console"), [Secret(CANARY)], stream)
    report_crash(RuntimeError(f"broken by {CANARY}"))
    assert "RuntimeError: broken by ***" in stream.getvalue()
    assert not out.getvalue()


def test_a_repeated_error_is_logged_when_it_changes_and_when_it_ends(out: io.StringIO) -> None:
    repeats, logger = Repeats(most=2), structlog.get_logger()
    said = [repeats.repeated(logger, "crm", "unreachable", reason=reason) for reason in ("a", "a", "b", "b", "b")]
    assert said == [True, False, True, False, False]
    assert repeats.ended(logger, "crm")
    assert not repeats.ended(logger, "crm")
    assert [line["event"] for line in lines(out)] == ["unreachable", "unreachable", "error_ended"]
    assert lines(out)[-1]["times"] == 5
    for key in "xyz":
        repeats.repeated(logger, key, "e")
    assert repeats.repeated(logger, "x", "e"), "the oldest was forgotten: memory is bounded"
