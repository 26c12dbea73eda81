"""The objects of a fresh portal, as far as an escalation touches them: a part of the default properties, no more.

Sources: "Default company / ticket / deal properties", "Notes", "Tasks" and the table of association type ids in
"Associations v4" of HubSpot's API guides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.twins.hubspot.schema import Kind, ObjectType, Portal, Property, Stage


def option(value: str, label: str = "", order: int = 0) -> dict[str, Any]:
    """One option of an enumeration."""
    return {"value": value, "label": label or value, "displayOrder": order, "hidden": False}


def options(*values: str) -> list[dict[str, Any]]:
    """Options in this order."""
    return [option(value, order=order) for order, value in enumerate(values)]


def _enum(name: str, *values: str, label: str = "") -> Property:
    return Property(name, "enumeration", "select", label, options=options(*values))


def _owner() -> Property:
    return Property("hubspot_owner_id", "enumeration", "select", "Owner", owner=True)


def _system(stamp: str) -> list[Property]:
    return [
        Property("hs_object_id", "number", "number", "Record ID", read_only=True),
        Property("createdate", "datetime", "date", "Create date", read_only=True),
        Property("hs_createdate", "datetime", "date", "Create date", read_only=True),
        Property(stamp, "datetime", "date", "Last modified date", read_only=True),
        Property("hs_merged_object_ids", "enumeration", "checkbox", "Merged record IDs", read_only=True),
        Property("hs_unique_creation_key", "string", "text", "Unique creation key", unique=True, read_only=True),
        _owner(),
    ]


def _companies() -> ObjectType:
    made = ObjectType("companies", "0-2", "company", shown=("name", "domain"), scope="crm.objects.companies")
    made.groups["companyinformation"] = "Company information"
    made.add(_system(made.stamp))
    made.add(
        [
            Property("name", label="Company name"),
            Property("domain", label="Company domain name"),
            Property("city", label="City"),
            Property("phone", label="Phone number"),
            Property("description", "string", "textarea", "Description"),
            Property("annualrevenue", "number", "number", "Annual revenue"),
            _enum("industry", "BANKING", "RETAIL", "COMPUTER_SOFTWARE", label="Industry"),
            _enum("type", "PROSPECT", "PARTNER", "RESELLER", "VENDOR", "OTHER", label="Type"),
            _enum("lifecyclestage", "lead", "opportunity", "customer", "other", label="Lifecycle stage"),
            _enum("hs_csm_sentiment", "at_risk", "neutral", "healthy", label="CSM sentiment"),
            Property("hs_parent_company_id", "number", "number", "Parent company", read_only=True),
            Property("hs_pinned_engagement_id", "number", "number", "Pinned activity"),
            Property("notes_last_updated", "datetime", "date", "Last activity date", read_only=True),
        ]
    )
    return made


def _tickets() -> ObjectType:
    made = ObjectType("tickets", "0-5", "ticket", shown=("subject", "content", "hs_pipeline", "hs_pipeline_stage"))
    made.scope, made.required = "tickets", ("hs_pipeline_stage",)
    made.shown = (*made.shown, "hs_ticket_category", "hs_ticket_priority")
    made.groups["ticketinformation"] = "Ticket information"
    made.add(_system(made.stamp))
    categories = ("PRODUCT_ISSUE", "BILLING_ISSUE", "FEATURE_REQUEST", "GENERAL_INQUIRY")
    made.add(
        [
            Property("subject", label="Ticket name"),
            Property("content", "string", "textarea", "Ticket description"),
            Property("hs_pipeline", "enumeration", "select", "Pipeline"),
            Property("hs_pipeline_stage", "enumeration", "radio", "Ticket status"),
            _enum("hs_ticket_priority", "LOW", "MEDIUM", "HIGH", "URGENT", label="Priority"),
            Property("hs_ticket_category", "enumeration", "checkbox", "Category", options=options(*categories)),
            _enum("source_type", "CHAT", "EMAIL", "FORM", "PHONE", label="Source"),
            Property("closed_date", "datetime", "date", "Close date"),
        ]
    )
    return made


def _deals() -> ObjectType:
    shown = ("dealname", "amount", "closedate", "pipeline", "dealstage")
    made = ObjectType("deals", "0-3", "deal", shown=shown, scope="crm.objects.deals")
    made.groups["dealinformation"] = "Deal information"
    made.add(_system(made.stamp))
    made.add(
        [
            Property("dealname", label="Deal name"),
            Property("amount", "number", "number", "Amount"),
            Property("pipeline", "enumeration", "select", "Pipeline"),
            Property("dealstage", "enumeration", "radio", "Deal stage"),
            Property("closedate", "datetime", "date", "Close date"),
            _enum("deal_currency_code", "IDR", "USD", "SGD", "EUR", label="Currency"),
            Property("hs_arr", "number", "number", "Annual recurring revenue"),
        ]
    )
    return made


def _contacts() -> ObjectType:
    shown = ("firstname", "lastname", "email")
    made = ObjectType("contacts", "0-1", "contact", "lastmodifieddate", shown, scope="crm.objects.contacts")
    made.groups["contactinformation"] = "Contact information"
    made.add(_system(made.stamp))
    names = [Property(each) for each in ("firstname", "lastname", "jobtitle")]
    made.add([*names, Property("email", unique=True)])
    return made


def _notes() -> ObjectType:
    made = ObjectType("notes", "0-46", "note", required=("hs_timestamp",), scope="crm.objects.contacts", activity=True)
    made.schema_scope = False
    made.groups["engagement"] = "Activity"
    made.add(_system(made.stamp))
    made.add(
        [
            Property("hs_timestamp", "datetime", "date", "Activity date"),
            Property("hs_note_body", "string", "html", "Note body"),
            Property("hs_attachment_ids", "string", "text", "Attached files"),
        ]
    )
    return made


def _tasks() -> ObjectType:
    made = ObjectType("tasks", "0-27", "task", required=("hs_timestamp",), scope="crm.objects.contacts", activity=True)
    made.schema_scope = False
    made.groups["task"] = "Task"
    made.add(_system(made.stamp))
    made.add(
        [
            Property("hs_timestamp", "datetime", "date", "Due date"),
            Property("hs_task_subject", label="Task title"),
            Property("hs_task_body", "string", "html", "Task notes"),
            _enum("hs_task_status", "NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED"),
            _enum("hs_task_priority", "NONE", "LOW", "MEDIUM", "HIGH"),
            _enum("hs_task_type", "EMAIL", "CALL", "TODO"),
            Property("hs_task_reminders", "string", "text", "Reminders"),
        ]
    )
    return made


_KINDS: Sequence[tuple[int, str, str, str | None]] = (
    (26, "tickets", "companies", "Primary"),
    (339, "tickets", "companies", None),
    (25, "companies", "tickets", "Primary"),
    (340, "companies", "tickets", None),
    (5, "deals", "companies", "Primary"),
    (341, "deals", "companies", None),
    (6, "companies", "deals", "Primary"),
    (342, "companies", "deals", None),
    (16, "tickets", "contacts", None),
    (15, "contacts", "tickets", None),
    (1, "contacts", "companies", "Primary"),
    (279, "contacts", "companies", None),
    (2, "companies", "contacts", "Primary"),
    (280, "companies", "contacts", None),
    (190, "notes", "companies", None),
    (189, "companies", "notes", None),
    (202, "notes", "contacts", None),
    (201, "contacts", "notes", None),
    (214, "notes", "deals", None),
    (213, "deals", "notes", None),
    (228, "notes", "tickets", None),
    (227, "tickets", "notes", None),
    (192, "tasks", "companies", None),
    (191, "companies", "tasks", None),
    (204, "tasks", "contacts", None),
    (203, "contacts", "tasks", None),
    (216, "tasks", "deals", None),
    (215, "deals", "tasks", None),
    (230, "tasks", "tickets", None),
    (229, "tickets", "tasks", None),
)


def opposite(portal: Portal, kind: Kind) -> Kind | None:
    """The same association seen from the other side."""
    back = [each for each in portal.kinds.values() if (each.of, each.to) == (kind.to, kind.of)]
    return next((each for each in back if each.label == kind.label and each.category == kind.category), None)


def standard_portal() -> Portal:
    """A fresh portal without anything added to it."""
    portal = Portal()
    for each in (_companies(), _tickets(), _deals(), _contacts(), _notes(), _tasks()):
        portal.types[each.name] = each
    portal.kinds = {number: Kind(number, of, to, label) for number, of, to, label in _KINDS}
    support = (
        Stage("1", "New"),
        Stage("2", "Waiting on contact"),
        Stage("3", "Waiting on us"),
        Stage("4", "Closed", True),
    )
    portal.pipelines["tickets"] = {"0": support}
    won, lost = Stage("closedwon", "Closed won", True), Stage("closedlost", "Closed lost", True)
    portal.pipelines["deals"] = {"default": (Stage("appointmentscheduled", "Appointment scheduled"), won, lost)}
    return portal


def custom_object(
    portal: Portal, name: str, singular: str, properties: Sequence[Property], shown: Sequence[str]
) -> ObjectType:
    """Add an object that the portal's people made up, with its associations to companies."""
    number = 50_000_000 + len(portal.types)
    made = ObjectType(name, f"2-{number}", singular, shown=tuple(shown), scope="crm.objects.custom")
    made.groups[f"{singular}_information"] = f"{singular.title()} information"
    made.add([*_system(made.stamp), *properties])
    portal.types[name] = made
    first = 100 + 2 * len(portal.kinds)
    portal.kinds[first] = Kind(first, name, "companies", None, "USER_DEFINED")
    portal.kinds[first + 1] = Kind(first + 1, "companies", name, None, "USER_DEFINED")
    return made
