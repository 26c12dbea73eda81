"""Record ids: 15 characters that tell case apart, or 18 whose last three carry the case of the others.

Source: "ID Field Type" of the Object Reference. The suffix has one letter for each five characters; its bits tell which
of them are capitals.
"""

from __future__ import annotations

import re

_BASE = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_FORM = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def numbered(prefix: str, number: int) -> str:
    """The id of 18 characters for the number-th record of an object."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE[rest] + digits
    return whole(f"{prefix}5g{digits.rjust(10, '0')}")


def whole(record_id: str) -> str:
    """18 characters, from 15 or 18. Raises ValueError for what is no id."""
    if not _FORM.fullmatch(record_id):
        raise ValueError(record_id)
    short = record_id[:15]
    return short + "".join(_letter(short[start : start + 5]) for start in (0, 5, 10))


def _letter(five: str) -> str:
    return _SUFFIX[sum(1 << place for place, each in enumerate(five) if "A" <= each <= "Z")]
