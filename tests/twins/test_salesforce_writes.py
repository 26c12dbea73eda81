"""Writing to the org: what is refused, by which code, and what stands together or falls together."""

from datetime import timedelta
from decimal import Decimal

import pytest

ROWS = "REST API Developer Guide, sObject Rows"
ERRORS = "REST API Developer Guide, Status Codes and Error Responses"
CODES = "SOAP API Developer Guide, StatusCode"
TYPES = "Object Reference, Field Types"
COLLECTIONS = "REST API Developer Guide, sObject Collections"
COMPOSITE = "REST API Developer Guide, Composite"
GRAPH = "REST API Developer Guide, Composite Graph Limits"
UPSERT = "REST API Developer Guide, sObject Rows by External ID"
CONDITIONAL = "REST API Developer Guide, Conditional Request Headers"

REFUSED = [
    (CODES, {"Name": "x" * 256}, "STRING_TOO_LONG", ["Name"], "max length=255"),
    (CODES, {"Name": None}, "REQUIRED_FIELD_MISSING", ["Name"], "Required fields are missing: [Name]"),
    (CODES, {"Name": "  "}, "REQUIRED_FIELD_MISSING", ["Name"], "Required fields are missing"),
    (CODES, {"Colour__c": "x"}, "INVALID_FIELD", None, "No such column 'Colour__c' on sobject of type Account"),
    (CODES, {"Escalation_Level__c": "L9"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Escalation_Level__c"], "L9"),
    (
        CODES,
        {"SystemModstamp": "2026-11-24T02:00:00Z"},
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        ["SystemModstamp"],
        "security",
    ),
    (CODES, {"ParentId": "0015g00000ZZZZZAAA"}, "INVALID_CROSS_REFERENCE_KEY", [], "invalid cross reference id"),
    (CODES, {"ParentId": "5005g00000ZZZZZAAA"}, "MALFORMED_ID", ["ParentId"], "id value of incorrect type"),
    (CODES, {"ParentId": "ACC-1"}, "MALFORMED_ID", ["ParentId"], "id value of incorrect type"),
    (CODES, {"ARR__c": 10**16}, "NUMBER_OUTSIDE_VALID_RANGE", ["ARR__c"], "outside of valid range"),
    (TYPES, {"ARR__c": "10"}, "JSON_PARSER_ERROR", None, "Cannot deserialize instance of currency from VALUE_STRING"),
    (TYPES, {"Escalated__c": "yes"}, "JSON_PARSER_ERROR", None, "Cannot deserialize instance of boolean"),
    (TYPES, {"Escalated__c": None}, "JSON_PARSER_ERROR", None, "VALUE_NULL"),
    (TYPES, {"Name": 5}, "JSON_PARSER_ERROR", None, "VALUE_NUMBER_INT"),
    (TYPES, {"Escalation_Due__c": "2026-11-24T02:00:00"}, "JSON_PARSER_ERROR", None, "instance of datetime"),
    (TYPES, {"Renewal_Date__c": "24/11/2026"}, "JSON_PARSER_ERROR", None, "instance of date"),
]


@pytest.fixture
def account(org):
    return org.put("Account", Name="Alfa", Health__c="Red")


@pytest.mark.parametrize(
    ("source", "body", "code", "fields", "words"), REFUSED, ids=[f"{each[2]} {each[1]}"[:60] for each in REFUSED]
)
def test_a_value_is_refused_as_the_vendor_refuses_it(org, salesforce, account, source, body, code, fields, words):
    before = org.record(account)

    reply = salesforce.at("PATCH", f"sobjects/Account/{account}", body)
    told = reply.json()[0]

    assert (reply.status_code, told["errorCode"], told.get("fields")) == (400, code, fields), source
    assert words in told["message"], source
    assert org.record(account) == before


def test_a_write_that_is_good_is_kept_rounded_and_stamped(org, salesforce, account, clock):
    clock.advance(timedelta(minutes=1))
    body = {
        "ARR__c": 0.125,
        "Escalated__c": True,
        "Escalation_Due__c": "2026-11-24T09:30:00.000+0700",
        "name": " Beta ",
    }

    assert salesforce.at("PATCH", f"sobjects/Account/{account[:15]}", body).status_code == 204
    record = org.record(account)

    assert (record["ARR__c"], record["Name"], record["Escalated__c"]) == (Decimal("0.13"), "Beta", True)
    assert record["Escalation_Due__c"].isoformat() == "2026-11-24T02:30:00+00:00"
    assert record["SystemModstamp"] == clock()
    assert record["LastModifiedById"] == org.user_id


def test_what_is_not_there_is_404_and_says_whether_it_was_deleted(org, salesforce, account):
    gone = org.put("Account", Name="gone")
    org.remove(gone)
    told = [
        salesforce.at("PATCH", f"sobjects/Account/{each}", {"Name": "x"}) for each in ("001000000000001", gone, "ACC-1")
    ]

    assert [(each.status_code, each.json()[0]["errorCode"]) for each in told] == [
        (404, "NOT_FOUND"),
        (404, "ENTITY_IS_DELETED"),
        (404, "NOT_FOUND"),
    ], ERRORS


def test_a_hidden_field_does_not_exist_and_a_protected_one_cannot_be_written(org, salesforce, account):
    org.hide("Account", "ARR__c")
    org.protect("Account", "Escalated__c")

    read = salesforce.query("SELECT ARR__c FROM Account").json()[0]
    written = salesforce.at("PATCH", f"sobjects/Account/{account}", {"Escalated__c": True}).json()[0]
    described = {each["name"]: each for each in salesforce.at("GET", "sobjects/Account/describe").json()["fields"]}

    assert read["errorCode"] == "INVALID_FIELD"
    assert (written["errorCode"], written["fields"]) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ["Escalated__c"])
    assert "ARR__c" not in described
    assert (described["Escalated__c"]["updateable"], described["Name"]["updateable"]) == (False, True)


def test_a_validation_rule_and_an_order_to_refuse_speak_for_themselves(org, salesforce, account):
    org.validate("Account", lambda row: row["escalated__c"] and not row["type"], "Type first", "Type")
    org.refuse("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", account, times=2)

    codes = [
        salesforce.at("PATCH", f"sobjects/Account/{account}", {"Escalated__c": True}).json()[0]["errorCode"]
        for _ in range(3)
    ]

    assert codes == ["UNABLE_TO_LOCK_ROW", "UNABLE_TO_LOCK_ROW", "FIELD_CUSTOM_VALIDATION_EXCEPTION"]


def note(account, **more):
    return {"Name": "Escalated", "Account__c": account, "Body__c": "text", **more}


def test_upsert_by_a_unique_external_id_makes_one_record(org, salesforce, account):
    path = "sobjects/Escalation_Note__c/Key__c/esc_1-a"
    first, second = (salesforce.at("PATCH", path, note(account, Body__c=text)) for text in ("one", "two"))
    other = salesforce.at("PATCH", path.replace("esc_1-a", "ESC_1-A"), note(account))

    assert [each.status_code for each in (first, second, other)] == [201, 200, 201], UPSERT
    assert (first.json()["created"], second.json()["created"]) == (True, False)
    assert second.json()["id"] == first.json()["id"]
    assert sorted(each["Body__c"] for each in org.records("Escalation_Note__c")) == ["text", "two"]


def test_upsert_refuses_the_key_in_its_body_and_a_field_that_is_no_external_id(org, salesforce, account):
    twice = salesforce.at("PATCH", "sobjects/Escalation_Note__c/Key__c/k", note(account, Key__c="k"))
    no_key = salesforce.at("PATCH", "sobjects/Escalation_Note__c/Name/k", note(account))

    assert (twice.status_code, twice.json()[0]["errorCode"]) == (400, "INVALID_FIELD"), UPSERT
    assert (no_key.status_code, no_key.json()[0]["errorCode"]) == (404, "NOT_FOUND"), UPSERT


def test_an_external_id_of_two_records_is_300_with_their_addresses(org, salesforce, account):
    key = org.org.objects["escalation_note__c"].fields["key__c"]
    ids = [org.put("Escalation_Note__c", Name="n", Key__c="same", Account__c=account) for _ in range(2)]

    reply = salesforce.at("PATCH", "sobjects/Escalation_Note__c/Key__c/same", note(account))

    assert key.external_id
    assert reply.status_code == 300, UPSERT
    assert sorted(reply.json()) == [f"/services/data/v62.0/sobjects/Escalation_Note__c/{each}" for each in sorted(ids)]


def test_a_unique_value_is_taken_once(org, salesforce, account):
    salesforce.at("POST", "sobjects/Escalation__c", {"Key__c": "k", "Account__c": account})
    again = salesforce.at("POST", "sobjects/Escalation__c", {"Key__c": "k", "Account__c": account})

    assert (again.status_code, again.json()[0]["errorCode"]) == (400, "DUPLICATE_VALUE"), CODES
    assert "duplicates value on record with id: a0" in again.json()[0]["message"]


def test_a_parent_may_be_named_by_its_external_id(org, salesforce, account):
    salesforce.at("POST", "sobjects/Escalation__c", {"Key__c": "parent", "Account__c": account})
    body = note(account, Escalation__r={"Key__c": "parent"})
    made = salesforce.at("PATCH", "sobjects/Escalation_Note__c/Key__c/n", body)
    lost = salesforce.at("PATCH", "sobjects/Escalation_Note__c/Key__c/m", note(account, Escalation__r={"Key__c": "?"}))

    assert made.status_code == 201, UPSERT
    assert org.records("Escalation_Note__c")[0]["Escalation__c"] == org.records("Escalation__c")[0]["Id"]
    assert (lost.status_code, lost.json()[0]["errorCode"]) == (400, "INVALID_FIELD")


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("If-Unmodified-Since", "Tue, 24 Nov 2026 02:00:00 GMT", 412),
        ("If-Unmodified-Since", "Tue, 24 Nov 2026 02:01:00 GMT", 204),
        ("If-Unmodified-Since", "yesterday", 400),
        ("If-Match", '"nothing"', 412),
    ],
)
def test_a_condition_that_does_not_hold_writes_nothing(org, salesforce, account, clock, header, value, status):
    clock.advance(timedelta(minutes=1))
    org.edit(account, Name="edited by a person")

    reply = salesforce.at("PATCH", f"sobjects/Account/{account}", {"Name": "x"}, headers={header: value})

    assert reply.status_code == status, CONDITIONAL
    assert (org.record(account)["Name"] == "x") is (status == 204)


