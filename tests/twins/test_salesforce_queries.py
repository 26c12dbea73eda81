"""The org's query language: what it finds, and what it refuses. Sources name pages of Salesforce's documentation."""

from datetime import timedelta
from decimal import Decimal

import pytest

from connectors.twins.salesforce import Field, Kind, SalesforceTwin

SELECT = "SOQL and SOSL Reference, SOQL SELECT Syntax"
WHERE = "SOQL and SOSL Reference, Condition Expression Syntax (WHERE Clause)"
DATES = "SOQL and SOSL Reference, Date Formats and Date Literals"
QUOTED = "SOQL and SOSL Reference, Quoted String Escape Sequences"
RELATIONS = "SOQL and SOSL Reference, Understanding Relationship Query Limitations"
ORDER = "SOQL and SOSL Reference, ORDER BY"
OFFSET = "SOQL and SOSL Reference, OFFSET"
LONG = "Object Reference, Field Types: textarea fields longer than 255 can't be filtered or sorted"
CURRENCY = "SOQL and SOSL Reference, Querying Currency Fields in Multi-currency Orgs"

REFUSED = [
    (SELECT, "SELECT Id Account", "TWIN_SUBSET", "alias"),
    (SELECT, "SELECT FROM Account", "MALFORMED_QUERY", "unexpected token: 'FROM'"),
    (SELECT, "SELECT Id, FROM Account", "MALFORMED_QUERY", "unexpected token: 'FROM'"),
    (SELECT, "SELECT Id FROM", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
    (SELECT, "SELECT * FROM Account", "MALFORMED_QUERY", "unexpected token: '*'"),
    (SELECT, "SELECT Id FROM Account LIMIT ten", "MALFORMED_QUERY", "unexpected token: 'ten'"),
    (SELECT, "SELECT Id FROM Account; DROP", "MALFORMED_QUERY", "unexpected token: ';'"),
    (SELECT, "SELECT Name, Name FROM Account", "INVALID_FIELD", "duplicate field selected"),
    (SELECT, "SELECT Colour__c FROM Account", "INVALID_FIELD", "No such column 'Colour__c' on entity 'Account'"),
    (SELECT, "SELECT Id FROM Colour__c", "INVALID_TYPE", "sObject type 'Colour__c' is not supported"),
    (WHERE, "SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
    (WHERE, "SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "MALFORMED_QUERY", "token: 'OR'"),
    (WHERE, "SELECT Id FROM Account WHERE Name = 'a' AND NOT Name = 'b'", "MALFORMED_QUERY", "token: 'NOT'"),
    (WHERE, "SELECT Id FROM Account WHERE Name == 'a'", "MALFORMED_QUERY", "unexpected token: '='"),
    (WHERE, "SELECT Id FROM Account WHERE Name = :name", "MALFORMED_QUERY", "unexpected token: ':'"),
    (WHERE, "SELECT Id FROM Account WHERE Id IN ()", "MALFORMED_QUERY", "unexpected token: ')'"),
    (WHERE, "SELECT Id FROM Account WHERE (Name = 'a'", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
    (WHERE, 'SELECT Id FROM Account WHERE Name = "a"', "MALFORMED_QUERY", "unexpected token"),
    (WHERE, "SELECT Id FROM Account WHERE Escalated__c = 'true'", "INVALID_FIELD", "must be of type boolean"),
    (WHERE, "SELECT Id FROM Account WHERE ARR__c > '10'", "INVALID_FIELD", "should not be enclosed in quotes"),
    (WHERE, "SELECT Id FROM Account WHERE Name = 10", "INVALID_FIELD", "should be enclosed in quotes"),
    (WHERE, "SELECT Id FROM Account WHERE ARR__c LIKE '1%'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator"),
    (WHERE, "SELECT Id FROM Account WHERE Escalated__c > false", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator"),
    (WHERE, "SELECT Id FROM Account WHERE Id = 'ACC-1'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: ACC-1"),
    (DATES, "SELECT Id FROM Account WHERE SystemModstamp > 2026-11-24", "INVALID_FIELD", "must be of type dateTime"),
    (DATES, "SELECT Id FROM Account WHERE SystemModstamp > 2026-11-24T02:00:00", "MALFORMED_QUERY", "unexpected token"),
    (DATES, "SELECT Id FROM Account WHERE SystemModstamp > '2026-11-24T02:00:00Z'", "INVALID_FIELD", "should not be"),
    (DATES, "SELECT Id FROM Account WHERE Renewal_Date__c > 2026-02-30", "MALFORMED_QUERY", "unexpected token"),
    (QUOTED, "SELECT Id FROM Account WHERE Name = 'O'Brien'", "MALFORMED_QUERY", "unterminated"),
    (QUOTED, r"SELECT Id FROM Account WHERE Name = 'a\d'", "MALFORMED_QUERY", "illegal escape sequence"),
    (QUOTED, "SELECT Id FROM Account WHERE Name = 'a", "MALFORMED_QUERY", "unterminated"),
    (RELATIONS, "SELECT Parent.Parent.Parent.Parent.Parent.Parent.Name FROM Account", "MALFORMED_QUERY", "too long"),
    (RELATIONS, "SELECT Boss.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Boss'"),
    (ORDER, "SELECT Id FROM Account ORDER Name", "MALFORMED_QUERY", "unexpected token: 'Name'"),
    (ORDER, "SELECT Id FROM Account ORDER BY Name NULLS", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
    (OFFSET, "SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset"),
    (LONG, "SELECT Id FROM Case WHERE Description LIKE '%x%'", "INVALID_FIELD", "can not be filtered"),
    (LONG, "SELECT Id FROM Case ORDER BY Description", "INVALID_FIELD", "can not be sorted"),
    (CURRENCY, "SELECT Id FROM Account WHERE ARR__c > CHF10", "MALFORMED_QUERY", "Invalid currency ISO code"),
    (SELECT, "", "MALFORMED_QUERY", "cannot be empty"),
]


@pytest.mark.parametrize(("source", "soql", "code", "words"), REFUSED, ids=[each[1] for each in REFUSED])
def test_a_query_is_refused_as_the_vendor_refuses_it(salesforce, source, soql, code, words):
    reply = salesforce.query(soql)

    assert (reply.status_code, reply.json()[0]["errorCode"]) == (501 if code == "TWIN_SUBSET" else 400, code), source
    assert words in reply.json()[0]["message"], source


def test_a_refusal_shows_row_column_and_the_place(salesforce):
    message = salesforce.query("SELECT Id\nFROM Account\nWHERE Colour__c = 'x'").json()[0]["message"]

    assert "ERROR at Row:3:Column:7" in message
    assert message.startswith("\nSELECT Id FROM Account WHERE Colour__c = 'x'\n")
    assert message.splitlines()[2].index("^") == message.splitlines()[1].index("Colour__c")


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT (SELECT Id FROM Cases) FROM Account",
        "SELECT COUNT(Id) FROM Account",
        "SELECT Id FROM Account GROUP BY Id",
    ],
)
def test_what_the_twin_does_not_speak_is_told_as_such(salesforce, soql):
    reply = salesforce.query(soql)

    assert (reply.status_code, reply.json()[0]["errorCode"]) == (501, "TWIN_SUBSET")


@pytest.fixture
def accounts(org):
    """Three accounts, the second without anything, the third owned by nobody's user record."""
    return [
        org.put(
            "Account", Name='O\'Brien \\ "PT" 100%_', ARR__c=Decimal("12.50"), Health__c="Red", CurrencyIsoCode="USD"
        ),
        org.put("Account", Name="Beta"),
        org.put("Account", Name="beta two\nlines", ARR__c=Decimal("10000000.01"), Health__c="Green"),
    ]


def found(salesforce, accounts, condition):
    reply = salesforce.query(f"SELECT Id FROM Account WHERE {condition}")
    assert reply.status_code == 200, reply.text
    return sorted(accounts.index(each["Id"]) for each in reply.json()["records"])


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("Name = 'BETA'", [1]),
        ("Name = 'O\\'Brien \\\\ \\\"PT\\\" 100%_'", [0]),
        ("Name = 'beta two\\nlines'", [2]),
        ("Name LIKE 'beta%'", [1, 2]),
        ("Name LIKE '%100\\%\\_'", [0]),
        ("Name LIKE '%100_'", []),
        ("Name LIKE 'B_ta'", [1]),
        ("Health__c = null", [1]),
        ("Health__c != 'Red'", [1, 2]),
        ("Health__c IN ('red', 'Green')", [0, 2]),
        ("Health__c IN ('Red', null)", [0, 1]),
        ("Health__c NOT IN ('Red')", [1, 2]),
        ("ARR__c > 10000000", [2]),
        ("ARR__c >= 10000000.01", [2]),
        ("ARR__c < 13", [0]),
        ("ARR__c > IDR199999", [0, 2]),
        ("ARR__c > USD12.51", [2]),
        ("NOT (Name = 'Beta' OR Health__c = 'Red')", [2]),
        ("(NOT Name LIKE 'b%') AND Escalated__c = FALSE", [0]),
        ("Parent.Name = null", [0, 1, 2]),
        ("Owner.Name = 'escalation worker'", [0, 1, 2]),
        ("Owner.Name = 'nobody'", []),
        ("SystemModstamp >= 2026-11-24T09:00:00+07:00", [0, 1, 2]),
        ("SystemModstamp > 2026-11-24T01:59:59.999Z", [0, 1, 2]),
        ("SystemModstamp > 2026-11-24T02:00:00Z", []),
    ],
)
def test_a_condition_finds_what_the_vendor_would_find(salesforce, accounts, condition, expected):
    assert found(salesforce, accounts, condition) == expected


def test_ids_of_15_and_18_characters_are_the_same(salesforce, accounts):
    assert found(salesforce, accounts, f"Id IN ('{accounts[0][:15]}', '{accounts[1]}')") == [0, 1]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("ARR__c", [1, 0, 2]),
        ("ARR__c DESC", [1, 2, 0]),
        ("ARR__c NULLS LAST", [0, 2, 1]),
        ("ARR__c DESC NULLS LAST, Id", [2, 0, 1]),
        ("Health__c NULLS LAST, Name DESC", [2, 0, 1]),
    ],
)
def test_nulls_come_first_unless_told_otherwise(salesforce, accounts, order, expected):
    records = salesforce.query(f"SELECT Id FROM Account ORDER BY {order}").json()["records"]

    assert [accounts.index(each["Id"]) for each in records] == expected


