"""The portal around its records: search, limits, who may call, properties, lists, owners."""

from datetime import timedelta

import pytest
import requests

from connectors.twins.hubspot import HubSpotTwin, Property

SEARCH = "API guides, CRM, Search the CRM"
LIMITS = "Developer docs, API usage guidelines and limits"
OAUTH = "Developer docs, OAuth"
PROPERTIES = "API guides, CRM, Properties"
LISTS = "API guides, CRM, Lists; List filters overview"
PATH = "/crm/objects/2026-09/companies/search"


def by(name, operator, **more):
    return {"filters": [{"propertyName": name, "operator": operator, **more}]}


@pytest.fixture
def companies(portal):
    portal.limits.secondly_search = 1_000
    one = portal.put("companies", name="Alfa Two", health="red", arr="12.5", createdate="2026-11-23T00:00:00.000Z")
    two = portal.put("companies", name="Beta", arr="10000000.01")
    return [one, two, portal.put("companies", name="ALFA", health="green")]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([], [0, 1, 2]),
        ([by("health", "EQ", value="red")], [0]),
        ([by("health", "EQ", value="Red")], []),
        ([by("health", "NEQ", value="red")], [2]),
        ([by("health", "NEQ", value="red"), by("health", "NOT_HAS_PROPERTY")], [1, 2]),
        ([by("health", "HAS_PROPERTY")], [0, 2]),
        ([by("health", "IN", values=["red", "green"])], [0, 2]),
        ([by("name", "EQ", value="alfa")], [2]),
        ([by("name", "IN", values=["alfa", "beta"])], [1, 2]),
        ([by("name", "IN", values=["ALFA"])], []),
        ([by("name", "CONTAINS_TOKEN", value="alfa")], [0, 2]),
        ([by("arr", "GT", value="10000000")], [1]),
        ([by("arr", "BETWEEN", value="12.5", highValue="13")], [0]),
        ([by("createdate", "LT", value="2026-11-24T00:00:00Z")], [0]),
        ([by("createdate", "LT", value="1795478400000")], [0]),
    ],
)
def test_a_filter_finds_what_the_vendor_would_find(hubspot, companies, groups, expected):
    told = hubspot("POST", PATH, {"filterGroups": groups, "limit": 200})

    assert told.status_code == 200, told.text
    assert sorted(companies.index(each["id"]) for each in told.json()["results"]) == expected, SEARCH


def test_ids_beyond_what_a_float_holds_are_told_apart(hubspot, companies):
    body = {"filterGroups": [by("hs_object_id", "GT", value=companies[0])], "limit": 200}
    body["sorts"] = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]

    assert [each["id"] for each in hubspot("POST", PATH, body).json()["results"]] == companies[1:]


REFUSED = [
    ({"limit": 201}, "limit must be between 1 and 200"),
    ({"after": 9_900, "limit": 200}, "Cannot page beyond 10000"),
    ({"sorts": ["name", "arr"]}, "Only one sort"),
    ({"filterGroups": [by("health", "HAS_PROPERTY")] * 6}, "too many filters"),
    ({"filterGroups": [{"filters": by("health", "HAS_PROPERTY")["filters"] * 7}]}, "too many filters"),
    ({"filterGroups": [by("colour", "HAS_PROPERTY")]}, "Property colour does not exist"),
    ({"filterGroups": [by("health", "LIKE", value="r")]}, "Invalid input JSON"),
    ({"filterGroups": [by("health", "HAS_PROPERTY", value="")]}, "takes no value"),
    ({"filterGroups": [by("health", "IN", value="red")]}, "takes values"),
    ({"filterGroups": [by("health", "IN", values=[])]}, "a list of values that is not empty"),
    ({"filterGroups": [by("arr", "GT", value="much")]}, "much is no number"),
    ({"filterGroups": [by("createdate", "GT", value="yesterday")]}, "yesterday is no datetime"),
    ({"query": "x" * 3_001}, "3000 characters"),
    ({"where": "x"}, "Unrecognized field"),
]


