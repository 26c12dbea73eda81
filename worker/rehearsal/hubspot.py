"""The portfolio in a portal that `setup` has prepared, as `config/mappings/hubspot.yaml` reads it.

Disputes are tickets of the billing category with an amount, as the mapping has them; everyday questions about bills are
therefore filed under a category of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.base import Value
from connectors.twins.hubspot import HubSpotTwin, Property, options
from connectors.twins.hubspot.values import iso
from connectors.twins.web import Clock
from worker.portfolio import Portfolio, Record
from worker.rehearsal.words import as_of, executives, health_of, text_of

_CATEGORIES = {
    "Question": "GENERAL_INQUIRY",
    "Product issue": "PRODUCT_ISSUE",
    "Billing": "INVOICE_QUESTION",
    "Feature request": "FEATURE_REQUEST",
    "Legal": "LEGAL",
    "Security": "SECURITY",
    "Complaint": "COMPLAINT",
}
_STANDARD = ("PRODUCT_ISSUE", "BILLING_ISSUE", "FEATURE_REQUEST", "GENERAL_INQUIRY")
_NEW, _CLOSED = "1", "4"
_FIRST_OWNER = 71_000_001


def hubspot_portal(clock: Clock | None = None, port: int = 0) -> HubSpotTwin:
    """A portal whose people have added their own ticket categories, and nothing of ours yet."""
    twin = HubSpotTwin(clock, port)
    own = sorted(set(_CATEGORIES.values()) - set(_STANDARD))
    categories = options(*_STANDARD, *own)
    twin.property("tickets", Property("hs_ticket_category", "enumeration", "checkbox", "Category", options=categories))
    return twin


def fill_hubspot(twin: HubSpotTwin, portfolio: Portfolio) -> dict[str, str]:
    """Put the portfolio into the portal, where `setup` was run; returns which id each key of it has got there."""
    people = (*portfolio.users, *executives())
    ids = {key: str(_FIRST_OWNER + number) for number, (_, key, _, _) in enumerate(people)}
    for _, key, _, fields in people:
        _owner(twin, ids[key], fields)
    for record in portfolio.accounts:
        ids[record[1]] = _company(twin, record, ids)
    for record in portfolio.cases:
        ids[record[1]] = _ticket(twin, record, ids)
    for record in portfolio.disputes:
        ids[record[1]] = _dispute(twin, record, ids)
    return ids


def _owner(twin: HubSpotTwin, owner_id: str, person: Mapping[str, Value]) -> None:
    first, _, last = text_of(person, "name").rpartition(" ")
    twin.owner(owner_id, text_of(person, "email"), first, last, archived=not person["active"])


def _company(twin: HubSpotTwin, record: Record, ids: Mapping[str, str]) -> str:
    _, _, modified, fields = record
    given = {
        "name": fields["name"],
        "hubspot_owner_id": ids[text_of(fields, "owner_id")],
        "escalation_manager": ids.get(str(fields["manager_id"])),
        "customer_arr": fields["arr"],
        "customer_arr_currency": fields["arr_currency"],
        "customer_health": health_of(fields),
        "customer_health_score": fields["health_score"],
        "customer_health_as_of": as_of(fields),
        "customer_tier": fields["tier"],
        "customer_renewal_on": fields["renewal_on"],
        "customer_churn_signals": fields["churn_signals"],
        "customer_churned_on": fields.get("churned_on"),
        "customer_language": fields["language"],
        "city": fields["city"],
        "createdate": iso(modified),
        "hs_lastmodifieddate": iso(modified),
    }
    return twin.put("companies", **_texts(given))


def _ticket(twin: HubSpotTwin, record: Record, ids: Mapping[str, str]) -> str:
    _, _, modified, fields = record
    given = {
        "subject": fields["subject"],
        "content": fields["text"],
        "source_type": {"email": "EMAIL", "chat": "CHAT", "web": "FORM"}[text_of(fields, "channel")],
        "hs_ticket_category": _CATEGORIES.get(text_of(fields, "category")),
        "hs_ticket_priority": text_of(fields, "priority").upper(),
        "bug_key": fields.get("bug_key"),
        "closed_date": fields["closed_at"],
    }
    made = _made(twin, given, fields, modified)
    twin.associate("tickets", made, "companies", ids[text_of(fields, "account_id")], primary=True)
    twin.associate("tickets", made, "contacts", _contact(twin, made, fields))
    return made


def _contact(twin: HubSpotTwin, number: str, fields: Mapping[str, Value]) -> str:
    first, _, last = text_of(fields, "reporter").rpartition(" ")
    email = f"{last.lower()}.{number}@customer.example"
    title = text_of(fields, "reporter_title")
    return twin.put("contacts", firstname=first, lastname=last, email=email, jobtitle=title)


def _dispute(twin: HubSpotTwin, record: Record, ids: Mapping[str, str]) -> str:
    _, _, modified, fields = record
    given = {
        "subject": fields["reason"],
        "hs_ticket_category": "BILLING_ISSUE",
        "disputed_amount": fields["amount"],
        "disputed_currency": fields["currency"],
    }
    made = _made(twin, given, fields, modified)
    twin.associate("tickets", made, "companies", ids[text_of(fields, "account_id")], primary=True)
    return made


def _made(twin: HubSpotTwin, given: Mapping[str, Value], fields: Mapping[str, Value], modified: datetime) -> str:
    opened = fields["opened_at"]
    more = {
        "hs_pipeline": "0",
        "hs_pipeline_stage": _NEW if fields["status"] == "Open" else _CLOSED,
        "createdate": opened,
        "hs_lastmodifieddate": modified,
    }
    return twin.put("tickets", **_texts({**given, **more}))


def _texts(given: Mapping[str, Value]) -> dict[str, Any]:
    """All values are strings in HubSpot; what is empty is left out."""
    return {
        name: iso(value) if isinstance(value, datetime) else str(value)
        for name, value in given.items()
        if value is not None and value != ""
    }
