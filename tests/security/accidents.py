"""Accidents that befall configuration and exports: seeded, so that every run meets the same ones."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

SPLINTERS = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b": ",
        b":",
        b"\n",
        b"\t",
        b"- ",
        b"&a ",
        b"*a",
        b"!!x ",
        b"'",
        b'"',
        b"#",
        b"|\n",
        b">-\n",
    ),
    *(
        b"\x00",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
        b"%",
        b"---\n",
        b"...",
        b"? ",
        b"<<: ",
    ),
    *(
        b"null",
        b"~",
        b"true",
        b"-1",
        b"1e99",
        b"9" * 40,
        b".inf",
        b".nan",
        b"0x1F",
        b"2026-13-45",
        b"\\",
        b"(",
        b")*",
        b"?P<",
    ),
]
ODD: list[object] = [
    *(None, True, False, 0, -1, 1, 7, 10**12, 10**29, 1.5, -0.0, 1e-9),
    *("", " ", "x", "x" * 300, "true", "-", "0", "1e9", "NaN", "Infinity", "-Infinity", "2026-02-30", "9999-12-31"),
    *(
        "../../etc/passwd",
        "/",
        "a\nb",
        "\u202e",
        "\U0001f600",
        "{{ 1 }}",
        "{% for %}",
        "(",
        "[",
        "(?P<n>",
        "*",
        "\\",
        "{x}",
    ),
    *("4h", "-4h", "999999999999h", "1.5h", "Asia/Nowhere", "../zone", "L9", "USD", "XXXX", "mon-fri", "25:00-26:00"),
    *([], {}, [[]], [None], [""], [{}], {"": None}, {"a": {"b": [1]}}, ["x"] * 50, {"x": 1, "y": "2"}),
]


def scratched(body: bytes, dice: random.Random) -> bytes:
    """Some bytes wrong, gone, put in or said twice."""
    found = bytearray(body)
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        at = dice.randrange(len(found) + 1)
        match dice.choice([0, 0, 0, 1, 2, 3, 4, 4]):
            case 0 if at < len(found):
                found[at] = dice.randrange(32, 127) if dice.random() < 0.8 else dice.randrange(256)
            case 1:
                del found[at : at + dice.randint(1, 40)]
            case 2:
                found[at:at] = found[at : at + dice.randint(1, 120)]
            case 3:
                lines = found.splitlines(keepends=True)
                dice.shuffle(lines)
                found = bytearray(b"".join(lines))
            case _:
                found[at:at] = dice.choice(SPLINTERS)
    return bytes(found)


def bent(value: object, dice: random.Random) -> object:
    """A parsed document with one to three values of a wrong kind, keys missing, misspelt or strange to it."""
    found = _copy(value)
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        if not isinstance(found, (dict, list)):
            break
        holder = dice.choice([*_holders(found)])
        if not holder:
            continue
        key = dice.choice([*holder]) if isinstance(holder, dict) else dice.randrange(len(holder))
        match dice.randrange(6):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[_misspelt(str(key), dice)] = holder.pop(key)
            case 2 if isinstance(holder, dict):
                holder[str(dice.choice(ODD))] = _copy(dice.choice(ODD))
            case 3:
                holder[key] = _copy(dice.choice([*_holders(found)]))
            case _:
                holder[key] = _copy(dice.choice(ODD))
    return found


def _copy(value: object) -> Any:
    return json.loads(json.dumps(value, default=str))


def _holders(value: object) -> Iterator[dict | list]:
    if isinstance(value, (dict, list)):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from _holders(each)


def _misspelt(word: str, dice: random.Random) -> str:
    at = dice.randrange(len(word) + 1)
    return dice.choice([word[:at] + word[at + 1 :], word[:at] + "x" + word[at:], word.upper(), word + " "])