def test_money_keeps_its_digits_and_currency_and_parents_nest(org, salesforce, accounts):
    record = salesforce.query(
        f"SELECT ARR__c, CurrencyIsoCode, Owner.Name, Parent.Name FROM Account WHERE Id = '{accounts[2]}'"
    )

    assert '"ARR__c":10000000.01,"CurrencyIsoCode":"IDR"' in record.text
    assert record.json()["records"][0]["Parent"] is None
    assert record.json()["records"][0]["Owner"]["attributes"]["type"] == "User"


def test_an_owner_who_may_be_a_queue_shows_the_fields_of_a_name_only(org, salesforce):
    queue = org.put("Group", Name="Support")
    org.put("Case", Subject="x", OwnerId=queue)

    shown = salesforce.query("SELECT Owner.Name, Owner.Email FROM Case").json()["records"][0]["Owner"]
    refused = salesforce.query("SELECT Owner.ManagerId FROM Case").json()[0]

    assert (shown["attributes"]["type"], shown["Name"], shown["Email"]) == ("Name", "Support", None)
    assert refused["errorCode"] == "INVALID_FIELD"
    assert "on entity 'Name'" in refused["message"]


def test_pages_follow_their_cursor_for_two_days(org, salesforce, clock):
    for number in range(450):
        org.put("Account", Name=f"A{number:03d}")
    first = salesforce.query(
        "SELECT Name FROM Account ORDER BY Name", headers={"Sforce-Query-Options": "batchSize=200"}
    )
    names, page = [], first.json()
    while True:
        names += [each["Name"] for each in page["records"]]
        if page["done"]:
            break
        page = salesforce("GET", page["nextRecordsUrl"]).json()
    clock.advance(timedelta(days=1))
    again = salesforce_again(org, salesforce, first.json()["nextRecordsUrl"])
    clock.advance(timedelta(days=1, seconds=1))
    late = salesforce_again(org, salesforce, first.json()["nextRecordsUrl"])

    assert (names, first.json()["totalSize"]) == ([f"A{number:03d}" for number in range(450)], 450)
    assert again.status_code == 200
    assert (late.status_code, late.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


def salesforce_again(org, salesforce, url):
    """The same with a fresh session: the old one ended long ago."""
    token = org.sessions._session()["access_token"]
    return salesforce("GET", url, headers={"Authorization": f"Bearer {token}"})


def test_two_custom_long_texts_make_pages_of_200(org, salesforce):
    account = org.put("Account", Name="A")
    for number in range(201):
        org.put("Escalation_Note__c", Name="n", Key__c=f"K{number}", Account__c=account)
    org.org.add_fields("Escalation_Note__c", Field("More__c", Kind.TEXTAREA, length=32_768))

    one = salesforce.query("SELECT Id, Body__c FROM Escalation_Note__c").json()
    two = salesforce.query("SELECT Id, Body__c, More__c FROM Escalation_Note__c").json()

    assert (len(one["records"]), len(two["records"])) == (201, 200)


def test_without_order_by_rows_come_in_any_order(org, salesforce):
    ids = [org.put("Account", Name=f"A{number}") for number in range(30)]

    seen = [each["Id"] for each in salesforce.query("SELECT Id FROM Account").json()["records"]]

    assert sorted(seen) == sorted(ids)
    assert seen != sorted(ids)


def test_a_late_commit_shows_after_its_stamp_has_passed(org, salesforce, clock):
    account = org.put("Account", Name="A")
    org.put("Account", timedelta(minutes=5), Name="late")
    org.edit(account, timedelta(minutes=5), Name="changed")
    soql = "SELECT Name FROM Account ORDER BY Name"
    before = [each["Name"] for each in salesforce.query(soql).json()["records"]]
    clock.advance(timedelta(minutes=5))
    after = salesforce.query("SELECT Name, SystemModstamp FROM Account ORDER BY Name").json()["records"]

    assert before == ["A"]
    assert [each["Name"] for each in after] == ["changed", "late"]
    assert {each["SystemModstamp"] for each in after} == {"2026-11-24T02:00:00.000+0000"}


def test_what_a_formula_shows_moves_no_stamp(org, salesforce, clock):
    account = org.put("Account", Name="A", Health__c="Green")
    org.calculate("Account", "Health__c")
    clock.advance(timedelta(minutes=1))
    org.recalculate(account, Health__c="Red")

    record = salesforce.query("SELECT Health__c, SystemModstamp FROM Account").json()["records"][0]
    described = salesforce.at("GET", "sobjects/Account/describe").json()["fields"]

    assert (record["Health__c"], record["SystemModstamp"]) == ("Red", "2026-11-24T02:00:00.000+0000")
    assert [each["calculated"] for each in described if each["name"] == "Health__c"] == [True]


def test_deleted_and_merged_records_are_seen_by_query_all_only(org, salesforce):
    master, loser = org.put("Account", Name="Master"), org.put("Account", Name="Loser")
    case = org.put("Case", AccountId=loser)
    org.merge(master, loser)

    assert [each["Name"] for each in salesforce.query("SELECT Name FROM Account").json()["records"]] == ["Master"]
    soql = "SELECT IsDeleted, MasterRecordId FROM Account WHERE IsDeleted = true"
    assert salesforce.query(soql, deleted=True).json()["records"][0]["MasterRecordId"] == master
    assert org.record(case)["AccountId"] == master


def test_an_org_of_one_currency_has_no_iso_code(clock):
    with SalesforceTwin(clock) as twin:
        assert "currencyisocode" not in twin.org.objects["account"].fields


def test_a_query_in_a_line_of_more_than_16_384_bytes_is_414(salesforce):
    assert (
        salesforce.query("SELECT Id FROM Account WHERE Name IN (" + ",".join(["'x'"] * 3000) + ")").status_code == 414
    )
