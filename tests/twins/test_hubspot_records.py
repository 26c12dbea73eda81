"""Records of the portal: read, written, in batches, with their associations. Sources name HubSpot's pages."""

from datetime import timedelta

import pytest

OBJECTS = "API guides, CRM, Understanding the CRM / Objects"
PROPERTIES = "API guides, CRM, Properties"
NOTES = "API guides, Engagements, Notes"
BATCH = "API reference, batch endpoints of each object"
PARTIAL = "API reference, Error handling, Multi-status errors"
LINKS = "API guides, CRM, Associations v4"
NEW, OLD = "/crm/objects/2026-09", "/crm/v3/objects"


@pytest.fixture
def company(portal):
    return portal.put("companies", name="Alfa", health="red")


def codes(reply):
    return [each["code"] for each in reply.json()["errors"]]


REFUSED = [
    (PROPERTIES, {"colour": "x"}, "PROPERTY_DOESNT_EXIST", 'Property \\"colour\\" does not exist'),
    (PROPERTIES, {"health": "purple"}, "INVALID_OPTION", "purple was not one of the allowed options"),
    (PROPERTIES, {"health": "Red"}, "INVALID_OPTION", "[green, yellow, red]"),
    (PROPERTIES, {"arr": "10,000,000"}, "INVALID_LONG", "not a valid number"),
    (PROPERTIES, {"arr": " 5"}, "INVALID_VALUE", "whitespace"),
    (PROPERTIES, {"renewal": "2026-11-24T02:00:00Z"}, "INVALID_DATE", "not midnight"),
    (PROPERTIES, {"renewal": "soon"}, "INVALID_DATE", "not a valid date"),
    (PROPERTIES, {"hs_object_id": "5"}, "READ_ONLY_VALUE", "read only"),
    (PROPERTIES, {"score": "5"}, "READ_ONLY_VALUE", "read only"),
    (PROPERTIES, {"hubspot_owner_id": "999"}, "INVALID_OWNER_ID", "Owner 999 does not exist"),
    (PROPERTIES, {"description": "x" * 65_537}, "PROPERTY_VALUE_TOO_LONG", "65536"),
]


@pytest.mark.parametrize("root", [NEW, OLD])
@pytest.mark.parametrize(
    ("source", "properties", "code", "words"), REFUSED, ids=[f"{each[2]} {each[1]}"[:50] for each in REFUSED]
)
def test_a_value_is_refused_as_the_vendor_refuses_it(portal, hubspot, company, root, source, properties, code, words):
    before = portal.record("companies", company)

    reply = hubspot("PATCH", f"{root}/companies/{company}", {"properties": {"name": "Beta", **properties}})

    assert (reply.status_code, reply.json()["category"], codes(reply)) == (400, "VALIDATION_ERROR", [code]), source
    assert words in reply.json()["message"], source
    assert portal.record("companies", company) == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"properties": []},
        {"properties": {"arr": 5}},
        {"properties": {"name": None}},
        {"properties": {}, "id": "1"},
        [],
    ],
)
def test_a_body_of_another_form_is_refused(hubspot, company, body):
    reply = hubspot("PATCH", f"{NEW}/companies/{company}", body)

    assert reply.status_code == 400, OBJECTS
    assert "Invalid input JSON" in reply.json()["message"]


def test_values_are_kept_as_the_portal_writes_them(portal, hubspot, company, clock):
    clock.advance(timedelta(milliseconds=1500))
    sent = {"arr": "10000000.01", "renewal": "1795478400000", "name": " Beta ", "health": ""}

    told = hubspot("PATCH", f"{OLD}/companies/{company}", {"properties": sent}).json()

    assert [told["properties"][name] for name in sent] == ["10000000.01", "2026-11-24", " Beta ", ""], PROPERTIES
    assert (told["updatedAt"], told["id"]) == ("2026-11-24T02:00:01.500Z", company)
    assert all(isinstance(each, str) for each in told["properties"].values())


