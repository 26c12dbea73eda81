"""Traps of the line between us and HubSpot: limits, keys, silence, and answers that are none."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connectors.base import CreateNote, FatalError, Result, RetryableError, UpdateRecord
from connectors.crm.hubspot import connect
from connectors.crm.hubspot.answers import Meaning, refusal
from connectors.crm.hubspot.client import Client, Request
from connectors.crm.hubspot.credentials import ServiceKey
from connectors.crm.hubspot.fetching import Found
from connectors.crm.hubspot.pace import PLANS, Clock, Pace, Plan
from connectors.crm.hubspot.paths import Endpoint
from tests.hubspot.conftest import Rig
from tests.hubspot.stub import NOW, Fault, Portal, Time, body, refused
from worker.core.model import RecordKind

SEARCH, READ, LIST = "companies/search", "companies/batch/read", "objects/2026-09/companies"
SECONDLY = {"status": "error", "message": "too fast", "category": "RATE_LIMITS", "policyName": "SECONDLY"}
ROLLING = {**SECONDLY, "policyName": "TEN_SECONDLY_ROLLING"}
DAILY = {**SECONDLY, "policyName": "DAILY"}
PAGE = b"<html><body>Please log in to the network</body></html>"


def limited(policy: dict[str, str], **headers: str) -> Fault:
    return Fault("", body(429, policy, **headers))


def client_of(rig: Rig) -> Client:
    client = rig.connector._client
    assert isinstance(client, Client)
    return client


@pytest.mark.parametrize(("ending", "query"), [(SEARCH, {"since": True}), ("companies", {})])
@pytest.mark.parametrize("content", [PAGE, {"total": 0}, [], b"", {"results": "none"}])
def test_what_is_not_an_answer_is_never_an_empty_crm(rig: Rig, content: object, ending: str, query: dict) -> None:
    """Trap 1 and Trap 2: 200 with HTML, or JSON without `results`, raises and moves no cursor."""
    rig.portal.put("companies", "1", name="PT")
    rig.portal.faults.append(Fault(ending, body(200, content)))
    since = {"since": rig.since()} if query else {}
    seen = []

    with pytest.raises(RetryableError):
        seen.extend(rig.connector.pull(rig.mapping.query(RecordKind.ACCOUNT, **since)))
    assert all(page.high_water is None and not page.rows for page in seen)


def test_a_search_that_was_too_fast_goes_again_after_a_second_and_nobody_else_waits(rig: Rig, company: str) -> None:
    """Trap 3: 429 SECONDLY without Retry-After: one more request with the same body, other endpoints keep going."""
    rig.ids(ids=[company])
    rig.portal.seen.clear()
    rig.time.pass_by(30)
    rig.portal.faults.append(Fault(SEARCH, body(429, SECONDLY)))
    found = [row.record_id for row in rig.rows(rig.mapping.state_query())]
    waited = sum(rig.time.slept)
    rig.ids(ids=[company])
    first, second = rig.portal.asked(SEARCH)

    assert found == [company]
    assert first.body == second.body
    assert waited >= 1
    assert sum(rig.time.slept) == waited


def test_the_ten_second_limit_holds_all_callers(rig: Rig) -> None:
    """Trap 4: 429 TEN_SECONDLY_ROLLING pauses everybody, and they come back at half the speed, not all at once."""
    time = rig.time
    pace = Pace(Plan(per_ten_seconds=20), Clock(time.monotonic, time.now, time.sleep))
    pace.refused(refusal(429, {}, b'{"policyName": "TEN_SECONDLY_ROLLING"}'), search=False)
    began = time.at
    sent = []
    for _ in range(25):
        pace.take(search=False, write=False, until=began + 1000)
        sent.append(time.at - began)

    assert sent[0] >= 10
    assert max(sum(1 for at in sent if start <= at < start + 10) for start in sent) <= 12


def test_a_day_that_is_used_up_stops_reading_until_the_portals_midnight(rig: Rig, company: str) -> None:
    """Trap 5: 429 DAILY: no more reads are sent, writes still are, and the next day in Jakarta begins anew."""
    rig.portal.faults.append(Fault(SEARCH, body(429, DAILY)))
    for _ in range(2):
        with pytest.raises(RetryableError) as stopped:
            rig.rows(rig.mapping.state_query())
    note = rig.connector.write([CreateNote("n1", company, "t", "b", NOW)])[0]
    midnight = datetime(2026, 11, 25, tzinfo=ZoneInfo("Asia/Jakarta"))

    assert len(rig.portal.asked(SEARCH)) == 1
    assert stopped.value.after is not None
    assert abs(rig.time.now() + stopped.value.after - midnight) < timedelta(seconds=1)
    assert note.result is Result.APPLIED

    rig.time.pass_by(stopped.value.after.total_seconds() + 1)
    assert [row.record_id for row in rig.rows(rig.mapping.state_query())] == [company]


def test_the_last_calls_of_a_day_are_kept_for_writing(rig: Rig, company: str) -> None:
    """Trap 5: HubSpot says how many calls are left; reading stops before they are gone, writing does not."""
    values = {"escalation_reason": "why"}
    update = UpdateRecord("k", "companies", company, values)
    rig.ids(ids=[company])
    rig.portal.headers["X-HubSpot-RateLimit-Daily-Remaining"] = "40"
    rig.connector.write([update])

    with pytest.raises(RetryableError, match="kept for writing"):
        rig.ids(ids=[company])
    assert rig.connector.write([CreateNote("n1", company, "t", "b", NOW)])[0].done


def test_the_quota_is_what_hubspot_told_and_what_was_called_since(rig: Rig, company: str) -> None:
    assert rig.connector.quota().used is None
    rig.portal.headers["X-HubSpot-RateLimit-Daily"] = "650000"
    rig.portal.headers["X-HubSpot-RateLimit-Daily-Remaining"] = "600000"
    rig.ids(ids=[company])
    told = rig.connector.quota()

    assert (told.used, told.limit, told.heard_at) == (50_000, 650_000, rig.time.now())
    assert told.resets_at == datetime(2026, 11, 25, tzinfo=ZoneInfo("Asia/Jakarta"))
    rig.time.pass_by(86_400)
    del rig.portal.headers["X-HubSpot-RateLimit-Daily-Remaining"]
    rig.ids(ids=[company])
    assert (rig.connector.quota().used, rig.connector.quota().unknown) == (
        None,
        "no answer told it yet; searches never do",
    )


def test_an_app_with_oauth_is_told_no_daily_number(rig: Rig) -> None:
    pace = Pace(PLANS["oauth"], Clock(rig.time.monotonic, rig.time.now, rig.time.sleep))

    assert pace.quota().unknown == "HubSpot tells an app with OAuth no daily number"


def test_what_others_used_of_the_window_is_not_used_again(rig: Rig) -> None:
    """Trap 4: the Remaining header lowers our own window."""
    time = rig.time
    pace = Pace(PLANS["professional"], Clock(time.monotonic, time.now, time.sleep))
    pace.take(search=False, write=False, until=time.at)
    pace.heard({"x-hubspot-ratelimit-remaining": "1"}, search=False)
    pace.take(search=False, write=False, until=time.at)

    with pytest.raises(RetryableError):
        pace.take(search=False, write=False, until=time.at + 5)


@pytest.mark.parametrize("ending", [READ, LIST])
def test_retry_after_is_honoured_by_us_and_by_nobody_below_us(rig: Rig, company: str, ending: str) -> None:
    """Trap 6: 429 with Retry-After: exactly two requests, so the library's hidden retry is off."""
    query = {"ids": [company]} if ending == READ else {}
    rig.ids(**query)
    rig.portal.seen.clear()
    rig.portal.faults.append(Fault(ending, body(429, ROLLING, Retry_After="7")))
    rig.time.slept.clear()

    assert rig.ids(**query) == [company]
    assert len(rig.portal.asked(ending)) == 2
    assert sum(rig.time.slept) >= 7