def test_an_etag_that_was_read_holds_until_somebody_writes(org, salesforce, account):
    tag = salesforce.at("GET", f"sobjects/Account/{account}").headers["ETag"]
    first, second = (
        salesforce.at("PATCH", f"sobjects/Account/{account}", {"Name": name}, headers={"If-Match": tag})
        for name in ("one", "two")
    )

    assert (first.status_code, second.status_code, org.record(account)["Name"]) == (204, 412, "one"), CONDITIONAL


def updates(ids, **fields):
    return {"records": [{"attributes": {"type": "Account"}, "Id": each, **fields} for each in ids]}


def test_a_collection_answers_each_record_in_order_with_200(org, salesforce, account):
    other = org.put("Account", Name="Other")
    body = updates([account, "001000000000001AAA", other], Escalation_Level__c="L2")
    body["records"][2]["Escalation_Level__c"] = "L9"

    reply = salesforce.at("PATCH", "composite/sobjects", body)

    assert reply.status_code == 200, COLLECTIONS
    assert [each["success"] for each in reply.json()] == [True, False, False]
    assert reply.json()[2]["errors"][0]["statusCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert org.record(account)["Escalation_Level__c"] == "L2"


def test_all_or_none_takes_the_innocent_back(org, salesforce, account):
    body = updates([account, "001000000000001AAA"], Escalation_Level__c="L2") | {"allOrNone": True}

    results = salesforce.at("PATCH", "composite/sobjects", body).json()

    assert [each["errors"][0]["statusCode"] for each in results] == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "NOT_FOUND"]
    assert org.record(account)["Escalation_Level__c"] is None