@pytest.mark.parametrize(("body", "words"), REFUSED, ids=[each[1] for each in REFUSED])
def test_a_search_is_refused_as_the_vendor_refuses_it(hubspot, body, words):
    reply = hubspot("POST", PATH, body)

    assert (reply.status_code, reply.json()["category"]) == (400, "VALIDATION_ERROR"), SEARCH
    assert words in reply.json()["message"], SEARCH


def test_the_index_lags_behind_what_was_written_and_never_shows_the_archive(portal, hubspot, companies, clock):
    portal.store.index_lag = timedelta(seconds=30)
    clock.advance(timedelta(minutes=1))
    portal.edit("companies", companies[0], health="yellow")
    portal.remove("companies", companies[2])
    query = {"filterGroups": [by("health", "HAS_PROPERTY")], "properties": ["health"]}

    def seen():
        return sorted(each["properties"]["health"] for each in hubspot("POST", PATH, query).json()["results"])

    early = seen()
    clock.advance(timedelta(seconds=30))

    assert (early, seen()) == (["green", "red"], ["yellow"])
    assert (
        hubspot("GET", f"/crm/v3/objects/companies/{companies[0]}?properties=health").json()["properties"]["health"]
        == "yellow"
    )


def test_the_order_by_stamp_is_not_to_be_trusted(portal, hubspot, clock):
    ids = []
    for number in range(20):
        clock.advance(timedelta(seconds=1))
        ids.append(portal.put("companies", name=f"A{number}"))

    told = hubspot(
        "POST", PATH, {"sorts": [{"propertyName": "hs_lastmodifieddate", "direction": "ASCENDING"}], "limit": 200}
    )

    assert sorted(each["id"] for each in told.json()["results"]) == ids
    assert [each["id"] for each in told.json()["results"]] != ids


def test_what_the_portal_computes_moves_no_stamp(portal, companies, clock):
    clock.advance(timedelta(minutes=1))
    portal.recalculate("companies", companies[0], score="7")

    assert portal.record("companies", companies[0])["hs_lastmodifieddate"] == "2026-11-24T02:00:00.000Z"


def test_five_searches_a_second_and_190_calls_in_ten(portal, hubspot, clock):
    searches = [hubspot("POST", PATH, {}) for _ in range(6)]
    portal.limits.ten_secondly = 3
    calls = [hubspot("GET", "/crm/v3/owners") for _ in range(4)]
    clock.advance(timedelta(seconds=10))

    assert [each.status_code for each in searches] == [200] * 5 + [429], LIMITS
    assert (searches[5].json()["policyName"], searches[5].json()["errorType"]) == ("SECONDLY", "RATE_LIMIT")
    assert not [name for name in searches[0].headers if name.startswith("X-HubSpot")]
    assert [each.status_code for each in calls] == [200] * 3 + [429], LIMITS
    assert calls[3].json()["policyName"] == "TEN_SECONDLY_ROLLING"
    assert [each.headers["X-HubSpot-RateLimit-Remaining"] for each in calls] == ["2", "1", "0", "0"]
    assert "Retry-After" not in calls[3].headers
    assert hubspot("GET", "/crm/v3/owners").status_code == 200


def test_the_day_ends_at_midnight_of_the_portals_own_zone(portal, hubspot, clock):
    portal.limits.spend(portal.limits.daily)
    portal.limits.retry_after = 3
    full = hubspot("GET", "/crm/v3/owners")
    clock.advance(timedelta(hours=14, minutes=59))
    still = hubspot("GET", "/crm/v3/owners").status_code
    clock.advance(timedelta(minutes=1))

    assert (full.status_code, full.json()["policyName"], full.headers["Retry-After"]) == (429, "DAILY", "3"), LIMITS
    assert (still, hubspot("GET", "/crm/v3/owners").status_code) == (429, 200)


