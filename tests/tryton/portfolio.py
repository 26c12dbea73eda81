"""The demo's portfolio, copied from the embedded CRM into a Tryton, so that both CRMs show the same company."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from connectors.crm.embedded import EmbeddedCrm
from tests.tryton.server import Rpc

_HEALTH = {"Green": "green", "Hijau": "green", "Yellow": "yellow", "Kuning": "yellow", "Red": "red", "Merah": "red"}
_AT_ONCE = 100


def copy(crm: EmbeddedCrm, rpc: Rpc, made: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Create everything; returns Tryton's id of each record, by object and the embedded CRM's id."""
    ids: dict[str, dict[str, int]] = {}
    ids["user"] = _created(rpc, "res.user", {each.id: _user(each.id, each.fields) for each in crm.all("user")})
    languages = {each["code"]: each["id"] for each in rpc.search("ir.lang", [["code", "in", ["en", "id"]]], ["code"])}
    accounts = {each.id: _account(each.fields, ids["user"], made, languages) for each in crm.all("account")}
    ids["account"] = _created(rpc, "party.party", accounts)
    types = _types(rpc, {str(each.fields.get("category") or "Question") for each in crm.all("case")})
    cases = {each.id: _case(each.fields, ids["account"], types, made) for each in crm.all("case")}
    ids["case"] = _created(rpc, "sale.complaint", cases)
    disputes = {each.id: _dispute(each.id, each.fields, ids["account"], made) for each in crm.all("dispute")}
    ids["dispute"] = _created(rpc, "escalation.dispute", disputes)
    return ids


def _created(rpc: Rpc, model: str, records: dict[str, dict[str, Any]]) -> dict[str, int]:
    keys, made = list(records), list[int]()
    for start in range(0, len(keys), _AT_ONCE):
        made += rpc.create(model, *(records[key] for key in keys[start : start + _AT_ONCE]))
    return dict(zip(keys, made, strict=True))


def _types(rpc: Rpc, names: set[str]) -> dict[str, int]:
    origin = rpc.search("ir.model", [["name", "=", "sale.sale"]], ["name"])[0]["id"]
    known = {each["name"]: each["id"] for each in rpc.search("sale.complaint.type", [], ["name"])}
    missing = sorted(names - known.keys())
    made = rpc.create("sale.complaint.type", *({"name": name, "origin": origin} for name in missing))
    return {**known, **dict(zip(missing, made, strict=True))}


def _user(key: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": fields["name"], "login": key, "email": fields["email"], "active": fields["active"]}


def _account(
    fields: Mapping[str, Any], users: dict[str, int], made: Mapping[str, Any], languages: dict[str, int]
) -> dict[str, Any]:
    owner, manager = fields.get("owner_id"), fields.get("manager_id")
    return {
        "name": fields["name"],
        "csm": users[owner] if owner else None,
        "csm_manager": users[manager] if manager else None,
        "annual_revenue": Decimal(str(fields["arr"])),
        "annual_revenue_currency": made["currencies"][fields["arr_currency"]],
        "health": _HEALTH[fields["health"]] if fields.get("health") else None,
        "health_score": fields.get("health_score"),
        "health_as_of": _time(fields.get("health_as_of")),
        "tier": fields["tier"],
        "renewal_on": date.fromisoformat(fields["renewal_on"]),
        "churn_signs": fields.get("churn_signals"),
        "churned_on": date.fromisoformat(fields["churned_on"]) if fields.get("churned_on") else None,
        "lang": languages.get(str(fields.get("language"))),
    }


def _case(
    fields: Mapping[str, Any], accounts: dict[str, int], types: dict[str, int], made: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "customer": accounts[fields["account_id"]],
        "company": made["company"],
        "type": types[str(fields.get("category") or "Question")],
        "date": _time(fields["opened_at"]).date(),
        "subject": fields["subject"],
        "description": fields["text"],
        "author": str(fields["author"]).lower(),
        "channel": fields["channel"],
        "priority": str(fields["priority"]).lower() if fields.get("priority") else None,
        "state": "waiting" if fields["status"] == "Open" else "done",
        "reporter": fields["reporter"],
        "reporter_title": fields.get("reporter_title"),
        "bug_key": fields.get("bug_key"),
        "product_name": fields.get("product"),
        "opened_at": _time(fields["opened_at"]),
        "closed_at": _time(fields.get("closed_at")),
    }


def _dispute(key: str, fields: Mapping[str, Any], accounts: dict[str, int], made: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "reference": key,
        "party": accounts[fields["account_id"]],
        "amount": Decimal(str(fields["amount"])),
        "currency": made["currencies"][fields["currency"]],
        "state": "open" if fields["status"] == "Open" else "settled",
        "reason": fields["reason"],
        "opened_at": _time(fields["opened_at"]),
    }


def _time(text: Any) -> Any:
    return datetime.fromisoformat(text) if text else None
