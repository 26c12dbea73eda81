"""Getting in, the day's calls, jobs, and what a deployment makes of the org."""

import csv
import io
from datetime import timedelta

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.twins.salesforce import SalesforceTwin

CREDENTIALS = "Salesforce Help, OAuth 2.0 Client Credentials Flow for Server-to-Server Integration"
JWT = "Salesforce Help, OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration"
BULK = "Bulk API 2.0 Developer Guide, Query Jobs"
LIMITS = "REST API Developer Guide, Limit Info Header"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def token(org, **form):
    return requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=5)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({}, None),
        ({"client_id": "another"}, "invalid_client_id"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_client_credentials_open_a_session_or_are_refused(org, change, error):
    form = {"grant_type": "client_credentials", "client_id": org.app.consumer_key}
    reply = token(org, **{**form, "client_secret": org.app.consumer_secret, **change})

    assert reply.json().get("error") == error, CREDENTIALS
    assert reply.status_code == (400 if error else 200)
    assert error or reply.json()["instance_url"] == org.url


@pytest.fixture(scope="module")
def keys():
    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, public.decode()


@pytest.mark.parametrize(
    ("change", "description"),
    [
        ({}, None),
        ({"aud": "https://elsewhere.example"}, "audience is invalid"),
        ({"sub": "nobody@example.com"}, "user hasn't approved this consumer"),
        ({"iss": "another"}, "client identifier invalid"),
        ({"exp": timedelta(seconds=-1)}, "invalid assertion"),
        ({"exp": timedelta(minutes=4)}, "invalid assertion"),
    ],
)
def test_a_signed_assertion_opens_a_session_or_is_refused(org, keys, clock, change, description):
    private, org.app.public_key = keys
    claims = {"iss": org.app.consumer_key, "sub": org.app.username, "aud": "https://login.salesforce.com"}
    claims |= {"exp": timedelta(minutes=3), **change}
    claims["exp"] = int((clock() + claims["exp"]).timestamp())

    reply = token(org, grant_type=GRANT, assertion=jwt.encode(claims, private, algorithm="RS256"))

    assert reply.json().get("error_description") == description, JWT
    assert reply.status_code == (400 if description else 200)


def test_an_assertion_by_another_key_or_algorithm_is_refused(org, keys, clock):
    org.app.public_key = keys[1]
    claims = {"iss": org.app.consumer_key, "sub": org.app.username, "aud": org.url, "exp": clock().timestamp() + 60}
    other = jwt.encode(claims, rsa.generate_private_key(65537, 2048), algorithm="RS256")
    symmetric = jwt.encode(claims, "x" * 64, algorithm="HS256")

    assert [token(org, grant_type=GRANT, assertion=each).json()["error"] for each in (other, symmetric)] == [
        "invalid_grant"
    ] * 2


def test_a_session_ends_after_two_idle_hours_or_when_it_is_ended(org, salesforce, clock):
    clock.advance(timedelta(hours=1, minutes=59))
    kept = salesforce.at("GET", "limits").status_code
    clock.advance(timedelta(hours=2))
    idle = salesforce.at("GET", "limits")

    assert (kept, idle.status_code, idle.json()[0]["errorCode"]) == (200, 401, "INVALID_SESSION_ID")


def test_logins_are_counted_by_the_hour(org, clock):
    form = {"grant_type": "client_credentials", "client_id": org.app.consumer_key}
    org.sessions._logins.extend([clock()] * 3_600)
    full = token(org, **form, client_secret=org.app.consumer_secret)
    clock.advance(timedelta(hours=1))
    later = token(org, **form, client_secret=org.app.consumer_secret)

    assert (full.status_code, full.json()["error_description"], later.status_code) == (400, "login rate exceeded", 200)


def test_the_days_calls_are_told_counted_and_come_back_after_24_hours(org, salesforce, clock):
    org.usage.daily, org.usage.bursts = 3, "1/750"
    told = [salesforce.at("GET", "limits") for _ in range(4)]
    clock.advance(timedelta(hours=1, minutes=59))
    org.sessions.life = timedelta(days=3)
    salesforce.at("GET", "limits")
    clock.advance(timedelta(hours=22, minutes=1))

    assert told[2].headers["Sforce-Limit-Info"] == "api-usage=3/3; api-bursts=1/750", LIMITS
    assert (told[3].status_code, told[3].json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert salesforce.at("GET", "limits").json()["DailyApiRequests"] == {"Max": 3, "Remaining": 2}


def test_a_version_that_is_not_there_and_a_body_that_is_no_json_are_refused(org, salesforce):
    assert salesforce("GET", "/services/data/v99.0/limits").status_code == 404
    assert [each["version"] for each in requests.get(f"{org.url}/services/data", timeout=5).json()][-1] == "66.0"
    broken = salesforce.session.post(
        f"{org.url}/services/data/v62.0/composite", data="{", headers={"Content-Type": "application/json"}, timeout=5
    )
    form = salesforce.session.post(f"{org.url}/services/data/v62.0/composite", data={"a": "b"}, timeout=5)

    assert (broken.status_code, broken.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    assert (form.status_code, form.json()[0]["errorCode"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_query_job_is_polled_and_fetched_by_its_locator(org, salesforce):
    for number in range(5):
        org.put("Account", Name=f"A,{number}", Website=None)
    job = salesforce.at(
        "POST", "jobs/query", {"operation": "query", "query": "SELECT Name, Website, IsDeleted FROM Account"}
    )
    path = f"jobs/query/{job.json()['id']}"
    early = salesforce.at("GET", f"{path}/results")
    states = [salesforce.at("GET", path).json()["state"] for _ in range(2)]
    rows, locator = [], "0"
    while locator != "null":
        page = salesforce.at("GET", f"{path}/results?maxRecords=2&locator={locator}")
        rows += list(csv.DictReader(io.StringIO(page.text)))
        locator = page.headers["Sforce-Locator"]

    assert (early.status_code, early.json()[0]["errorCode"]) == (400, "INVALIDJOBSTATE"), BULK
    assert states == ["InProgress", "JobComplete"]
    assert sorted(each["Name"] for each in rows) == [f"A,{number}" for number in range(5)]
    assert rows[0] | {"Name": ""} == {"Name": "", "Website": "", "IsDeleted": "false"}


@pytest.mark.parametrize("soql", ["SELECT COUNT() FROM Account", "SELECT Id FROM Account OFFSET 5"])
def test_a_query_job_refuses_what_bulk_does_not_know(salesforce, soql):
    reply = salesforce.at("POST", "jobs/query", {"operation": "query", "query": soql})

    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "INVALIDJOB"), BULK


def test_what_changed_and_was_deleted_is_told_by_whole_minutes(org, salesforce, clock):
    org.put("Account", Name="A")
    gone = org.put("Account", Name="B")
    org.remove(gone)
    clock.advance(timedelta(minutes=6))
    span = {"start": "2026-11-24T01:59:30Z", "end": "2026-11-24T02:06:30Z"}

    updated = salesforce.at("GET", "sobjects/Account/updated", params=span).json()
    deleted = salesforce.at("GET", "sobjects/Account/deleted", params=span).json()
    too_old = salesforce.at("GET", "sobjects/Account/deleted", params=span | {"start": "2026-11-01T00:00:00Z"}).json()

    assert (len(updated["ids"]), updated["latestDateCovered"]) == (1, "2026-11-24T02:06:00.000+0000")
    assert [each["id"] for each in deleted["deletedRecords"]] == [gone]
    assert too_old[0]["errorCode"] == "INVALID_REPLICATION_DATE"


def test_a_deployment_grants_the_worker_what_its_permission_sets_say(clock, deployed):
    sets = ("Escalation_Worker",)
    with SalesforceTwin(clock, metadata=[deployed / "force-app"], permission_sets=sets) as org:
        account, note = org.org.objects["account"], org.org.objects["escalation_note__c"]
        case = org.org.objects["case"]

        assert org.org.writable(account, account.fields["escalated__c"])
        assert not org.org.writable(account, account.fields["escalation_override__c"])
        assert org.org.field(account, "Escalation_Override__c") is not None
        assert org.org.field(account, "Phone") is None
        assert org.org.may(note).create
        assert not org.org.may(case).edit
        assert org.org.objects["task"].fields["escalation_key__c"].length == 64
        assert (note.fields["account__c"].required, note.fields["key__c"].unique) == (True, True)