def test_a_token_that_is_unknown_or_missing_is_401(portal, hubspot):
    replies = [
        requests.get(f"{portal.url}/crm/v3/owners", headers=headers, timeout=5)
        for headers in ({}, {"Authorization": "Bearer wrong"})
    ]

    assert [(each.status_code, each.json()["category"]) for each in replies] == [(401, "INVALID_AUTHENTICATION")] * 2


@pytest.mark.parametrize("path", ["/oauth/v1/token", "/oauth/2026-09/token"])
def test_a_refreshed_token_is_good_for_30_minutes(portal, clock, path):
    form = {"grant_type": "refresh_token", "client_id": portal.app.client_id, "client_secret": portal.app.client_secret}
    form["refresh_token"] = portal.app.refresh_token
    token = requests.post(portal.url + path, data=form, timeout=5).json()
    wrong = requests.post(portal.url + path, data=form | {"refresh_token": "x"}, timeout=5)
    in_query = requests.post(portal.url + path, params=form, timeout=5)

    def call():
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        return requests.get(f"{portal.url}/crm/v3/owners", headers=headers, timeout=5)

    fresh = call()
    clock.advance(timedelta(seconds=1_800))

    assert (token["expires_in"], fresh.status_code) == (1_800, 200), OAUTH
    assert (call().status_code, call().json()["category"]) == (401, "EXPIRED_AUTHENTICATION")
    assert (wrong.status_code, wrong.json()["status"]) == (400, "BAD_REFRESH_TOKEN")
    assert in_query.status_code == (400 if "2026" in path else 200)


def test_a_scope_that_is_missing_is_named(portal, hubspot):
    portal.app.scopes = {"crm.objects.companies.read"}
    read, written = hubspot("POST", PATH, {}), hubspot("POST", "/crm/v3/objects/companies", {"properties": {}})

    assert read.status_code == 200
    assert (written.status_code, written.json()["category"]) == (403, "MISSING_SCOPES")
    assert written.json()["context"] == {"missingScopes": ["crm.objects.companies.write"]}


def made(**more):
    base = {
        "name": "escalation_key",
        "label": "Key",
        "type": "string",
        "fieldType": "text",
        "groupName": "companyinformation",
    }
    return base | more


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (made(), 201, ""),
        (made(name="name"), 409, "already exists"),
        (made(name="Escalation Key"), 400, "is invalid"),
        (made(fieldType="number"), 400, "not a valid fieldType for type string"),
        (made(type="boolean"), 400, "not a valid fieldType"),
        (made(groupName="nothing"), 400, "group 'nothing' does not exist"),
        (made(label=""), 400, "label must not be empty"),
        (made(type="enumeration", fieldType="select"), 400, "need options"),
        (
            made(type="enumeration", fieldType="select", options=[{"label": "L1", "value": "L1"}]),
            400,
            "lacks displayOrder",
        ),
        (made(type="bool", fieldType="booleancheckbox"), 400, "need the options true and false"),
        (made(colour="red"), 400, "Unrecognized field"),
    ],
)
def test_a_property_is_made_or_refused(hubspot, body, status, words):
    reply = hubspot("POST", "/crm/properties/2026-09/companies", body)

    assert reply.status_code == status, PROPERTIES
    assert words in reply.json().get("message", "")


def test_a_batch_of_properties_is_made_whole_or_not_at_all(portal, hubspot):
    path = "/crm/properties/2026-09/companies/batch/create"
    reply = hubspot("POST", path, {"inputs": [made(), made(name="b", groupName="nothing")]})

    assert reply.status_code == 400, PROPERTIES
    assert hubspot("GET", "/crm/v3/properties/companies/escalation_key").status_code == 404
    assert hubspot("POST", path, {"inputs": [made(), made(name="b")]}).status_code == 201


def test_groups_are_made_once(hubspot):
    body = {"name": "escalation", "label": "Escalation"}

    assert [hubspot("POST", "/crm/v3/properties/companies/groups", body).status_code for _ in range(2)] == [201, 409]


