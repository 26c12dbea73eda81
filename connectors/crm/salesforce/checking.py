"""What `check` looks at in an org, reading only: each finding names field, object, permission set and a remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from connectors.base import ConnectorError, FieldNeed, Finding, Severity
from connectors.crm.salesforce import soql
from connectors.crm.salesforce.asking import CURRENCY, REMEDY, hidden
from connectors.crm.salesforce.client import Client, reading
from connectors.crm.salesforce.credentials import ASSERTION_LIFE
from connectors.crm.salesforce.lookup import Lookup, looked_up
from connectors.crm.salesforce.options import Auth
from connectors.crm.salesforce.schema import Field, Schema

LEVELS = ("L1", "L2", "L3")
_DEPLOY = "an administrator runs: sf project deploy start --source-dir force-app (deploy/salesforce/README.md)"
_SKEW = timedelta(minutes=1)
_SHORT = Decimal("0.1")
_ASKED_FOR = frozenset({"health", "pr_risk", "wish", "flag_escalated"})
_CALCULATED = "is calculated: when it changes, the record's stamp does not move"


class Checker:
    """Looks at one org. Writes nothing."""

    def __init__(self, client: Client, schema: Schema) -> None:
        self._client, self._schema = client, schema

    def check(self, needs: Sequence[FieldNeed]) -> list[Finding]:
        """Everything that keeps the worker from reading or writing, and what it will not see."""
        try:
            found = [self._line(), *self._quota()]
        except ConnectorError as error:
            return [Finding(Severity.ERROR, self._client.options.host, str(error), error.remedy)]
        host = self._client.options.host
        found += _guarded(lambda: self._fields(needs), host, Severity.ERROR)
        found += _guarded(self._own_objects, host, Severity.ERROR)
        return found + _guarded(self._probes, host, Severity.WARNING)

    def _line(self) -> Finding:
        """Whether the worker may sign in, and how far its clock is from Salesforce's."""
        answer = reading(lambda: self._client.get("limits", "signing in"), "signing in")
        self._limits = answer.body
        options = self._client.options
        skew = abs(self._client.now() - answer.at)
        if skew <= _SKEW:
            return Finding(Severity.OK, options.host, f"signed in with {options.auth}, API {options.api_version}")
        refused = options.auth is Auth.JWT and skew >= ASSERTION_LIFE
        severity = Severity.ERROR if refused else Severity.WARNING
        return Finding(
            severity, "clock", f"this machine's clock is off by {skew.total_seconds():.0f} s", "set it (NTP)"
        )

    def _quota(self) -> Iterator[Finding]:
        limits = msgspec.json.decode(self._limits)
        daily = limits.get("DailyApiRequests") if isinstance(limits, dict) else None
        if (
            not isinstance(daily, dict)
            or not isinstance(daily.get("Max"), int)
            or not isinstance(daily.get("Remaining"), int)
        ):
            yield Finding(
                Severity.WARNING, "API calls", "the org does not say how many are left", "see Setup, API Usage"
            )
            return
        most, left = daily["Max"], daily["Remaining"]
        text = f"{left} of {most} calls of 24 hours are left"
        short = most and Decimal(left) / most < _SHORT
        remedy = "reading stops at 90 % and sweeps at 70 %: see Setup, API Usage, for who uses them" if short else ""
        yield Finding(Severity.WARNING if short else Severity.OK, "API calls", text, remedy)

    def _fields(self, needs: Sequence[FieldNeed]) -> Iterator[Finding]:
        for name in dict.fromkeys(need.object_name for need in needs):
            own = [need for need in needs if need.object_name == name]
            if self._schema.find(name) is None:
                needed = any(need.write for need in own)
                detail = f"the org has no object {name} that the worker may see; nothing of its kind is read"
                severity = Severity.ERROR if needed else Severity.WARNING
                yield Finding(severity, name, detail, f"deploy it, or correct or remove it in the mapping; {REMEDY}")
                continue
            for need in own:
                yield from self._field(need)

    def _field(self, need: FieldNeed) -> Iterator[Finding]:
        subject = f"{need.object_name}.{need.field_name}"
        field = self._schema.field(need.object_name, need.field_name)
        if field is None:
            yield self._missing(need, subject)
            return
        if need.write and not field.updateable:
            detail = f"may be read, not written; {need.core_name} is written"
            yield Finding(Severity.ERROR, subject, detail, f"make it editable; {REMEDY}")
            return
        if field.calculated:
            yield Finding(
                Severity.WARNING, subject, f"{_CALCULATED}; {_found_by(need)}", "nothing, or map a field that is stored"
            )
        if need.core_name in _ASKED_FOR and not field.filterable:
            detail = f"cannot be asked for: accounts are not found by their {need.core_name}, only when they change"
            yield Finding(Severity.WARNING, subject, detail, "map a field that reports can filter by")
        if need.core_name == "flag_level":
            yield from self._levels(subject, field)
        yield Finding(Severity.OK, subject, f"there, for {need.core_name}")

    def _missing(self, need: FieldNeed, subject: str) -> Finding:
        if need.field_name == CURRENCY:
            return Finding(Severity.OK, subject, "not there: the org has one currency, the mapping's `currency` counts")
        severity = Severity.ERROR if need.required or need.write else Severity.WARNING
        return Finding(
            severity, subject, f"{hidden(need.object_name, [need.field_name])}; for {need.core_name}", REMEDY
        )

    def _levels(self, subject: str, field: Field) -> Iterator[Finding]:
        absent = [level for level in LEVELS if level not in field.choices] if field.restricted_picklist else []
        if absent:
            detail = f"the picklist has no {', '.join(absent)}; it has {', '.join(field.choices) or 'nothing'}"
            yield Finding(Severity.ERROR, subject, detail, "add the values to the picklist, for every record type")

    def _own_objects(self) -> Iterator[Finding]:
        options = self._client.options
        for name in (options.escalation, options.note):
            yield self._keyed(name, options.key, unique=True)
        yield self._keyed("Task", options.task_key, unique=False)

    def _keyed(self, name: str, key: str, *, unique: bool) -> Finding:
        info = self._schema.find(name)
        if info is None or not info.createable:
            detail = "not there, or the worker may not create it"
            return Finding(Severity.ERROR if unique else Severity.WARNING, name, detail, f"{_DEPLOY}; {REMEDY}")
        field = info.fields.get(key)
        if field is None:
            severity = Severity.ERROR if unique else Severity.WARNING
            return Finding(severity, f"{name}.{key}", hidden(name, [key]), f"{_DEPLOY}; {REMEDY}")
        if unique and not (field.unique and field.external_id):
            detail = "is not a unique external id: a repeated note could not be told from a new one"
            return Finding(Severity.ERROR, f"{name}.{key}", detail, _DEPLOY)
        found = "the same key twice makes one record" if unique else "a task that is there is found by it"
        return Finding(Severity.OK, f"{name}.{key}", f"there: {found}")

    def _probes(self) -> Iterator[Finding]:
        """What Salesforce's documentation leaves open, looked at in this org."""
        for name in ("CaseComment", "EmailMessage"):
            if self._schema.field(name, "Parent.SystemModstamp") is not None:
                yield from self._silent(name)

    def _silent(self, name: str) -> Iterator[Finding]:
        """Whether what is written on a case moves its stamp."""
        since = f"CreatedDate > {soql.moment(self._client.now() - timedelta(days=30))}"
        text = soql.select(("CreatedDate", "Parent.SystemModstamp"), name, [since], ("CreatedDate DESC",))
        _, (rows,) = looked_up(self._client, [Lookup(f"{text} LIMIT 50")], f"looking at {name}")
        silent = [row for row in rows if _older(row.get("Parent"), row.get("CreatedDate"))]
        if silent:
            detail = f"{len(silent)} of the newest {len(rows)} did not move the stamp of their case"
            yield Finding(Severity.WARNING, name, detail, "what is said there only, the worker may see late")


def _older(parent: object, created: object) -> bool:
    stamp = parent.get("SystemModstamp") if isinstance(parent, dict) else None
    try:
        return datetime.fromisoformat(str(stamp)) < datetime.fromisoformat(str(created))
    except ValueError:
        return False


def _found_by(need: FieldNeed) -> str:
    if need.core_name == "health":
        return "the worker asks for accounts that are not green by their state"
    return "the worker sees it when the record changes, or with the daily sweep"


def _guarded(look: Callable[[], Iterator[Finding]], host: str, severity: Severity) -> list[Finding]:
    """One look that fails must not hide the others."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except ConnectorError as error:
        found.append(Finding(severity, host, str(error), error.remedy))
    return found


def to_deploy(findings: Sequence[Finding], host: str) -> list[Finding]:
    """What `setup` says: the worker's user may not change metadata, an administrator does."""
    lacking = [each for each in findings if each.severity is Severity.ERROR]
    if not lacking:
        return [Finding(Severity.OK, host, "has everything")]
    return [Finding(each.severity, each.subject, each.detail, f"{_DEPLOY}. {each.remedy}") for each in lacking]
