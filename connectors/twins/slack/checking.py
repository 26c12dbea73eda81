"""What Slack refuses in a message: texts, metadata and blocks that are not as it wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_TEXT_LIMIT = 40_000
_METADATA_LIMIT = 8_000
_BLOCKS_LIMIT = 50
_STYLES = frozenset({"bold", "italic", "strike", "code", "underline"})
_LOOKS = frozenset({"primary", "danger"})
_SCHEMES = ("https://", "http://", "mailto:")


class RefusedError(Exception):
    """Slack says no, with one of its error codes."""


def text_of(arguments: Mapping[str, str]) -> str:
    """The message's text: there must be one, and not too long."""
    text = arguments.get("text", "")
    if not text.strip():
        raise RefusedError("no_text")
    if len(text) > _TEXT_LIMIT:
        raise RefusedError("msg_too_long")
    return text


def metadata_of(arguments: Mapping[str, str]) -> dict[str, Any]:
    """The message's metadata, if it has any."""
    if "metadata" not in arguments:
        return {}
    try:
        metadata = json.loads(arguments["metadata"])
    except ValueError:
        raise RefusedError("invalid_metadata_format") from None
    shaped = isinstance(metadata, dict) and set(metadata) == {"event_type", "event_payload"}
    if not shaped or not isinstance(metadata["event_payload"], dict) or not metadata["event_type"]:
        raise RefusedError("invalid_metadata_schema")
    if len(arguments["metadata"]) > _METADATA_LIMIT:
        raise RefusedError("metadata_too_large")
    return {"metadata": metadata}


def blocks_of(arguments: Mapping[str, str]) -> dict[str, Any]:
    """The message's blocks. Rich text and buttons are known here: whatever else would have to be learnt is refused."""
    if "blocks" not in arguments:
        return {"blocks": []}
    try:
        blocks = json.loads(arguments["blocks"])
    except ValueError:
        raise RefusedError("invalid_blocks_format") from None
    if not isinstance(blocks, list) or len(blocks) > _BLOCKS_LIMIT or not all(map(_is_block, blocks)):
        raise RefusedError("invalid_blocks")
    return {"blocks": blocks}


def _is_block(block: object) -> bool:
    return _is_rich_text(block) or _is_actions(block)


def _is_actions(block: object) -> bool:
    if not isinstance(block, dict) or block.get("type") != "actions" or set(block) - {"type", "elements", "block_id"}:
        return False
    elements = block.get("elements")
    return isinstance(elements, list) and 0 < len(elements) <= 25 and all(map(_is_button, elements))


def _is_button(element: object) -> bool:
    if not isinstance(element, dict) or element.get("type") != "button":
        return False
    if set(element) - {"type", "action_id", "text", "value", "style"} or element.get("style", "primary") not in _LOOKS:
        return False
    label = element.get("text")
    named = isinstance(label, dict) and label.get("type") == "plain_text" and 0 < len(label.get("text", "")) <= 75
    return named and 0 < len(element.get("action_id", "")) <= 255 and len(element.get("value", "")) <= 2000


def _is_rich_text(block: object) -> bool:
    if not isinstance(block, dict) or block.get("type") != "rich_text" or set(block) - {"type", "elements", "block_id"}:
        return False
    sections = block.get("elements")
    return isinstance(sections, list) and bool(sections) and all(map(_is_section, sections))


def _is_section(section: object) -> bool:
    if not isinstance(section, dict) or set(section) != {"type", "elements"} or section["type"] != "rich_text_section":
        return False
    elements = section["elements"]
    return isinstance(elements, list) and bool(elements) and all(map(_is_element, elements))


def _is_element(element: object) -> bool:
    if not isinstance(element, dict):
        return False
    style = element.get("style", {})
    if not isinstance(style, dict) or not set(style) <= _STYLES or not all(value is True for value in style.values()):
        return False
    match element.get("type"):
        case "text":
            return isinstance(element.get("text"), str) and element["text"] != ""
        case "link":
            return str(element.get("url", "")).startswith(_SCHEMES)
        case _:
            return False
