"""The properties and the list that we bring into a portal. What a mapping does not name is not made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.crm.hubspot.activities import KEY
from connectors.crm.hubspot.anchor import ANCHOR_KEY
from connectors.crm.hubspot.pin import BEFORE, OURS

GROUP, GROUP_LABEL = "escalation", "Escalation"
LIST_NAME = "Escalated accounts"
COMPANY_TYPE = "0-2"

WISHES = (
    *("none", "acknowledged", "snooze", "waiting", "raise_l2", "raise_l3", "manual_l1", "manual_l2"),
    *("manual_l3", "resolved", "churned", "downgraded", "false_alarm", "duplicate"),
)


@dataclass(frozen=True, slots=True)
class Spec:
    """One property as we want it. `kind` is HubSpot's type and field type."""

    label: str
    kind: tuple[str, str]
    choices: tuple[str, ...] = ()
    unique: bool = False
    owner: bool = False
    help: str = ""

    @property
    def options(self) -> list[dict[str, object]]:
        """The choices in HubSpot's form, each with its place."""
        labels = {"true": "Yes", "false": "No"}
        return [
            {"label": labels.get(each, each.replace("_", " ").capitalize()), "value": each, "displayOrder": place}
            | {"hidden": False}
            for place, each in enumerate(self.choices)
        ]

    def body(self, name: str) -> dict[str, object]:
        """What to send to make it."""
        made: dict[str, object] = {
            "name": name,
            "label": self.label,
            "groupName": GROUP,
            "type": self.kind[0],
            "fieldType": self.kind[1],
            "formField": False,
        }
        if self.help:
            made["description"] = self.help
        if self.choices:
            made["options"] = self.options
        if self.unique:
            made["hasUniqueValue"] = True
        if self.owner:
            made |= {"externalOptions": True, "referencedObjectType": "OWNER"}
        return made


_TEXT, _LONG = ("string", "text"), ("string", "textarea")
_TIME, _DAY, _NUMBER = ("datetime", "date"), ("date", "date"), ("number", "number")
_TRUTH, _CHOICE = ("bool", "booleancheckbox"), ("enumeration", "select")
_BOTH = ("true", "false")
_OURS = "Written by the escalation worker; change the override instead."

COMPANIES: Mapping[str, Spec] = {
    "escalation_flag": Spec("Escalated", _TRUTH, _BOTH, help=_OURS),
    "escalation_level": Spec("Escalation level", _CHOICE, ("L1", "L2", "L3"), help=_OURS),
    "escalation_reason": Spec("Escalation reason", _TEXT, help=_OURS),
    "escalation_opened_at": Spec("Escalated at", _TIME, help=_OURS),
    "escalation_due_at": Spec("Answer due at", _TIME, help=_OURS),
    "escalation_status": Spec("Escalation status", _TEXT, help=_OURS),
    "escalation_owner": Spec("Escalation owner", _TEXT, help=_OURS),
    "escalation_override": Spec("Escalation override", _CHOICE, WISHES, help="Your answer to the worker."),
    "escalation_override_until": Spec("Override until", _TIME),
    "escalation_override_note": Spec("How it ended", _LONG),
    "escalation_root_cause": Spec("Root cause", _LONG),
    "escalation_customer_confirmed": Spec("Customer confirmed the solution", _TRUTH, _BOTH),
    "escalation_override_by": Spec("Override by", _TEXT),
    "escalation_override_at": Spec("Override at", _TIME),
    "escalation_call_held_at": Spec("Hand-off call held at", _TIME, help="Ends the reminders of the call."),
    "escalation_pr_risk": Spec("PR risk", _TRUTH, _BOTH),
    "escalation_manager": Spec("CS manager", _CHOICE, owner=True),
    "issue_impact": Spec("Issue: impact", _LONG),
    "issue_attempted": Spec("Issue: what was attempted", _LONG),
    "issue_ask": Spec("Issue: what the customer asks", _LONG),
    "issue_recommendation": Spec("Issue: recommendation", _LONG),
    "issue_timeline": Spec("Issue: timeline", _LONG),
    "customer_health": Spec("Customer health", _CHOICE, ("green", "yellow", "red")),
    "customer_health_score": Spec("Customer health score", _NUMBER),
    "customer_health_as_of": Spec("Customer health as of", _TIME),
    "customer_arr": Spec("ARR", _NUMBER),
    "customer_arr_currency": Spec("ARR currency", _TEXT, help="Such as IDR; empty means the mapping's."),
    "customer_tier": Spec("Customer tier", _CHOICE, ("standard", "enterprise", "strategic")),
    "customer_renewal_on": Spec("Renewal date", _DAY),
    "customer_churn_signals": Spec("Churn signals", _LONG, help="Separated by semicolons."),
    "customer_churned_on": Spec("Churned on", _DAY),
    "customer_language": Spec("Customer language", _TEXT, help="en or id."),
}
TICKETS: Mapping[str, Spec] = {
    "bug_key": Spec("Bug key", _TEXT, help="What several customers' tickets have in common, such as a Jira key."),
    "disputed_amount": Spec("Disputed amount", _NUMBER),
    "disputed_currency": Spec("Disputed currency", _TEXT, help="Such as IDR; empty means the mapping's."),
}
SPECS: Mapping[str, Mapping[str, Spec]] = {"companies": COMPANIES, "tickets": TICKETS}

UNIQUE_KEY: Mapping[str, Spec] = {
    KEY: Spec("Escalation key", _TEXT, unique=True, help="Holds that a note exists once.")
}
PINS: Mapping[str, Spec] = {
    OURS: Spec("Pinned by the escalation worker", _TEXT, help=_OURS),
    BEFORE: Spec("Pinned before the escalation", _TEXT, help=_OURS),
}
ANCHOR: Mapping[str, Spec] = {ANCHOR_KEY: Spec("Escalation of company", _TEXT, unique=True, help=_OURS)}


def list_body(flag: str) -> dict[str, object]:
    """The list of the companies whose flag is set."""
    return {
        "name": LIST_NAME,
        "objectTypeId": COMPANY_TYPE,
        "processingType": "DYNAMIC",
        "filterBranch": _branch("OR", [_branch("AND", [], [_flag_filter(flag)])], []),
    }


def _branch(operator: str, branches: Sequence[object], filters: Sequence[object]) -> dict[str, object]:
    return {
        "filterBranchType": operator,
        "filterBranchOperator": operator,
        "filterBranches": list(branches),
        "filters": list(filters),
    }


def _flag_filter(flag: str) -> dict[str, object]:
    operation = {
        "operationType": "BOOL",
        "operator": "IS_EQUAL_TO",
        "value": True,
        "includeObjectsWithNoValueSet": False,
    }
    return {"filterType": "PROPERTY", "property": flag, "operation": operation}