def test_a_limit_that_lasts_longer_than_the_deadline_is_told_with_its_time(rig: Rig, company: str) -> None:
    rig.portal.faults.append(Fault(READ, body(429, ROLLING, Retry_After="120")))

    with pytest.raises(RetryableError) as later:
        rig.ids(ids=[company])
    assert later.value.after == timedelta(seconds=120)


def test_a_server_that_hangs_is_given_up_once(rig: Rig, company: str) -> None:
    """Trap 7: an error after the configured read timeout, once, not four times: the library would repeat a GET."""
    impatient = rig.connect(read_timeout=0.2)
    list(impatient.pull(rig.mapping.query(RecordKind.ACCOUNT)))
    rig.portal.seen.clear()
    rig.portal.faults.append(Fault(LIST, hang=0.5, times=4))

    with pytest.raises(RetryableError, match="no answer"):
        list(impatient.pull(rig.mapping.query(RecordKind.ACCOUNT)))
    assert len(rig.portal.asked(LIST)) == 1


def test_a_call_has_a_total_deadline(rig: Rig, company: str) -> None:
    """Trap 7: each read may be quick and the whole still too slow."""
    impatient = rig.connect(deadline=0.2)
    list(impatient.pull(rig.mapping.query(RecordKind.ACCOUNT, ids=[company])))
    rig.portal.faults.append(Fault(READ, hang=0.5))

    with pytest.raises(RetryableError):
        list(impatient.pull(rig.mapping.query(RecordKind.ACCOUNT, ids=[company])))


