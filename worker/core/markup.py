"""HTML bodies as plain text of the same length: a place in the result is a place in the original."""

from __future__ import annotations

import re

_LOOKS_LIKE_HTML = re.compile(
    r"<(?:html|body|div|p|br|table|span|head|blockquote|ul|b|font)\b[^<>]{0,200}/?>", re.IGNORECASE
)
_HIDDEN_OPENS = re.compile(r"<(style|script|head|title|blockquote)\b[^<>]{0,500}>|<!--", re.IGNORECASE)
_OLDER_MAIL = re.compile(
    r"<(?:div|blockquote)\b[^<>]{0,200}(?:gmail_quote|yahoo_quoted|divRplyFwdMsg|appendonsend|moz-cite-prefix)[^<>]{0,200}>",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?([a-z][a-z0-9]{0,15})\b[^<>]{0,2000}>", re.IGNORECASE)
_BREAKS_LINE = frozenset(["br", "p", "div", "tr", "li", "table", "h1", "h2", "h3", "h4", "ul", "ol", "td"])
_ENTITY = re.compile(r"&(?:[a-z]{2,8}|#x?[0-9a-f]{1,6});", re.IGNORECASE)
_APOSTROPHES = frozenset({"&#39;", "&rsquo;", "&lsquo;", "&apos;", "&#x27;", "&#8217;"})


def without_tags(body: str) -> str:
    """`body` with tags, style, comments and older mail blanked; a body without tags comes back unchanged."""
    if not _LOOKS_LIKE_HTML.search(body):
        return body
    text = _TAG.sub(_blank_tag, _without_hidden(_without_older_mail(body)))
    return _ENTITY.sub(lambda match: ("'" if match.group().lower() in _APOSTROPHES else " ") * len(match.group()), text)


def _without_older_mail(body: str) -> str:
    match = _OLDER_MAIL.search(body)
    return body if match is None else body[: match.start()] + "\n" * (len(body) - match.start())


def _without_hidden(body: str) -> str:
    lowered = body.lower()
    searched = lowered if len(lowered) == len(body) else body
    kept: list[str] = []
    place = 0
    while (match := _HIDDEN_OPENS.search(body, place)) is not None:
        closing = "-->" if match[1] is None else f"</{match[1].lower()}>"
        end = searched.find(closing, match.end())
        end = len(body) if end < 0 else end + len(closing)
        kept += [body[place : match.start()], "\n", " " * (end - match.start() - 1)]
        place = end
    return "".join([*kept, body[place:]])


def _blank_tag(match: re.Match[str]) -> str:
    size = len(match.group())
    return "\n" + " " * (size - 1) if match[1].lower() in _BREAKS_LINE else " " * size
