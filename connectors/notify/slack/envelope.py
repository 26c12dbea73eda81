"""What comes over the socket: envelopes, of which clicks on our button are the ones that matter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from connectors.hearing import Click

ACTION = "escalation.acknowledge"
"""The id of our button's action."""


def opened(frame: str | bytes) -> Mapping[str, Any]:
    """What one frame says. Raises ValueError when it is not of Slack's shape."""
    told = json.loads(frame)
    if not isinstance(told, dict):
        raise ValueError("a frame of the socket is no object")
    return told


def click_in(envelope: Mapping[str, Any]) -> Click | None:
    """The click that an envelope carries, None when it carries anything else.

    A delivery that is repeated comes in a new envelope; what stays the same is who pressed what, where and when.
    """
    payload = envelope.get("payload")
    if envelope.get("type") != "interactive" or not isinstance(payload, dict):
        return None
    try:
        action = next(each for each in payload["actions"] if each["action_id"] == ACTION)
        user, place, card = payload["user"]["id"], payload["channel"]["id"], payload["container"]["message_ts"]
        key = "/".join(str(each) for each in (place, card, user, action["action_ts"]))
        return Click(key, str(user), str(place), str(action["value"]))
    except (KeyError, TypeError, StopIteration):
        return None
