"""Texts for Slack: nothing in them is alive, whatever a customer wrote.

What people see is rich text, whose elements say what they are: a text element is never read as a mention or a link.
The plain text beside it is for notifications and old clients, and is escaped.
"""

from __future__ import annotations

from connectors.notifier import Message, Posting

LIMIT = 38_000
"""Characters after escaping; Slack cuts at 40,000."""

RICH_LIMIT = 12_000
"""Characters of a message that is shown as rich text; a longer one goes plain."""

_LIVE = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_CUT = "\n(shortened)"
# Marks that turn the direction of writing can make a text read as something else than it is.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Element = dict[str, object]


def plain(text: str) -> str:
    """The text escaped, without control characters and lone surrogates, and shortened to what Slack takes."""
    pieces, length = list[str](), 0
    for each in clean(text):
        piece = _LIVE.get(each, each)
        length += len(piece)
        if length > LIMIT:
            return "".join(pieces) + _CUT
        pieces.append(piece)
    return "".join(pieces)


def clean(text: str) -> str:
    """The text without lone surrogates, control characters and marks that turn the direction of writing."""
    return "".join(map(_shown, text.encode("utf-8", "replace").decode()))


def _shown(character: str) -> str:
    if character in _TURNING:
        return ""
    if character in "\n\t":
        return character
    if character < " " or "\x7f" <= character <= "\x9f" or character in "\u2028\u2029":
        return " "
    return character


def whole(message: Message) -> str:
    """Headline, text and link as one plain text. An answer stands under its headline already."""
    head = "" if message.posting is Posting.REPLY else message.subject
    return plain("\n".join(part for part in (head, message.text, message.link) if part))


def rich(message: Message) -> list[Element]:
    """The same as blocks: the headline bold, or struck out when it is over. Empty where it would be too long."""
    if len(message.subject) + len(message.text) > RICH_LIMIT:
        return []
    body = clean(message.text)
    elements: list[Element] = [_text(f"{body}\n" if message.link else body)] if body else []
    if message.subject and message.posting is not Posting.REPLY:
        style = "strike" if message.struck else "bold"
        elements.insert(0, {**_text(" ".join(clean(message.subject).split()) + "\n"), "style": {style: True}})
    if message.link:
        elements.append({"type": "link", "url": message.link})
    return _paragraph(elements) if elements else []


def spoken(text: str) -> list[Element]:
    """A text of the worker's own as blocks."""
    return _paragraph([_text(clean(text))])


def _paragraph(elements: list[Element]) -> list[Element]:
    return [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}]


def _text(text: str) -> Element:
    return {"type": "text", "text": text}