OAUTH = {"token": None, "client_id": "app", "client_secret": "s3cret", "refresh_token": "refresh-1"}


def test_tokens_are_renewed_ahead_of_time_and_once_for_all_callers(rig: Rig, company: str) -> None:
    """Trap 14: concurrent callers share one renewal, made before the token ends; its secrets are in the body only."""
    connector = rig.connect(**OAUTH)
    query = rig.mapping.query(RecordKind.ACCOUNT, ids=[company])
    found: list[str] = []

    def pull() -> None:
        found.extend(row.record_id for page in connector.pull(query) for row in page.rows)

    threads = [threading.Thread(target=pull) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    once = len(rig.portal.asked("/token"))
    rig.time.pass_by(1790)
    list(connector.pull(query))
    asked = rig.portal.asked("/token")[0]

    assert found == [company] * 4
    assert (once, len(rig.portal.asked("/token"))) == (1, 2)
    assert asked.body["refresh_token"] == ["refresh-1"]
    assert not asked.query


def test_a_rejected_token_is_renewed_and_the_call_repeated_once(rig: Rig, company: str) -> None:
    """Trap 14: one refresh, one replay; a second 401 is a matter for ops, not for a loop."""
    connector = rig.connect(**OAUTH)
    query = rig.mapping.query(RecordKind.ACCOUNT, ids=[company])
    list(connector.pull(query))
    rig.portal.tokens = {"nobody's"}
    again = [row.record_id for page in connector.pull(query) for row in page.rows]
    rig.portal.seen.clear()
    rig.portal.faults.append(Fault(READ, body(401, {"category": "EXPIRED_AUTHENTICATION"}), times=9))

    assert again == [company]
    with pytest.raises(FatalError, match="does not accept the key"):
        list(connector.pull(query))
    assert len(rig.portal.asked(READ)) == 2


def test_a_rejected_grant_is_not_asked_for_again_and_again(rig: Rig) -> None:
    """Trap 14: a grant that HubSpot rejects is latched for some minutes."""
    connector = rig.connect(**OAUTH)
    rig.portal.faults.append(Fault("/token", body(400, {"status": "BAD_REFRESH_TOKEN"}), times=9))
    for _ in range(3):
        with pytest.raises(FatalError, match="rejects the OAuth grant"):
            list(connector.pull(rig.mapping.query(RecordKind.ACCOUNT)))

    assert len(rig.portal.asked("/token")) == 1


def test_a_key_that_was_exchanged_is_used_from_the_next_call_on(rig: Rig, company: str) -> None:
    """Trap 15: the cached client takes the new key."""
    rig.ids(ids=[company])
    rig.portal.tokens = {"key-2"}
    with pytest.raises(FatalError):
        rig.ids(ids=[company])
    key = client_of(rig).credential
    assert isinstance(key, ServiceKey)
    key.replace("key-2")

    assert rig.ids(ids=[company]) == [company]


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "ünïcode"])
def test_a_key_that_cannot_be_one_is_refused_before_anything_is_sent(key: str) -> None:
    with pytest.raises(FatalError) as refusal_:
        connect({"token": key})
    assert refusal_.value.remedy
    assert not key or key not in str(refusal_.value)


