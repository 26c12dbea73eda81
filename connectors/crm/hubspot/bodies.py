"""Texts for HubSpot's rich-text fields: escaped, bounded, ending with the mark by which they are found again."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

LONGEST = 65_536
"""Characters of a note's or task's body, as HubSpot counts them."""

_MARK = re.compile(r"Ref ESC-([\w.:-]+)")
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CUT = "<p>[shortened]</p>"


def mark(key: str) -> str:
    """The last line. It is text, not a comment or an attribute: HubSpot strips those, and a person may look for it."""
    return f"Ref ESC-{key}"


def marks(body: str) -> Iterator[str]:
    """The keys in a body as HubSpot gives it back."""
    for found in _MARK.finditer(html.unescape(body)):
        yield found.group(1)


def rich(title: str, text: str, key: str) -> str:
    """A body with nothing of the text's own markup alive; cut between lines or words when too long, never the mark."""
    ending = f"<p>{mark(key)}</p>"
    plain = text.replace(mark(key), "").strip()
    heading = f"<p><strong>{_escaped(title)}</strong></p>" if title else ""
    whole = f"{heading}<p>{_escaped(plain)}</p>"
    if size(whole) + size(ending) > LONGEST:
        whole = f"{_fitting(heading, plain, LONGEST - size(ending) - size(_CUT))}{_CUT}"
    return whole + ending


def size(text: str) -> int:
    """How long HubSpot finds it: UTF-16 units, so that an emoji counts twice."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _escaped(text: str) -> str:
    return html.escape(_UNSEEN.sub("", text), quote=False).replace("\n", "<br>")


def _fitting(heading: str, plain: str, room: int) -> str:
    """The longest beginning that fits when it is escaped."""
    low, high = 0, len(plain)
    while low < high:
        middle = (low + high + 1) // 2
        if size(f"{heading}<p>{_escaped(plain[:middle])}</p>") <= room:
            low = middle
        else:
            high = middle - 1
    return f"{heading}<p>{_escaped(plain[:low])}</p>"
