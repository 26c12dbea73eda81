"""Salesforce's record ids: 15 letters that know upper from lower case, or 18 that do not need to."""

from __future__ import annotations

import re

_ID = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?")
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_id(text: str) -> bool:
    """Whether this can be a record id."""
    return _ID.fullmatch(text) is not None


def eighteen(record_id: str) -> str:
    """The id in its long form: each suffix letter tells which of five letters are in upper case."""
    if len(record_id) != 15:
        return record_id
    return record_id + "".join(_suffix(record_id[start : start + 5]) for start in (0, 5, 10))


def _suffix(five: str) -> str:
    return _SUFFIX[sum(1 << place for place, letter in enumerate(five) if "A" <= letter <= "Z")]


def is_key(text: str) -> bool:
    """Whether a key may stand in an address as it is: no other letter survives every layer unchanged."""
    return _KEY.fullmatch(text) is not None