def test_unknown_properties_are_left_out_when_read_and_empty_ones_are_null(hubspot, company):
    told = hubspot("GET", f"{NEW}/companies/{company}?properties=health,arr,colour&properties=name").json()[
        "properties"
    ]

    assert told == {
        "health": "red",
        "arr": None,
        "name": "Alfa",
        "hs_object_id": company,
        "createdate": "2026-11-24T02:00:00.000Z",
        "hs_lastmodifieddate": "2026-11-24T02:00:00.000Z",
    }, OBJECTS


def test_a_list_is_paged_by_id_a_hundred_at_most(portal, hubspot):
    ids = [portal.put("companies", name=f"A{number}") for number in range(101)]
    first = hubspot("GET", f"{NEW}/companies?limit=100").json()
    rest = hubspot("GET", f"{NEW}/companies?limit=100&after={first['paging']['next']['after']}").json()
    wide = hubspot("GET", f"{NEW}/companies?limit=101")

    assert [each["id"] for each in first["results"] + rest["results"]] == ids, OBJECTS
    assert "paging" not in rest
    assert (wide.status_code, wide.json()["category"]) == (400, "VALIDATION_ERROR")


def test_what_is_archived_is_gone_but_for_those_who_ask_for_the_archive(portal, hubspot, company):
    assert hubspot("DELETE", f"{NEW}/companies/{company}").status_code == 204
    gone = hubspot("GET", f"{NEW}/companies/{company}")

    assert (gone.status_code, gone.json()["category"]) == (404, "OBJECT_NOT_FOUND")
    assert [each["id"] for each in hubspot("GET", f"{NEW}/companies?archived=true").json()["results"]] == [company]
    assert hubspot("GET", f"{NEW}/companies").json()["results"] == []


def test_two_merged_records_answer_as_the_new_one_that_was_made_of_them(portal, hubspot, company):
    source = "Developer changelog, Updated merge functionality for contacts and companies"
    other, ticket = portal.put("companies", name="Beta", city="Bandung"), portal.put("tickets", subject="x")
    portal.associate("tickets", ticket, "companies", other)
    body = {"primaryObjectId": company, "objectIdToMerge": other}

    made = hubspot("POST", f"{NEW}/companies/merge", body).json()
    both = {"inputs": [{"id": company}, {"id": other}], "properties": ["name"], "propertiesWithHistory": []}
    read = hubspot("POST", f"{NEW}/companies/batch/read", both).json()["results"]

    assert made["id"] not in (company, other), source
    assert made["properties"]["hs_merged_object_ids"] == f"{company};{other}", source
    assert (made["properties"]["name"], made["properties"]["city"]) == ("Alfa", "Bandung"), "the other fills gaps only"
    assert hubspot("GET", f"{NEW}/companies/{other}").json()["id"] == made["id"], source
    assert {each["id"] for each in read} == {made["id"]}, source
    assert portal.linked("tickets", ticket, "companies") == [made["id"]], source
    assert portal.linked("companies", other, "tickets") == [], "associations are read by the new id only"


def written(portal, hubspot, kind, *, types=190, to=None, **properties):
    body = {"properties": properties}
    if to:
        body["associations"] = [
            {"to": {"id": to}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": types}]}
        ]
    return hubspot("POST", f"{NEW}/{kind}", body)


def test_a_note_hangs_on_its_company_and_moves_its_stamp(portal, hubspot, company, clock):
    clock.advance(timedelta(minutes=1))
    made = written(portal, hubspot, "notes", to=company, hs_timestamp="2026-11-24T02:00:00Z", hs_note_body="<p>x</p>")

    assert made.status_code == 201, NOTES
    assert portal.linked("companies", company, "notes") == [made.json()["id"]]
    assert portal.record("companies", company)["hs_lastmodifieddate"] == "2026-11-24T02:01:00.000Z"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"hs_note_body": "x"}, "Some required properties were not set"),
        ({"hs_timestamp": "1", "hs_note_body": "x" * 65_537}, "too long"),
        ({"hs_timestamp": "1", "to": "5"}, "companies 5 does not exist"),
        ({"hs_timestamp": "1", "to": "company", "types": 192}, "association type 192 does not go from NOTE"),
        ({"hs_timestamp": "1", "to": "company", "types": 9999}, "association type 9999"),
    ],
)
def test_a_note_that_would_hang_on_nothing_is_not_made(portal, hubspot, company, more, words):
    if more.get("to") == "company":
        more = {**more, "to": company}
    reply = written(portal, hubspot, "notes", **more)

    assert (reply.status_code, reply.json()["category"]) == (400, "VALIDATION_ERROR"), NOTES
    assert words in reply.json()["message"]
    assert portal.records("notes") == []


