"""Creating, updating, upserting and deleting records, refused where Salesforce refuses.

Sources: "sObject Rows", "sObject Rows by External ID" and "Status Codes and Error Responses" of the REST API Developer
Guide; codes and their words as Salesforce's own clients and their users report them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.twins.salesforce.errors import RefusedError, not_found
from connectors.twins.salesforce.ids import whole
from connectors.twins.salesforce.schema import Field, Kind, Org, SObject
from connectors.twins.salesforce.store import Store, Values
from connectors.twins.salesforce.values import taken


@dataclass(slots=True)
class Refusal:
    """An order to refuse writes: of one record, or of those whose written values show `when`."""

    code: str
    message: str
    record_id: str = ""
    when: Callable[[Values], bool] | None = None
    times: int = 1

    def concerns(self, record_id: str, values: Values) -> bool:
        """Whether this write is meant; counts it."""
        meant = self.times > 0 and (not self.record_id or self.record_id == record_id)
        meant = meant and (self.when is None or self.when(values))
        self.times -= meant
        return meant


class Writer:
    """Writes for the integration user."""

    def __init__(self, org: Org, store: Store, user_id: str) -> None:
        self.org, self.store, self.user_id = org, store, user_id
        self.refusals: list[Refusal] = []

    def create(self, of: SObject, body: Mapping[str, Any]) -> str:
        """Add one record; returns its id."""
        self._permit(of, self.org.may(of).create)
        values = self._checked(of, body, creating=True)
        missing = [each.name for each in of.fields.values() if _missing(each, values)]
        if missing:
            raise RefusedError(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing
            )
        if "ownerid" in of.fields and not values.get("ownerid"):
            values["ownerid"] = self.user_id
        if "currencyisocode" in of.fields and not values.get("currencyisocode"):
            values["currencyisocode"] = self.org.currency
        self._refuse(of, "", values, values)
        self._unique(of, "", values)
        return self.store.insert(of, _derived(of, values), self.user_id)

    def update(self, of: SObject, record_id: str, body: Mapping[str, Any]) -> str:
        """Change one record."""
        self._permit(of, self.org.may(of).edit)
        row = self.present(of, record_id)
        values = self._checked(of, body, creating=False)
        emptied = [of.fields[name].name for name, value in values.items() if value is None and of.fields[name].required]
        if emptied:
            raise RefusedError(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(emptied)}]", emptied
            )
        self._refuse(of, row["id"], values, {**row, **values})
        self._unique(of, row["id"], values)
        self.store.update(row["id"], _derived(of, values), self.user_id)
        return str(row["id"])

    def upsert(self, of: SObject, key: Field, value: str, body: Mapping[str, Any]) -> tuple[str, bool]:
        """Create or update by an external id; whether it was created. More than one match is 300."""
        if any(name.lower() in (key.name.lower(), "id") for name in body):
            told = f"The {key.name} field should not be specified in the sobject data."
            raise RefusedError("INVALID_FIELD", told, [key.name])
        found = self.store.with_key(of, key, value)
        if len(found) > 1:
            raise RefusedError("MULTIPLE_CHOICES", " ".join(found), status=300)
        if found:
            return self.update(of, found[0], body), False
        return self.create(of, {**body, key.name: value}), True

    def delete(self, of: SObject, record_id: str) -> None:
        """Put one record into the recycle bin."""
        self._permit(of, self.org.may(of).delete)
        row = self.present(of, record_id)
        self._refuse(of, row["id"], {}, row)
        self.store.update(row["id"], {"isdeleted": True}, self.user_id)

    def present(self, of: SObject, record_id: str) -> Values:
        """A record that is there and not deleted."""
        try:
            wanted = whole(record_id)
        except ValueError:
            raise not_found(f"Provided external ID field does not exist or is not accessible: {record_id}") from None
        row = self.store.rows.get(wanted)
        if row is None or row.of is not of:
            if wanted[:3] != of.prefix:
                told = f"{of.label or of.name} ID: id value of incorrect type: {record_id}"
                raise RefusedError("MALFORMED_ID", told, ["Id"])
            raise not_found()
        if row.newest["isdeleted"]:
            raise RefusedError("ENTITY_IS_DELETED", "entity is deleted", [], status=404)
        return row.newest

    def _permit(self, of: SObject, allowed: bool) -> None:
        if not allowed:
            told = f"insufficient access rights on object id: the user may not do this with {of.name}"
            raise RefusedError("INSUFFICIENT_ACCESS_OR_READONLY", told, [])

    def _checked(self, of: SObject, body: Mapping[str, Any], *, creating: bool) -> Values:
        values: Values = {}
        for name, value in body.items():
            if name.lower() == "attributes":
                continue
            known, given = self._known(of, name, value)
            if not self.org.writable(of, known) or (known.once and not creating):
                raise _not_writable(known)
            values[known.name.lower()] = self._reference(known, taken(known, given))
        return values

    def _known(self, of: SObject, name: str, value: Any) -> tuple[Field, Any]:
        """The field of a name; a parent may be named by its relationship and an external id of its own."""
        known = self.org.field(of, name)
        if known is not None:
            return known, value
        parent = of.by_relationship(name)
        if parent is None or not isinstance(value, dict) or self.org.field(of, parent.name) is None:
            raise RefusedError("INVALID_FIELD", f"No such column '{name}' on sobject of type {of.name}")
        return parent, self._parent(parent, value)

    def _parent(self, reference: Field, given: Mapping[str, Any]) -> str:
        to = self.org.objects[reference.parents[0].lower()]
        keys = [(name, value) for name, value in given.items() if name.lower() != "attributes"]
        known = self.org.field(to, keys[0][0]) if len(keys) == 1 else None
        if known is None or not (known.external_id or known.kind is Kind.ID):
            told = f"Foreign key external ID: {given} not found for field {reference.name} in entity {to.name}"
            raise RefusedError("INVALID_FIELD", told)
        found = self.store.with_key(to, known, keys[0][1]) if known.external_id else [str(keys[0][1])]
        if len(found) != 1:
            told = f"Foreign key external ID: {keys[0][1]} not found for field {known.name} in entity {to.name}"
            raise RefusedError("INVALID_FIELD", told, [known.name])
        return found[0]

    def _reference(self, known: Field, value: Any) -> Any:
        if known.kind is not Kind.REFERENCE or value is None:
            return value
        if value[:3] not in {self.org.objects[each.lower()].prefix for each in known.parents}:
            told = f"{known.label or known.name}: id value of incorrect type: {value}"
            raise RefusedError("MALFORMED_ID", told, [known.name])
        row = self.store.rows.get(value)
        if row is None:
            raise RefusedError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [])
        if row.newest["isdeleted"]:
            raise RefusedError("ENTITY_IS_DELETED", "entity is deleted", [])
        return value

    def _refuse(self, of: SObject, record_id: str, written: Values, result: Values) -> None:
        for order in self.refusals:
            if order.concerns(record_id, written):
                raise RefusedError(order.code, order.message, [])
        for rule in self.org.rules:
            if rule.object_name == of.name and rule.breaks(result):
                raise RefusedError("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, rule.fields)

    def _unique(self, of: SObject, record_id: str, values: Values) -> None:
        for name, value in values.items():
            known = of.fields[name]
            if not known.unique or value is None:
                continue
            for other in self.store.with_key(of, known, value):
                if other != record_id:
                    told = f"duplicate value found: {known.name} duplicates value on record with id: {other[:15]}"
                    raise RefusedError("DUPLICATE_VALUE", told, [])


def _missing(known: Field, values: Values) -> bool:
    return known.required and values.get(known.name.lower()) is None and known.settable


def _not_writable(known: Field) -> RefusedError:
    told = f"Unable to create/update fields: {known.name}. Please check the security settings of this field and verify"
    return RefusedError(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        f"{told} that it is read/write for your profile or permission set.",
        [known.name],
    )


def _derived(of: SObject, values: Values) -> Values:
    """What the vendor works out from what was written."""
    more: Values = {}
    if of.name in ("Contact", "User") and {"firstname", "lastname"} & set(values):
        more["name"] = " ".join(filter(None, (values.get("firstname"), values.get("lastname"))))
    if of.name in ("Case", "Task") and "status" in values:
        more["isclosed"] = values["status"] in ("Closed", "Completed")
    if of.name == "Task" and str(values.get("whatid", "")).startswith("001"):
        more["accountid"] = values["whatid"]
    return {**values, **more}
