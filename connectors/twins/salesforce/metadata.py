"""Metadata source as an administrator deploys it -> objects, fields and permissions of the org.

Reads the folders of an SFDX project: `objects/*/*.object-meta.xml`, `objects/*/fields/*.field-meta.xml` and
`permissionsets/*.permissionset-meta.xml`. Element names: "CustomField", "CustomObject" and "PermissionSet" of the
Metadata API Developer Guide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from connectors.twins.salesforce.schema import Field, Kind, May, Org, SObject
from connectors.twins.salesforce.standard import custom_object

_NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"
_KINDS = {
    "AutoNumber": Kind.STRING,
    "Checkbox": Kind.BOOLEAN,
    "Currency": Kind.CURRENCY,
    "Date": Kind.DATE,
    "DateTime": Kind.DATETIME,
    "Email": Kind.EMAIL,
    "Html": Kind.TEXTAREA,
    "LongTextArea": Kind.TEXTAREA,
    "Lookup": Kind.REFERENCE,
    "MasterDetail": Kind.REFERENCE,
    "MultiselectPicklist": Kind.MULTIPICKLIST,
    "Number": Kind.DOUBLE,
    "Percent": Kind.PERCENT,
    "Phone": Kind.PHONE,
    "Picklist": Kind.PICKLIST,
    "Text": Kind.STRING,
    "TextArea": Kind.TEXTAREA,
    "Url": Kind.URL,
}
_LENGTHS = {
    "Text": 255,
    "TextArea": 255,
    "Picklist": 255,
    "MultiselectPicklist": 4_099,
    "Lookup": 18,
    "MasterDetail": 18,
}
_ACTIVITY = {"Activity": "Task"}
"""Fields of an activity belong to tasks (and events, which nobody here has)."""
_PERMISSIONABLE = {
    "Account": "Type Industry AnnualRevenue NumberOfEmployees Phone Website BillingCity Description AccountNumber"
    " ParentId",
    "Case": "Subject Description Priority Type Reason Origin SuppliedName SuppliedEmail AccountId ContactId ParentId",
    "Contact": "Title Email Phone AccountId",
    "Task": "Description ActivityDate WhatId WhoId",
}
"""Standard fields that need a permission as custom ones do."""


def deploy(org: Org, folders: Iterable[Path]) -> None:
    """Add what the folders hold to the org. Nobody may see the fields yet: see `grant`."""
    found = sorted(each for folder in folders for each in folder.rglob("objects/*") if each.is_dir())
    prefix = 0
    for each in found:
        name = _ACTIVITY.get(each.name, each.name)
        fields = [_field(path) for path in sorted(each.glob("fields/*.field-meta.xml"))]
        if org.objects.get(name.lower()) is None:
            owned = not any(known.required and known.kind is Kind.REFERENCE for known in fields)
            org.add(_named(custom_object(name, f"a0{prefix}", *fields, owned=owned), each))
            prefix += 1
        else:
            org.add_fields(name, *fields)


def grant(org: Org, folders: Iterable[Path], permission_sets: Sequence[str]) -> None:
    """The integration user has these permission sets and nothing else."""
    files = [path for folder in folders for path in folder.rglob("permissionsets/*.permissionset-meta.xml")]
    trees = [_tree(path) for path in files if path.name.split(".")[0] in permission_sets]
    readable, editable = _field_permissions(trees)
    for of in org.objects.values():
        for name, known in of.fields.items():
            if not _needs_permission(of, known):
                continue
            if (of.name.lower(), name) not in readable:
                org.hidden.add((of.name.lower(), name))
            if (of.name.lower(), name) not in editable:
                org.read_only.add((of.name.lower(), name))
    org.permissions |= _object_permissions(trees)
    org.withheld |= {name for name in org.objects if name not in org.permissions and name not in _OPEN}


_OPEN = frozenset({"user", "group", "task", "casecomment"})
"""Objects whose records follow other permissions."""


def _field_permissions(trees: Iterable[ET.Element]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    readable: set[tuple[str, str]] = set()
    editable: set[tuple[str, str]] = set()
    for each in (found for tree in trees for found in tree.iter(f"{_NAMESPACE}fieldPermissions")):
        of, _, name = _text(each, "field").partition(".")
        place = (_ACTIVITY.get(of, of).lower(), name.lower())
        if _text(each, "readable") == "true":
            readable.add(place)
        if _text(each, "editable") == "true":
            editable.add(place)
    return readable, editable


def _object_permissions(trees: Iterable[ET.Element]) -> dict[str, May]:
    found: dict[str, May] = {}
    for each in (one for tree in trees for one in tree.iter(f"{_NAMESPACE}objectPermissions")):
        if _text(each, "allowRead") == "true":
            create, edit, delete = (_text(each, f"allow{name}") == "true" for name in ("Create", "Edit", "Delete"))
            name = _text(each, "object").lower()
            known = found.get(name, May(create=False, edit=False, delete=False))
            found[name] = May(known.create or create, known.edit or edit, known.delete or delete)
    return found


def _needs_permission(of: SObject, known: Field) -> bool:
    if known.required:
        return False
    return known.custom or known.name in _PERMISSIONABLE.get(of.name, "").split()


def _named(made: SObject, folder: Path) -> SObject:
    """The label, and the Name field: text that must be given, or a number that counts itself."""
    tree = _tree(folder / f"{folder.name}.object-meta.xml")
    made.label = _text(tree, "label")
    name_field = tree.find(f"{_NAMESPACE}nameField")
    if name_field is not None and _text(name_field, "type") == "Text":
        made.add([Field("Name", label=_text(name_field, "label"), length=80, required=True)])
    return made


def _field(path: Path) -> Field:
    tree = _tree(path)
    name, kind = _text(tree, "fullName"), _text(tree, "type")
    values = tuple(_text(each, "fullName") for each in tree.iter(f"{_NAMESPACE}value"))
    master = kind == "MasterDetail"
    return Field(
        name,
        _KINDS[kind],
        _text(tree, "label"),
        length=int(_text(tree, "length") or _LENGTHS.get(kind, 255)),
        precision=int(_text(tree, "precision") or 18),
        scale=int(_text(tree, "scale") or 0),
        values=values,
        restricted=next((each.text == "true" for each in tree.iter(f"{_NAMESPACE}restricted")), False),
        required=master or _text(tree, "required") == "true",
        unique=_text(tree, "unique") == "true",
        external_id=_text(tree, "externalId") == "true",
        case_sensitive=_text(tree, "caseSensitive") == "true",
        parents=tuple(each.text or "" for each in tree.findall(f"{_NAMESPACE}referenceTo")),
        relationship=f"{name.removesuffix('__c')}__r" if kind in ("Lookup", "MasterDetail") else "",
        calculated=tree.find(f"{_NAMESPACE}formula") is not None,
        once=master and _text(tree, "reparentableMasterDetail") != "true",
        default={"true": True, "false": False}.get(_text(tree, "defaultValue")),
    )


def _tree(path: Path) -> ET.Element:
    return ET.parse(path).getroot()  # noqa: S314 - our own deployment source


def _text(tree: ET.Element, name: str) -> str:
    return (tree.findtext(f"{_NAMESPACE}{name}") or "").strip()
