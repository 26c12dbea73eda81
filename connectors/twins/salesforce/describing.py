"""What the org says of itself: global describe, describe of one object, limits, versions.

Sources: "sObject Describe", "Describe Global", "Limits" and "Versions" of the REST API Developer Guide.
"""

from __future__ import annotations

from typing import Any

from connectors.twins.salesforce.schema import NUMBERS, Field, Kind, Org, SObject

_SOAP = {
    Kind.ID: "tns:ID",
    Kind.REFERENCE: "tns:ID",
    Kind.BOOLEAN: "xsd:boolean",
    Kind.INT: "xsd:int",
    Kind.DATE: "xsd:date",
    Kind.DATETIME: "xsd:dateTime",
}


def described_field(org: Org, of: SObject, known: Field) -> dict[str, Any]:
    """One field, with what a client decides by."""
    writable = org.writable(of, known)
    number = known.kind in NUMBERS
    return {
        "name": known.name,
        "label": known.label or known.name,
        "type": str(known.kind),
        "soapType": _SOAP.get(known.kind, "xsd:double" if number else "xsd:string"),
        "length": 0 if number or known.kind in (Kind.BOOLEAN, Kind.DATE, Kind.DATETIME) else known.length,
        "precision": known.precision if number else 0,
        "scale": known.scale if number else 0,
        "digits": known.precision if known.kind is Kind.INT else 0,
        "custom": known.custom,
        "calculated": known.calculated,
        "autoNumber": bool(known.auto_number),
        "createable": writable,
        "updateable": writable and not known.once,
        "nillable": not known.required and known.kind is not Kind.BOOLEAN,
        "defaultedOnCreate": known.default is not None or known.name == "OwnerId",
        "unique": known.unique,
        "externalId": known.external_id,
        "idLookup": known.external_id or known.kind is Kind.ID,
        "caseSensitive": known.case_sensitive,
        "filterable": known.filterable,
        "sortable": known.filterable,
        "groupable": known.filterable and not number,
        "restrictedPicklist": known.restricted,
        "picklistValues": [
            {"active": True, "defaultValue": value == known.default, "label": value, "validFor": None, "value": value}
            for value in known.values
        ],
        "referenceTo": list(known.parents),
        "relationshipName": known.relationship or None,
        "permissionable": not known.required and known.kind is not Kind.ID,
        "deprecatedAndHidden": False,
    }


def summary(of: SObject, version: str) -> dict[str, Any]:
    """One object in the global describe."""
    base = f"/services/data/v{version}/sobjects/{of.name}"
    return {
        "name": of.name,
        "label": of.label or of.name,
        "labelPlural": f"{of.label or of.name}s",
        "keyPrefix": of.prefix,
        "custom": of.custom,
        "activateable": False,
        "createable": True,
        "updateable": True,
        "deletable": True,
        "undeletable": True,
        "mergeable": of.name in ("Account", "Contact", "Case"),
        "queryable": True,
        "retrieveable": True,
        "searchable": True,
        "replicateable": True,
        "deprecatedAndHidden": False,
        "urls": {"sobject": base, "describe": f"{base}/describe", "rowTemplate": f"{base}/{{ID}}"},
    }


def described(org: Org, of: SObject, version: str) -> dict[str, Any]:
    """One object with its fields, as far as the user may see them."""
    may = org.may(of)
    allowed = {"createable": may.create, "updateable": may.edit, "deletable": may.delete}
    fields = [described_field(org, of, each) for each in org.visible(of)]
    return summary(of, version) | allowed | {"fields": fields, "childRelationships": [], "recordTypeInfos": []}


def all_described(org: Org, version: str) -> dict[str, Any]:
    """All objects that the user may see."""
    seen = [summary(of, version) for name, of in org.objects.items() if name not in org.withheld]
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": seen}


def versions(numbers: range) -> list[dict[str, str]]:
    """All versions of the API, oldest first; this needs no session."""
    return [{"label": f"v{each}", "url": f"/services/data/v{each}.0", "version": f"{each}.0"} for each in numbers]