def test_a_collection_has_200_records_and_ten_chunks_at_most(org, salesforce, account):
    many = salesforce.at("PATCH", "composite/sobjects", updates([account] * 201))
    mixed = updates([account] * 12)
    for place, record in enumerate(mixed["records"]):
        record["attributes"] = {"type": ("Account", "Case")[place % 2]}
    chunks = salesforce.at("PATCH", "composite/sobjects", mixed)

    assert (many.status_code, many.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT"), COLLECTIONS
    assert "cannot submit more than 200 records" in many.json()[0]["message"]
    assert chunks.status_code == 400, COLLECTIONS


def test_a_collection_upserts_by_one_external_id_and_tells_what_it_created(org, salesforce, account):
    def record(key, **more):
        return {"attributes": {"type": "Escalation__c"}, "Key__c": key, "Account__c": account, **more}

    path = "composite/sobjects/Escalation__c/Key__c"
    salesforce.at("PATCH", path, {"records": [record("a")]})
    results = salesforce.at("PATCH", path, {"records": [record("a"), record("b"), record("c"), record("c")]}).json()

    assert [each.get("created") for each in results] == [False, True, None, None], COLLECTIONS
    assert [each["errors"][0]["statusCode"] for each in results[2:]] == ["DUPLICATE_VALUE"] * 2


def sub(reference, method, path, body=None, **more):
    asked = {"method": method, "url": f"/services/data/v62.0/{path}", "referenceId": reference, **more}
    return asked | ({"body": body} if body is not None else {})


def test_a_composite_refers_back_and_counts_as_one_call(org, salesforce, account):
    used = org.usage.used
    parts = [
        sub("esc", "PATCH", "sobjects/Escalation__c/Key__c/k", {"Account__c": account}),
        sub("note", "PATCH", "sobjects/Escalation_Note__c/Key__c/n", note(account, Escalation__c="@{esc.id}")),
        sub("read", "GET", f"query?q=SELECT+Id,Name+FROM+Account+WHERE+Id='{account}'"),
        sub("seen", "GET", "sobjects/Account/@{read.records[0].Id}?fields=Name"),
    ]

    told = salesforce.at("POST", "composite", {"compositeRequest": parts}).json()["compositeResponse"]

    assert [each["httpStatusCode"] for each in told] == [201, 201, 200, 200], COMPOSITE
    assert told[3]["body"]["Name"] == "Alfa"
    assert org.records("Escalation_Note__c")[0]["Escalation__c"] == told[0]["body"]["id"]
    assert org.usage.used == used + 1


def test_a_composite_without_all_or_none_halts_only_what_refers_to_what_failed(org, salesforce, account):
    parts = [
        sub("bad", "PATCH", "sobjects/Escalation__c/Key__c/k", {"Account__c": "001000000000001"}),
        sub("child", "PATCH", "sobjects/Escalation_Note__c/Key__c/n", note(account, Escalation__c="@{bad.id}")),
        sub("good", "PATCH", f"sobjects/Account/{account}", {"Name": "Beta"}),
    ]

    told = salesforce.at("POST", "composite", {"compositeRequest": parts}).json()["compositeResponse"]

    assert [each["httpStatusCode"] for each in told] == [400, 400, 204], COMPOSITE
    assert told[1]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert org.records("Escalation_Note__c") == []


def test_a_composite_with_all_or_none_takes_all_back(org, salesforce, account):
    parts = [
        sub("good", "PATCH", f"sobjects/Account/{account}", {"Name": "Beta"}),
        sub("bad", "PATCH", f"sobjects/Account/{account}", {"Escalation_Level__c": "L9"}),
    ]

    told = salesforce.at("POST", "composite", {"compositeRequest": parts, "allOrNone": True}).json()[
        "compositeResponse"
    ]

    assert [each["body"][0]["errorCode"] for each in told] == [
        "PROCESSING_HALTED",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    ]
    assert org.record(account)["Name"] == "Alfa", COMPOSITE


QUERY = "query?q=SELECT+Id+FROM+Account"
GOOD = [sub("a", "GET", QUERY)]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([sub(f"r{number}", "GET", "sobjects/Account/describe") for number in range(26)], "LIMIT_EXCEEDED"),
        ([sub(f"r{number}", "GET", QUERY) for number in range(6)], "LIMIT_EXCEEDED"),
        ([*GOOD, *GOOD], "INVALID_INPUT"),
        ([sub("a-b", "GET", QUERY)], "INVALID_INPUT"),
        ([{"method": "GET", "url": "/services/data/v62.0/limits"}], "JSON_PARSER_ERROR"),
        ([sub("a", "GET", QUERY, headers={})], "JSON_PARSER_ERROR"),
        ([], "JSON_PARSER_ERROR"),
    ],
)
def test_a_composite_beyond_its_limits_is_refused_whole(salesforce, parts, code):
    reply = salesforce.at("POST", "composite", {"compositeRequest": parts})

    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, code), COMPOSITE


