"""`check` for Tryton: is it there, does it know us, has it the fields, may we, and is its clock ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from connectors.base import ConnectorError, FieldNeed, Finding, RetryableError, Severity
from connectors.crm.tryton import asking
from connectors.crm.tryton.rest import Answer, Rest

_SERIES = "8.0"
_MODULE = "escalation"
_SKEW = timedelta(minutes=2)
_INSTALL = "install and activate the module: deploy/tryton/README.md"
_OWN = frozenset({"id", "create_date", "write_date"})


class Checker:
    """Looks at one database, reading only."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def findings(self, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
        """What was found; what cannot be asked is a finding as well."""
        try:
            return list(self._all(needs))
        except ConnectorError as error:
            return [Finding(Severity.ERROR, self._rest.url, str(error), error.remedy)]

    def _all(self, needs: Sequence[FieldNeed]) -> Iterator[Finding]:
        yield self._version()
        module = self._rest.get("ir.module", asking.parameters(["state"], [["name", "=", _MODULE]], ("id",), 1))
        yield self._clock(module)
        if not _is_activated(module):
            yield Finding(Severity.ERROR, f"module {_MODULE}", "is not activated in this database", _INSTALL)
            return
        yield Finding(Severity.OK, f"module {_MODULE}", "activated")
        yield from self._rights()
        yield from self._fields(needs)
        yield from self._hidden(needs)

    def _version(self) -> Finding:
        series = self._rest.server_version()
        if series == _SERIES:
            return Finding(Severity.OK, self._rest.url, f"Tryton {series} answers")
        detail = f"says that it is Tryton {series or '(nothing)'}; this connector was tested with {_SERIES}"
        return Finding(Severity.WARNING, self._rest.url, detail, "try it on a copy first")

    def _clock(self, answer: Answer) -> Finding:
        if answer.at is None:
            detail = "the server tells no time: the cursor cannot move, so that each cycle reads everything"
            return Finding(Severity.ERROR, "clock", detail, "let the Date header through the proxy")
        skew = abs(datetime.now(UTC) - answer.at)
        if skew <= _SKEW:
            return Finding(Severity.OK, "clock", f"differs from ours by {skew.total_seconds():.0f} s")
        detail = f"differs from ours by {skew.total_seconds():.0f} s: due times are shown by the wrong clock"
        return Finding(Severity.WARNING, "clock", detail, "set both by NTP")

    def _rights(self) -> Iterator[Finding]:
        answer = self._rest.post("party.party/escalation_rights", {})
        self._rest.refuse_for_all(answer)
        rights = answer.body if isinstance(answer.body, dict) else {}
        user = f"user {rights.get('user', '?')}"
        if rights.get("may_escalate"):
            yield Finding(Severity.OK, user, "may set the flag, add notes and tasks")
        else:
            yield Finding(
                Severity.ERROR, user, "may not set the flag", "put the user into the group 'Escalation Worker'"
            )
        if rights.get("companies"):
            yield Finding(Severity.OK, user, f"sees the complaints of {len(rights['companies'])} companies")
        else:
            remedy = "add the companies to the user, and set its company filter to all"
            yield Finding(Severity.ERROR, user, "has no company and therefore sees no complaint", remedy)

    def _fields(self, needs: Sequence[FieldNeed]) -> Iterator[Finding]:
        known: dict[str, Mapping[str, str]] = {}
        for need in needs:
            yield self._field(need, known)

    def _field(self, need: FieldNeed, known: dict[str, Mapping[str, str]]) -> Finding:
        name, model = f"{need.object_name}.{need.field_name}", need.object_name
        for step in need.field_name.split("."):
            if model not in known:
                known[model] = self._fields_of(model)
            if step not in known[model]:
                severity = Severity.ERROR if need.required or need.write else Severity.WARNING
                detail = f"{model} has no field {step}; {need.core_name} needs it"
                return Finding(severity, name, detail, f"correct the mapping, or {_INSTALL}")
            model = known[model][step]
        return Finding(Severity.OK, name, f"there, for {need.core_name}")

    def _fields_of(self, model: str) -> Mapping[str, str]:
        """A model's fields, each with the model that it leads to."""
        if not model:
            return {}
        domain: asking.Domain = [["model", "=", model]]
        answer = self._rest.get("ir.model.field", asking.parameters(["name", "relation"], domain, ("id",), 2000))
        if not answer.ok or not isinstance(answer.body, list):
            raise RetryableError(f"Tryton does not tell the fields of {model}: {answer.status} {answer.said}")
        told = {str(each["name"]): str(each.get("relation") or "") for each in answer.body}
        return {**dict.fromkeys(_OWN, ""), **told} if told else {}

    def _hidden(self, needs: Sequence[FieldNeed]) -> Iterator[Finding]:
        """Fields that Tryton leaves out of a record because the user may not read them."""
        wanted: dict[str, list[FieldNeed]] = defaultdict(list)
        for need in needs:
            wanted[need.object_name].append(need)
        for model, its in wanted.items():
            answer = self._rest.get(model, asking.parameters([each.field_name for each in its], [], ("id",), 1))
            records = answer.body if isinstance(answer.body, list) else []
            if not answer.ok:
                yield Finding(Severity.ERROR, model, f"cannot be read: {answer.status} {answer.said}", _INSTALL)
            for each in its if records else ():
                if each.field_name.partition(".")[0] not in records[0]:
                    remedy = "give the group 'Escalation Worker' the right to read it"
                    yield Finding(
                        Severity.ERROR if each.required else Severity.WARNING,
                        f"{model}.{each.field_name}",
                        f"is hidden from the key's user; {each.core_name} needs it",
                        remedy,
                    )


def _is_activated(answer: Answer) -> bool:
    body = answer.body
    return isinstance(body, list) and bool(body) and body[0].get("state") in ("activated", "to upgrade")
