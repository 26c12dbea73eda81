"""The portfolio in an org to which deploy/salesforce was deployed, as `config/mappings/salesforce.yaml` reads it.

In Salesforce the CS manager is the manager of the CSM's user. Where a CSM of the portfolio has accounts under several
managers, the org has one user record for each pair.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.base import FatalError
from connectors.twins.salesforce import SalesforceTwin
from connectors.twins.web import Clock
from worker.portfolio import Portfolio, Record
from worker.rehearsal.words import as_of, executives, health_of, score_of, text_of

SOURCE = Path(__file__).resolve().parents[2] / "deploy" / "salesforce"
PERMISSION_SETS = ("Escalation_Worker", "Escalation_Worker_Customer_Success")
RATES = {"USD": Decimal("0.0000625"), "CHF": Decimal("0.000055")}
"""What one rupiah is worth: the org's own rates, which the worker does not use."""


def salesforce_org(clock: Clock | None = None, port: int = 0, source: Path = SOURCE) -> SalesforceTwin:
    """An org of many currencies, with our metadata and an integration user that has nothing but our permission sets.

    Raises FatalError where the metadata is not.
    """
    if not (source / "sfdx-project.json").is_file():
        told = f"there is no metadata of an org in {source}"
        raise FatalError(told, "install the package again: deploy/salesforce comes with it")
    folders = [source / "force-app", source / "customer-success"]
    return SalesforceTwin(clock, port, metadata=folders, permission_sets=PERMISSION_SETS, rates=RATES)


def fill_salesforce(twin: SalesforceTwin, portfolio: Portfolio) -> dict[str, str]:
    """Put the portfolio into the org; returns which id each key of it has got there."""
    people = (*portfolio.users, *executives())
    users = _Users(twin, people)
    ids = {key: users.of(key, None) for _, key, _, _ in people}
    for record in portfolio.accounts:
        ids[record[1]] = _account(twin, record, users)
    for record in portfolio.cases:
        ids[record[1]] = _case(twin, record, ids)
    for record in portfolio.disputes:
        ids[record[1]] = _dispute(twin, record, ids)
    return ids


class _Users:
    """User records, made when they are needed: one for each pair of person and manager."""

    def __init__(self, twin: SalesforceTwin, people: tuple[Record, ...]) -> None:
        self.twin = twin
        self.people = {key: fields for _, key, _, fields in people}
        self._made: dict[tuple[str, str | None], str] = {}

    def of(self, key: str, manager: str | None) -> str:
        """The id of a person who reports to a manager, or to nobody."""
        if (key, manager) not in self._made:
            above = self.of(manager, None) if manager else None
            self._made[key, manager] = self._make(self.people[key], above)
        return self._made[key, manager]

    def _make(self, person: Any, above: str | None) -> str:
        first, _, last = text_of(person, "name").rpartition(" ")
        named = {"FirstName": first, "LastName": last, "Email": person["email"], "Title": person["title"]}
        username = f"{len(self._made)}.{person['email']}"
        return self.twin.put("User", Username=username, IsActive=person["active"], ManagerId=above, **named)


def _account(twin: SalesforceTwin, record: Record, users: _Users) -> str:
    _, key, modified, fields = record
    manager = fields["manager_id"]
    return twin.put(
        "Account",
        AccountNumber=key,
        Name=fields["name"],
        OwnerId=users.of(text_of(fields, "owner_id"), str(manager) if manager else None),
        ARR__c=fields["arr"],
        CurrencyIsoCode=fields["arr_currency"],
        Health__c=health_of(fields).title() or None,
        Health_Score__c=score_of(fields),
        Health_As_Of__c=as_of(fields),
        Tier__c=fields["tier"],
        Renewal_Date__c=date.fromisoformat(text_of(fields, "renewal_on")),
        BillingCity=fields["city"],
        Language__c=fields["language"],
        Churn_Signals__c=fields["churn_signals"],
        Churned_On__c=date.fromisoformat(str(left)) if (left := fields.get("churned_on")) else None,
        SystemModstamp=modified,
        CreatedDate=modified,
    )


def _case(twin: SalesforceTwin, record: Record, ids: dict[str, str]) -> str:
    _, _, modified, fields = record
    is_open = fields["status"] == "Open"
    return twin.put(
        "Case",
        AccountId=ids[text_of(fields, "account_id")],
        ContactId=_contact(twin, fields),
        Subject=fields["subject"],
        Description=fields["text"],
        Type=fields["category"] or None,
        Priority=fields["priority"],
        Origin=text_of(fields, "channel").title(),
        Status="New" if is_open else "Closed",
        IsClosed=not is_open,
        Bug_Key__c=fields.get("bug_key"),
        CreatedDate=fields["opened_at"],
        ClosedDate=fields["closed_at"],
        SystemModstamp=modified,
    )


def _contact(twin: SalesforceTwin, fields: Any) -> str:
    first, _, last = text_of(fields, "reporter").rpartition(" ")
    return twin.put("Contact", FirstName=first, LastName=last, Title=fields["reporter_title"])


def _dispute(twin: SalesforceTwin, record: Record, ids: dict[str, str]) -> str:
    _, _, modified, fields = record
    return twin.put(
        "Dispute__c",
        Account__c=ids[text_of(fields, "account_id")],
        Amount__c=fields["amount"],
        CurrencyIsoCode=fields["currency"],
        Status__c=fields["status"],
        Reason__c=fields["reason"],
        CreatedDate=fields["opened_at"],
        SystemModstamp=modified,
    )