def test_a_missing_scope_stops_one_kind_and_is_named(rig: Rig, company: str) -> None:
    """Trap 16: 403 MISSING_SCOPES names the scope; what the key may read is read."""
    missing = {"missingScopes": ["tickets"]}
    answer = refused("MISSING_SCOPES", "not granted", 403, errors=[{"message": "scope", "context": missing}])
    rig.portal.faults.append(Fault("tickets", body(*answer), times=9))

    with pytest.raises(FatalError, match="missing scopes: tickets"):
        rig.ids(RecordKind.CASE)
    assert rig.ids() == [company]


def test_a_urllib3_that_breaks_the_library_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 34: 2.6.0 is refused with a clear text, and the resolver is told."""
    monkeypatch.setattr(metadata, "version", lambda name: "2.6.0" if name == "urllib3" else "1")

    with pytest.raises(FatalError, match=r"urllib3 2\.6\.0") as broken:
        connect({"token": "key-1"})
    assert broken.value.remedy
    assert "urllib3!=2.6.0" in (Path(__file__).parent.parent.parent / "pyproject.toml").read_text(encoding="utf-8")


def test_pages_that_are_no_text_and_lines_without_tls_are_only_lost_calls(rig: Rig, company: str) -> None:
    """Trap 35: a 502 page that is not UTF-8 and a TLS failure become retryable errors, nothing of a library escapes."""
    rig.ids(ids=[company])
    rig.portal.faults.append(Fault(READ, body(502, b"<html>\xff\xfe\x80 bad gateway</html>")))
    with pytest.raises(RetryableError):
        rig.ids(ids=[company])
    encrypted = rig.connect(host=rig.connector._client.options.host.replace("http:", "https:"))

    with pytest.raises(RetryableError, match="cannot be reached: SSLError"):
        list(encrypted.pull(rig.mapping.query(RecordKind.ACCOUNT)))


def test_nothing_of_customers_or_keys_is_logged(rig: Rig, company: str, caplog: pytest.LogCaptureFixture) -> None:
    """Trap 40: at level DEBUG no body, no key; the level of urllib3's logger stays as it was."""
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        connector = rig.connect()
        list(connector.pull(rig.mapping.query(RecordKind.ACCOUNT)))
        connector.write([CreateNote("n1", company, "secret title", "customer's words", NOW)])

    assert logging.getLogger("urllib3").level == logging.DEBUG
    assert not [word for word in ("key-1", "PT Satu", "secret title", "customer's words") if word in caplog.text]
    assert "key-1" not in repr(connector)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        *((429, Meaning.LIMITED), (423, Meaning.LATER), (477, Meaning.LATER), (408, Meaning.DOUBTFUL)),
        *((500, Meaning.DOUBTFUL), (502, Meaning.DOUBTFUL), (503, Meaning.DOUBTFUL), (524, Meaning.DOUBTFUL)),
        *((400, Meaning.REFUSED), (405, Meaning.REFUSED), (409, Meaning.REFUSED), (414, Meaning.REFUSED)),
        *((401, Meaning.UNAUTHORISED), (530, Meaning.UNAUTHORISED), (403, Meaning.FORBIDDEN), (404, Meaning.ABSENT)),
    ],
)
def test_every_status_has_one_meaning(status: int, meaning: Meaning) -> None:
    assert refusal(status, {}, b"{}").meaning is meaning


def test_a_plan_slows_down_before_hubspot_does(portal: Portal) -> None:
    time = Time(portal)
    pace = Pace(PLANS["free"], Clock(time.monotonic, time.now, time.sleep))
    began = time.at
    for _ in range(301):
        pace.take(search=False, write=False, until=began + 1000)

    assert time.at - began == pytest.approx(30, abs=0.1)


def test_one_connection_serves_all_calls(rig: Rig, company: str) -> None:
    client = client_of(rig)
    before = client.calls
    for _ in range(5):
        client.read(Request(Endpoint.READ, {"type": "companies"}, {"inputs": [{"id": company}]} | _NOTHING), Found)
    pool = client._wire._api.rest_client.pool_manager.connection_from_url(client.options.host)

    assert client.calls - before == 5
    assert pool.num_connections == 1


_NOTHING: dict[str, object] = {"properties": [], "propertiesWithHistory": []}
