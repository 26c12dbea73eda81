"""Plain text for Slack: nothing in it is alive, whatever a customer wrote."""

from __future__ import annotations

LIMIT = 38_000
"""Characters after escaping; Slack cuts at 40,000."""

_LIVE = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_CUT = "\n(shortened)"
# Marks that turn the direction of writing can make a text read as something else than it is.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """The text escaped, without control characters and lone surrogates, and shortened to what Slack takes."""
    pieces, length = list[str](), 0
    for each in text.encode("utf-8", "replace").decode():
        piece = _piece(each)
        length += len(piece)
        if length > LIMIT:
            return "".join(pieces) + _CUT
        pieces.append(piece)
    return "".join(pieces)


def _piece(character: str) -> str:
    if character in _TURNING:
        return ""
    if character in "\n\t":
        return character
    if character < " " or "\x7f" <= character <= "\x9f" or character in "\u2028\u2029":
        return " "
    return _LIVE.get(character, character)
