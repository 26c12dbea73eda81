"""The configuration as it works, every default filled in and every secret masked: what `config show` prints."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from worker.core.policy import Policy
from worker.schema import PolicyFile
from worker.written import in_digits, in_units


def effective(file: PolicyFile, policy: Policy, state: Path) -> dict[str, object]:
    """Plain values in the form of the file; secrets and addresses that may hold one show only their source."""
    shown: dict[str, object] = file.model_dump(mode="json", exclude_none=True)
    shown["policy_version"] = policy.version
    shown["state_dir"] = str(state)
    shown["triggers"] = {
        str(trigger): {
            **{segment.value: level.name for segment, level in rule.levels.items()},
            "executive": rule.executive.value,
            "enabled": rule.enabled,
            "restricted": rule.restricted,
            "steward": rule.steward.value,
            "tells": [role.value for role in rule.tells],
        }
        for trigger, rule in policy.triggers.items()
    }
    shown["levels"] = {
        level.name: {
            "response": in_units(rule.response),
            "owner": rule.owner.value,
            "calendar": rule.calendar.name,
            "calendars": {segment.value: calendar.name for segment, calendar in rule.calendars.items()},
            "auto_resolve": level in policy.auto_resolve,
            "hold": {"enter": in_units(rule.hold.enter), "leave": in_units(rule.hold.leave)},
            "follow_up": {"every": in_units(rule.follow_up.every), "reminders": rule.follow_up.reminders},
            "resolve": in_units(rule.resolve or timedelta(0)),
            "pause": in_units(rule.pause),
        }
        for level, rule in policy.levels.items()
    }
    shown["disputes"] = {"enter": in_digits(policy.dispute_enter), "leave": in_digits(policy.dispute_leave)}
    shown["segments"] = {
        "high_value_arr": in_digits(policy.high_value_arr),
        "high_value_tiers": sorted(policy.high_value_tiers),
        "strategic_tiers": sorted(policy.strategic_tiers),
    }
    if file.heartbeat.url is not None:
        shown["heartbeat"] = {**file.heartbeat.model_dump(mode="json", exclude_none=True), "url": "***"}
    return shown