def test_a_ticket_needs_a_stage_of_its_pipelines(portal, hubspot):
    missing = written(portal, hubspot, "tickets", subject="x")
    wrong = written(portal, hubspot, "tickets", subject="x", hs_pipeline_stage="77")

    assert missing.json()["context"] == {"properties": ["hs_pipeline_stage"]}
    assert codes(wrong) == ["INVALID_OPTION"]


def inputs(*given):
    return {"inputs": list(given)}


def test_one_bad_input_fails_all_unless_each_has_a_trace_of_its_own(portal, hubspot, company):
    other = portal.put("companies", name="Other")
    bad = {"id": other, "properties": {"colour": "x"}}
    good = {"id": company, "properties": {"name": "Beta"}}
    whole = hubspot("POST", f"{NEW}/companies/batch/update", inputs(good, bad))
    same = hubspot(
        "POST", f"{NEW}/companies/batch/update", inputs(*({**each, "objectWriteTraceId": "t"} for each in (good, bad)))
    )
    unchanged = portal.record("companies", company)["name"]
    traced = [{**good, "objectWriteTraceId": "1"}, {**bad, "objectWriteTraceId": "2"}]
    dated = hubspot("POST", f"{NEW}/companies/batch/update", inputs(*traced))
    older = hubspot("POST", f"{OLD}/companies/batch/update", inputs(*traced))

    assert (whole.status_code, same.status_code, unchanged) == (400, 400, "Alfa"), PARTIAL
    assert (dated.status_code, older.status_code) == (200, 207), PARTIAL
    assert (dated.json()["numErrors"], [each["id"] for each in dated.json()["results"]]) == (1, [company])
    assert dated.json()["errors"][0]["context"] == {"objectWriteTraceId": ["2"], "ids": [other]}
    assert portal.record("companies", company)["name"] == "Beta"


def test_ids_that_are_not_there_are_told_apart(portal, hubspot, company):
    gone = portal.put("companies", name="gone")
    portal.remove("companies", gone)
    read = hubspot(
        "POST", f"{OLD}/companies/batch/read", inputs({"id": gone}, {"id": company}) | {"properties": ["name"]}
    )
    both = [{"id": each, "properties": {"name": "Beta"}} for each in (gone, company)]
    update = hubspot("POST", f"{OLD}/companies/batch/update", inputs(*both))

    for reply in (read, update):
        assert (reply.status_code, reply.json()["numErrors"]) == (207, 1), BATCH
        assert reply.json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"
        assert reply.json()["errors"][0]["context"]["ids"] == [gone]
    assert portal.record("companies", company)["name"] == "Beta"


@pytest.mark.parametrize("name", ["read", "update", "upsert", "archive"])
def test_the_same_id_twice_and_more_than_100_inputs_fail_all(hubspot, name):
    one = {"id": "5"} if name in ("read", "archive") else {"id": "5", "properties": {}}
    twice = hubspot("POST", f"{NEW}/companies/batch/{name}", inputs(one, one))
    many = hubspot("POST", f"{NEW}/companies/batch/{name}", inputs(*({**one, "id": str(n)} for n in range(101))))

    assert twice.status_code == 400, BATCH
    assert twice.json()["message"] == "Duplicate IDs found in batch input: [5]. IDs must be unique"
    assert many.status_code == 400, BATCH
    assert "The maximum number of inputs supported in a batch request is 100" in many.json()["message"]