def graph(number, account, level="L2"):
    parts = [
        sub("flag", "PATCH", f"sobjects/Account/{account}", {"Escalation_Level__c": level}),
        sub("esc", "PATCH", f"sobjects/Escalation__c/Key__c/k{number}", {"Account__c": account}),
        sub("note", "PATCH", f"sobjects/Escalation_Note__c/Key__c/n{number}", note(account, Escalation__c="@{esc.id}")),
    ]
    return {"graphId": f"g{number}", "compositeRequest": parts}


def test_a_graph_stands_or_falls_whole_and_alone(org, salesforce, account):
    other = org.put("Account", Name="Other")
    bad = graph(2, other)
    bad["compositeRequest"][2]["body"]["Body__c"] = "x" * 40_000

    told = salesforce.at("POST", "composite/graph", {"graphs": [graph(1, account), bad]}).json()["graphs"]
    codes = [each["body"][0]["errorCode"] for each in told[1]["graphResponse"]["compositeResponse"]]

    assert [each["isSuccessful"] for each in told] == [True, False], GRAPH
    assert codes == ["PROCESSING_HALTED", "PROCESSING_HALTED", "STRING_TOO_LONG"]
    assert (org.record(account)["Escalation_Level__c"], org.record(other)["Escalation_Level__c"]) == ("L2", None)
    assert len(org.records("Escalation__c")) == 1


