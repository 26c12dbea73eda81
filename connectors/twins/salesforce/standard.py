"""The standard objects that an escalation touches, as the Object Reference describes them: a part of each, no more."""

from __future__ import annotations

from connectors.twins.salesforce.schema import Field, Kind, Org, SObject

_SYSTEM = (
    Field("Id", Kind.ID, "Record ID", 18, writable=False),
    Field("IsDeleted", Kind.BOOLEAN, "Deleted", writable=False, default=False),
    Field("CreatedDate", Kind.DATETIME, "Created Date", writable=False),
    Field(
        "CreatedById", Kind.REFERENCE, "Created By ID", 18, parents=("User",), relationship="CreatedBy", writable=False
    ),
    Field("LastModifiedDate", Kind.DATETIME, "Last Modified Date", writable=False),
    Field(
        "LastModifiedById",
        Kind.REFERENCE,
        "Last Modified By ID",
        18,
        parents=("User",),
        relationship="LastModifiedBy",
        writable=False,
    ),
    Field("SystemModstamp", Kind.DATETIME, "System Modstamp", writable=False),
)
_OWNER = Field("OwnerId", Kind.REFERENCE, "Owner ID", 18, parents=("User",), relationship="Owner")
_CASE_OWNER = Field("OwnerId", Kind.REFERENCE, "Owner ID", 18, parents=("Group", "User"), relationship="Owner")


def _parent(name: str, to: str, relationship: str, *, once: bool = False) -> Field:
    return Field(name, Kind.REFERENCE, f"{to} ID", 18, parents=(to,), relationship=relationship, once=once)


def _object(name: str, prefix: str, *fields: Field) -> SObject:
    made = SObject(name, prefix, name)
    made.add((*_SYSTEM, *fields))
    return made


def _account() -> SObject:
    return _object(
        *("Account", "001"),
        Field("Name", label="Account Name", length=255, required=True),
        Field(
            "Type",
            Kind.PICKLIST,
            "Account Type",
            values=("Prospect", "Customer - Direct", "Customer - Channel", "Other"),
        ),
        Field("Industry", Kind.PICKLIST, values=("Banking", "Manufacturing", "Retail", "Technology", "Other")),
        Field("AnnualRevenue", Kind.CURRENCY, "Annual Revenue", precision=18, scale=0),
        Field("NumberOfEmployees", Kind.INT, "Employees", precision=8, scale=0),
        Field("Phone", Kind.PHONE, "Account Phone", 40),
        Field("Website", Kind.URL, length=255),
        Field("BillingCity", label="Billing City", length=40),
        Field("Description", Kind.TEXTAREA, "Account Description", 32_000),
        Field("AccountNumber", label="Account Number", length=40),
        _parent("ParentId", "Account", "Parent"),
        _parent("MasterRecordId", "Account", "MasterRecord", once=True),
        _OWNER,
    )


def _case() -> SObject:
    statuses = ("New", "Working", "Escalated", "Closed")
    return _object(
        *("Case", "500"),
        Field("CaseNumber", label="Case Number", length=30, auto_number="{0:08d}"),
        Field("Subject", length=255),
        Field("Description", Kind.TEXTAREA, length=32_000),
        Field("Status", Kind.PICKLIST, values=statuses, default="New"),
        Field("Priority", Kind.PICKLIST, values=("High", "Medium", "Low"), default="Medium"),
        Field("Type", Kind.PICKLIST, "Case Type", values=("Question", "Problem", "Feature Request")),
        Field("Reason", Kind.PICKLIST, "Case Reason", values=("Installation", "Performance", "Billing", "Other")),
        Field("Origin", Kind.PICKLIST, "Case Origin", values=("Phone", "Email", "Web")),
        Field("SuppliedName", label="Web Name", length=80),
        Field("SuppliedEmail", Kind.EMAIL, "Web Email", 80),
        Field("IsClosed", Kind.BOOLEAN, "Closed", writable=False, default=False),
        Field("IsEscalated", Kind.BOOLEAN, "Escalated", default=False),
        Field("ClosedDate", Kind.DATETIME, "Closed Date", writable=False),
        _parent("AccountId", "Account", "Account"),
        _parent("ContactId", "Contact", "Contact"),
        _parent("ParentId", "Case", "Parent"),
        _CASE_OWNER,
    )


def _contact() -> SObject:
    return _object(
        *("Contact", "003"),
        Field("Name", label="Full Name", length=121, writable=False),
        Field("FirstName", label="First Name", length=40),
        Field("LastName", label="Last Name", length=80, required=True),
        Field("Title", length=128),
        Field("Email", Kind.EMAIL, length=80),
        Field("Phone", Kind.PHONE, length=40),
        _parent("AccountId", "Account", "Account"),
        _OWNER,
    )


def _user() -> SObject:
    return _object(
        *("User", "005"),
        Field("Username", length=80, required=True),
        Field("Name", label="Full Name", length=121, writable=False),
        Field("FirstName", label="First Name", length=40),
        Field("LastName", label="Last Name", length=80, required=True),
        Field("Email", Kind.EMAIL, length=128),
        Field("Title", length=80),
        Field("IsActive", Kind.BOOLEAN, "Active", default=True),
        _parent("ManagerId", "User", "Manager"),
    )


def _task() -> SObject:
    return _object(
        *("Task", "00T"),
        Field("Subject", length=255),
        Field("Description", Kind.TEXTAREA, "Comments", 32_000),
        Field("ActivityDate", Kind.DATE, "Due Date Only"),
        Field(
            "Status",
            Kind.PICKLIST,
            values=("Not Started", "In Progress", "Completed", "Deferred"),
            default="Not Started",
        ),
        Field("Priority", Kind.PICKLIST, values=("High", "Normal", "Low"), default="Normal"),
        Field("IsReminderSet", Kind.BOOLEAN, "Reminder Set", default=False),
        Field("ReminderDateTime", Kind.DATETIME, "Reminder Date/Time"),
        Field("IsClosed", Kind.BOOLEAN, "Closed", writable=False, default=False),
        Field(
            "AccountId", Kind.REFERENCE, "Account ID", 18, parents=("Account",), relationship="Account", writable=False
        ),
        Field("WhatId", Kind.REFERENCE, "Related To ID", 18, parents=("Account", "Case"), relationship="What"),
        _parent("WhoId", "Contact", "Who"),
        _CASE_OWNER,
    )


def _comment() -> SObject:
    return _object(
        *("CaseComment", "00a"),
        Field("CommentBody", Kind.TEXTAREA, "Body", 4_000),
        Field("IsPublished", Kind.BOOLEAN, "Published", default=False),
        Field(
            "ParentId",
            Kind.REFERENCE,
            "Parent ID",
            18,
            parents=("Case",),
            relationship="Parent",
            required=True,
            once=True,
        ),
    )


def _group() -> SObject:
    types = Field("Type", Kind.PICKLIST, values=("Regular", "Queue"), default="Queue")
    return _object("Group", "00G", Field("Name", length=40, required=True), Field("Email", Kind.EMAIL), types)


def standard_org() -> Org:
    """A fresh org without anything added to it."""
    org = Org()
    org.add(_account(), _case(), _contact(), _user(), _task(), _comment(), _group())
    return org


def custom_object(name: str, prefix: str, *fields: Field, owned: bool = True) -> SObject:
    """An object that somebody added; `owned` is false for the detail side of a master-detail."""
    known = {each.name for each in fields}
    name_field = () if "Name" in known else (Field("Name", length=80, auto_number="R-{0:05d}"),)
    return _object(name, prefix, *name_field, *((_CASE_OWNER,) if owned else ()), *fields)