@pytest.mark.parametrize(("allowed", "status"), [(False, 400), (True, 201)])
def test_whether_notes_may_have_a_unique_property_depends_on_the_portal(clock, allowed, status):
    with HubSpotTwin(clock, unique_notes=allowed) as twin:
        body = made(groupName="engagement", hasUniqueValue=True)
        headers = {"Authorization": f"Bearer {twin.app.key}"}
        reply = requests.post(f"{twin.url}/crm/properties/2026-09/notes", json=body, headers=headers, timeout=5)

    assert reply.status_code == status, PROPERTIES


def test_there_are_ten_unique_properties_an_object(hubspot):
    made_ten = [
        hubspot("POST", "/crm/v3/properties/companies", made(name=f"k{n}", hasUniqueValue=True)).status_code
        for n in range(11)
    ]

    assert made_ten == [201] * 10 + [400], PROPERTIES
    assert hubspot("PATCH", "/crm/v3/properties/companies/name", {"hasUniqueValue": True}).status_code == 400


def listed(**more):
    operation = {"operationType": "BOOL", "operator": "IS_EQUAL_TO", "value": True}
    inner = {
        "filterBranchType": "AND",
        "filters": [{"filterType": "PROPERTY", "property": "flag", "operation": operation}],
    }
    body = {"name": "Escalated accounts", "objectTypeId": "0-2", "processingType": "DYNAMIC"}
    return body | {"filterBranch": {"filterBranchType": "OR", "filterBranches": [inner], "filters": []}} | more


def test_a_list_has_a_name_of_its_own_and_branches_in_order(portal, hubspot):
    portal.property("companies", Property("flag", "bool", "booleancheckbox"))
    wrong = hubspot("POST", "/crm/lists/2026-09", listed(filterBranch={"filterBranchType": "AND", "filters": []}))
    first, again = (hubspot("POST", "/crm/lists/2026-09", listed()) for _ in range(2))
    found = hubspot("GET", "/crm/v3/lists/object-type-id/0-2/name/Escalated%20accounts?includeFilters=true").json()[
        "list"
    ]
    bare = hubspot("POST", "/crm/lists/2026-09/search", {"query": "escalated"})
    full = hubspot("POST", "/crm/lists/2026-09/search", {"query": "escalated", "listIds": [], "processingTypes": []})

    assert (wrong.status_code, first.status_code, again.status_code) == (400, 200, 400), LISTS
    assert found["filterBranch"] == listed()["filterBranch"]
    assert (bare.status_code, full.json()["total"]) == (400, 1), LISTS


def test_owners_pipelines_account_and_custom_objects_are_told(portal, hubspot):
    portal.owner("72", "old@example.com", "Old", "Hand", archived=True)
    portal.custom_object("disputes", "dispute", [Property("amount", "number", "number")])

    assert [each["id"] for each in hubspot("GET", "/crm/owners/2026-09").json()["results"]] == ["71"]
    assert [each["id"] for each in hubspot("GET", "/crm/v3/owners?archived=true").json()["results"]] == ["72"]
    stages = hubspot("GET", "/crm/v3/pipelines/tickets").json()["results"][0]["stages"]
    assert [each["metadata"]["isClosed"] for each in stages] == ["false", "false", "false", "true"]
    details = hubspot("GET", "/account-info/v3/details").json()
    assert (details["companyCurrency"], details["utcOffsetMilliseconds"]) == ("IDR", 25_200_000)
    assert hubspot("GET", "/crm/v3/schemas").json()["results"][0]["name"] == "dispute"
    assert hubspot("GET", "/crm/v3/objects/p24110001_dispute").json() == {"results": []}
    assert hubspot("GET", "/crm/v3/objects/spaceships").status_code == 400


def test_a_version_or_path_that_is_not_there_is_404(hubspot):
    for path in (
        "/crm/objects/2024-01/companies",
        "/crm/v9/objects/companies",
        "/contacts/v1/lists",
        "/crm/v3/nothing",
    ):
        assert hubspot("GET", path).status_code == 404