def test_after_fourteen_failed_graphs_the_rest_is_not_processed(org, salesforce, account):
    graphs = [graph(number, account, "L9") for number in range(14)] + [graph(99, account)]

    told = salesforce.at("POST", "composite/graph", {"graphs": graphs}).json()["graphs"]
    last = [each["body"][0]["errorCode"] for each in told[-1]["graphResponse"]["compositeResponse"]]

    assert (told[-1]["isSuccessful"], last) == (False, ["PROCESSING_HALTED"] * 3), GRAPH
    assert org.records("Escalation__c") == []


def test_graphs_beyond_their_limits_are_refused_whole(org, salesforce, account):
    def code(graphs):
        return salesforce.at("POST", "composite/graph", {"graphs": graphs}).json()[0]["errorCode"]

    queried = {"graphId": "q", "compositeRequest": GOOD}
    deep = [sub("r0", "GET", f"sobjects/Account/{account}")]
    deep += [sub(f"r{n}", "GET", f"sobjects/Account/@{{r{n - 1}.Id}}") for n in range(1, 16)]
    headed = graph(1, account)
    headed["compositeRequest"][0]["httpHeaders"] = {"If-Match": "x"}

    assert code([graph(number, account) for number in range(76)]) == "LIMIT_EXCEEDED", GRAPH
    assert code([graph(1, account), graph(1, account)]) == "INVALID_INPUT", GRAPH
    assert code([queried]) == "INVALID_INPUT", GRAPH
    assert code([{"graphId": "d", "compositeRequest": deep}]) == "LIMIT_EXCEEDED", GRAPH
    assert code([headed]) == "TWIN_SUBSET"