def test_an_upsert_goes_by_a_unique_property_and_says_what_is_new(portal, hubspot, company):
    made = {
        "name": "ticket_key",
        "label": "Key",
        "type": "string",
        "fieldType": "text",
        "groupName": "ticketinformation",
    }
    assert hubspot("POST", "/crm/properties/2026-09/tickets", made | {"hasUniqueValue": True}).status_code == 201

    def upsert(by, **properties):
        one = {"id": "k1", "idProperty": by, "properties": {"hs_pipeline_stage": "1", **properties}}
        return hubspot(
            "POST", f"{NEW}/tickets/batch/upsert", inputs({name: value for name, value in one.items() if value})
        )

    first, second = upsert("ticket_key"), upsert("ticket_key", subject="x")
    by_name, by_nothing = upsert("subject"), upsert("")

    assert [each.json()["results"][0]["new"] for each in (first, second)] == [True, False]
    assert len(portal.records("tickets")) == 1
    assert "Unable to perform update/upsert by non-unique 0-5 property subject" in by_name.json()["message"], BATCH
    assert by_nothing.status_code == 400


def test_a_unique_value_is_taken_once(portal, hubspot):
    portal.put("contacts", email="a@example.com")

    reply = hubspot("POST", f"{NEW}/contacts", {"properties": {"email": "a@example.com"}})

    assert (reply.status_code, codes(reply)) == (400, ["CONFLICTING_UNIQUE_VALUE"]), PROPERTIES


def test_a_rule_of_the_portal_holds_from_2026_09_on(portal, hubspot, company):
    portal.rule("companies", lambda values: not values.get("city"), "City is required")

    dated = hubspot("PATCH", f"{NEW}/companies/{company}", {"properties": {"name": "Beta"}})
    older = hubspot("PATCH", f"{OLD}/companies/{company}", {"properties": {"name": "Beta"}})

    assert (dated.status_code, dated.json()["message"], older.status_code) == (400, "City is required", 200)


def test_associations_are_read_a_thousand_at_a_time_and_paged(portal, hubspot, company):
    portal.associations.page = 2
    tickets = [portal.put("tickets", subject=f"T{n}", hs_pipeline_stage="1") for n in range(3)]
    for ticket in tickets:
        portal.associate("tickets", ticket, "companies", company, primary=True)
    path = "/crm/associations/2026-09/companies/tickets/batch/read"
    first = hubspot("POST", path, inputs({"id": company})).json()["results"][0]
    rest = hubspot("POST", path, inputs({"id": company, "after": first["paging"]["next"]["after"]})).json()["results"][
        0
    ]
    many = hubspot("POST", path, inputs(*({"id": str(n)} for n in range(1_001))))

    assert [each["toObjectId"] for each in first["to"] + rest["to"]] == tickets, LINKS
    assert [each["typeId"] for each in first["to"][0]["associationTypes"]] == [25, 340]
    assert (many.status_code, "is 1000. Received 1001" in many.json()["message"]) == (400, True), LINKS


def test_a_record_without_associations_is_an_error_of_its_own_and_v4_has_numbers(portal, hubspot, company):
    ticket, lonely = (portal.put("tickets", subject="T", hs_pipeline_stage="1") for _ in range(2))
    portal.associate("tickets", ticket, "companies", company)
    told = hubspot("POST", "/crm/v4/associations/tickets/companies/batch/read", inputs({"id": ticket}, {"id": lonely}))

    assert (told.status_code, told.json()["results"][0]["to"][0]["toObjectId"]) == (207, int(company)), LINKS
    assert told.json()["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
    assert told.json()["errors"][0]["context"]["fromObjectId"] == [lonely]


def test_reads_of_associations_may_lag(portal, hubspot, company, clock):
    portal.store.link_lag = timedelta(seconds=30)
    written(portal, hubspot, "notes", to=company, hs_timestamp="1")
    path = f"/crm/v4/objects/companies/{company}/associations/notes"
    early = hubspot("GET", path).json()["results"]
    clock.advance(timedelta(seconds=30))

    assert (early, len(hubspot("GET", path).json()["results"])) == ([], 1)
