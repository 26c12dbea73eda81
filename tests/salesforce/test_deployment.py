"""deploy/salesforce against the metadata WSDL that simple-salesforce ships, and against what the worker needs."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest
import simple_salesforce
from lxml import etree

from connectors.crm.salesforce import Options
from tests.salesforce.stub import ROOT, SOURCES
from worker.core.model import Level, Status, Wish
from worker.mapping import CrmMapping

FOLDER = ROOT / "deploy/salesforce"
FILES = sorted(FOLDER.rglob("*-meta.xml"))
XSD = "{http://www.w3.org/2001/XMLSchema}"
META = "{http://soap.sforce.com/2006/04/metadata}"


class Wsdl:
    """The types of the Metadata API."""

    def __init__(self) -> None:
        path = Path(simple_salesforce.__file__).parent / "metadata.wsdl"
        tree = etree.parse(str(path))
        self.complex = {each.get("name"): each for each in tree.iter(f"{XSD}complexType")}
        self.enumerated = {
            each.get("name"): {value.get("value") for value in each.iter(f"{XSD}enumeration")}
            for each in tree.iter(f"{XSD}simpleType")
        }

    def elements(self, name: str) -> dict[str, tuple[str, bool]]:
        """Element name to its type and whether it must be there, those of the base type first."""
        node = self.complex[name]
        base = node.find(f".//{XSD}extension")
        found = self.elements(base.get("base").removeprefix("tns:")) if base is not None else {}
        for each in node.iter(f"{XSD}element"):
            found[each.get("name")] = (each.get("type"), each.get("minOccurs") != "0")
        return found

    def faults(self, node: etree._Element, name: str, at: str) -> list[str]:
        known = self.elements(name)
        present = [etree.QName(child).localname for child in node]
        found = [f"{at}: no element {each} in {name}" for each in present if each not in known]
        found += [
            f"{at}: {each} is missing"
            for each, (_, must) in known.items()
            if must and each not in present and each != "fullName"
        ]
        for child in node:
            kind = known.get(etree.QName(child).localname, ("", False))[0].removeprefix("tns:")
            found += self.value_faults(child, kind, f"{at}/{etree.QName(child).localname}")
        return found

    def value_faults(self, node: etree._Element, kind: str, at: str) -> list[str]:
        text = (node.text or "").strip()
        if kind in self.complex:
            return self.faults(node, kind, at)
        if self.enumerated.get(kind) and text not in self.enumerated[kind]:
            return [f"{at}: {text!r} is none of {kind}"]
        if kind == "xsd:boolean" and text not in ("true", "false"):
            return [f"{at}: {text!r} is neither true nor false"]
        return [f"{at}: {text!r} is not a number"] if kind == "xsd:int" and not text.isdigit() else []


@cache
def wsdl() -> Wsdl:
    return Wsdl()


def faults(content: bytes, at: str = "file") -> list[str]:
    root = etree.fromstring(content)
    return wsdl().faults(root, etree.QName(root).localname, at)


def root_of(path: str) -> etree._Element:
    return etree.fromstring((FOLDER / path).read_bytes())


def texts(root: etree._Element, path: str) -> list[str]:
    return [each.text for each in root.findall("/".join(f"{META}{step}" for step in path.split("/")))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_element_and_value_is_one_that_the_metadata_api_knows(path: Path) -> None:
    assert faults(path.read_bytes(), path.name) == []


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (b"<type>Text</type>", b"<type>Txt</type>", "Txt"),
        (b"<unique>", b"<uniq>", "uniq"),
        (b"<length>64", b"<length>sixty", "sixty"),
        (b"<unique>true", b"<unique>yes", "yes"),
    ],
)
def test_the_check_finds_what_is_wrong(old: bytes, new: bytes, named: str) -> None:
    good = (FOLDER / "force-app/main/default/objects/Escalation__c/fields/Key__c.field-meta.xml").read_bytes()
    spoilt = good.replace(old, new).replace(b"</unique>", b"</uniq>" if new == b"<uniq>" else b"</unique>")

    assert named in " ".join(faults(spoilt))


def test_file_and_full_name_agree() -> None:
    for path in FILES:
        names = texts(etree.fromstring(path.read_bytes()), "fullName")

        assert not names or path.name.startswith(f"{names[0]}."), path


def deployed() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for source in SOURCES:
        for path in source.glob("main/default/objects/*/fields/*.field-meta.xml"):
            found.setdefault(path.parent.parent.name, set()).add(path.name.partition(".")[0])
    return found


def test_every_custom_field_of_the_mapping_is_deployed(mapping: CrmMapping) -> None:
    known = deployed()
    needed = {(each.object_name, each.field_name) for each in mapping.needs() if each.field_name.endswith("__c")}

    assert {f"{name}.{field}" for name, field in needed if field not in known.get(name, set())} == set()


def test_the_flag_and_its_copy_have_the_same_fields(mapping: CrmMapping) -> None:
    flag = {each.field_name for each in mapping.needs() if each.write}

    assert flag <= deployed()["Escalation__c"]


def test_the_picklists_have_every_word_that_is_written_or_read() -> None:
    fields = "force-app/main/default/objects/Account/fields"
    value = "valueSet/valueSetDefinition/value/fullName"

    assert texts(root_of(f"{fields}/Escalation_Level__c.field-meta.xml"), value) == [str(each) for each in Level]
    assert set(texts(root_of(f"{fields}/Escalation_Status__c.field-meta.xml"), value)) == {
        each.value for each in Status
    }
    words = {each.value for each in Wish} - {Wish.NONE.value}
    assert set(texts(root_of(f"{fields}/Escalation_Override__c.field-meta.xml"), value)) == words


def permissions(path: str) -> dict[str, bool]:
    root = root_of(path)
    fields, editable = texts(root, "fieldPermissions/field"), texts(root, "fieldPermissions/editable")
    return {field: edit == "true" for field, edit in zip(fields, editable, strict=True)}


def required(name: str, field: str) -> bool:
    """Required and master-detail fields may not stand in a permission set: everybody has them."""
    path = next(FOLDER.glob(f"*/main/default/objects/{name}/fields/{field}.field-meta.xml"))
    root = etree.fromstring(path.read_bytes())
    return "true" in texts(root, "required") or "MasterDetail" in texts(root, "type")


def test_the_worker_may_write_the_flag_and_only_read_what_people_write(mapping: CrmMapping) -> None:
    sets = (
        "force-app/main/default/permissionsets/Escalation_Worker",
        "customer-success/main/default/permissionsets/Escalation_Worker_Customer_Success",
    )
    own, more = (permissions(f"{each}.permissionset-meta.xml") for each in sets)
    granted = own | more
    for each in mapping.needs():
        subject = f"{each.object_name}.{each.field_name}"
        if each.field_name.endswith("__c") and not required(each.object_name, each.field_name):
            assert granted[subject] is each.write, subject
    viewer = permissions("force-app/main/default/permissionsets/Escalation_Viewer.permissionset-meta.xml")
    for field, editable in own.items():
        name, _, custom = field.partition(".")
        if name == "Account" and custom.endswith("__c"):
            assert viewer[field] is not editable, field


def test_no_permission_is_given_for_a_field_that_everybody_has_or_nobody_made() -> None:
    known = deployed()
    for path in FOLDER.glob("*/main/default/permissionsets/*.xml"):
        for field in permissions(str(path.relative_to(FOLDER))):
            name, _, custom = field.partition(".")
            owner = "Activity" if name == "Task" else name
            if custom.endswith("__c"):
                assert custom in known[owner], field
                assert not required(owner, custom), field


def test_the_worker_is_no_administrator() -> None:
    for path in FOLDER.glob("*/main/default/permissionsets/*.xml"):
        root = etree.fromstring(path.read_bytes())

        assert set(texts(root, "userPermissions/name")) <= {"ApiEnabled", "EditTask"}
        assert set(texts(root, "objectPermissions/modifyAllRecords")) <= {"false"}
        assert set(texts(root, "objectPermissions/allowDelete")) <= {"false"}
        assert texts(root, "license") == []  # one bound to the integration licence cannot grant standard objects


def test_layouts_are_never_deployed_by_default() -> None:
    """A layout that is deployed replaces the org's own."""
    for source in SOURCES:
        assert list(source.rglob("*.layout-meta.xml")) == []
        assert list(source.rglob("*.flexipage-meta.xml")) == []


def test_every_option_stands_in_the_readme() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert [
        each.name for each in fields(Options) if f"`{each.name}`" not in readme and f"{each.name}:" not in readme
    ] == []


def test_the_readmes_commands_name_what_is_there() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"--source-dir (\S+)", readme))
    sets = set(re.findall(r"--name (\S+)", readme))

    assert named == {each.name for each in SOURCES}
    assert sets <= {path.name.partition(".")[0] for path in FOLDER.rglob("*.permissionset-meta.xml")}
