"""Tokens: traps 1 to 6, 42 and 44 of facts about Salesforce."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.base import ConnectorError, FatalError, RetryableError
from connectors.crm.salesforce import SalesforceConnector, connect
from tests.salesforce.cases import always, fill, ids_of, once
from tests.salesforce.conftest import Clock, Make
from tests.salesforce.stub import Call, Org, Reply, error
from worker.mapping import CrmMapping

DEAD = error(401, "INVALID_SESSION_ID", "Session expired or invalid")


@pytest.fixture(scope="module")
def pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def test_trap_01_a_token_that_ends_between_pages_is_renewed_once(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    """The same page is asked for again with the same headers; no record is lost or doubled."""
    fill(org, 500)
    org.faults.append(once("-200", DEAD))
    read = ids_of(connector, mapping, page_size=200)
    pages = [call for call in org.calls if "-200" in call.path]

    assert len(read) == len(set(read)) == 500
    assert org.tokens == 2
    assert [call.headers["Sforce-Query-Options"] for call in pages] == ["batchSize=200"] * 2


def test_trap_02_eight_threads_with_a_dead_token_log_in_once(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 3)
    ids_of(connector, mapping)
    org.tokens += 1  # what the connector holds is dead now
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda _: ids_of(connector, mapping), range(8)))
    logins = [call for call in org.calls if "oauth2" in call.path]

    assert [len(each) for each in read] == [3] * 8
    assert len(logins) == 2


def test_trap_03_a_fresh_token_that_is_refused_ends_in_a_latch(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, clock: Clock
) -> None:
    org.faults.append(always("/services/data", DEAD))
    with pytest.raises(FatalError, match="fresh token"):
        ids_of(connector, mapping)
    asked = len(org.calls)
    clock.at += 60
    with pytest.raises(FatalError):
        ids_of(connector, mapping)

    assert (asked, org.tokens) == (4, 2)
    assert len(org.calls) == asked


@pytest.mark.parametrize(
    "words", ["This session is not valid for use with the REST API", "Connected app is not attached"]
)
def test_trap_04_a_session_that_may_not_use_the_api_is_no_dead_session(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, words: str
) -> None:
    org.faults.append(always("/services/data", error(401, "INVALID_SESSION_ID", words)))
    with pytest.raises(FatalError) as refused:
        ids_of(connector, mapping)

    assert org.tokens == 1
    assert "Session Settings" in refused.value.remedy


@pytest.mark.parametrize("status", [401, 503])
def test_trap_05_a_page_of_some_proxy_passes_by_itself(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, status: int
) -> None:
    org.faults.append(always("/services/data", Reply(status, "<html>maintenance</html>")))
    with pytest.raises(RetryableError, match="not Salesforce's"):
        ids_of(connector, mapping)


def test_trap_06_a_rejected_grant_is_never_asked_for_again(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, clock: Clock
) -> None:
    reply = Reply(400, {"error": "invalid_grant", "error_description": "user hasn't approved this consumer"})
    org.faults.append(always("oauth2", reply))
    for _ in range(5):
        with pytest.raises(FatalError, match="invalid_grant") as refused:
            ids_of(connector, mapping)
        clock.at += 7200

    assert org.counted("oauth2") == 1
    assert "restart" in refused.value.remedy


def test_trap_06_a_log_in_that_fails_for_a_while_is_tried_again_after_growing_pauses(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, clock: Clock
) -> None:
    org.faults.append(once("oauth2", Reply(503, "<html></html>"), times=3))
    asked = []
    for _ in range(20):
        with suppress(RetryableError):
            ids_of(connector, mapping)
        asked.append(org.counted("oauth2"))
        clock.at += 10

    assert asked[-1] == 4
    assert asked.index(2) == 2
    assert asked.index(3) == 6


def test_a_token_is_renewed_before_it_ends(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, clock: Clock
) -> None:
    ids_of(connector, mapping)
    clock.at += 31 * 60
    ids_of(connector, mapping)

    assert org.counted("oauth2") == 2
    assert not any("Session expired" in str(call.body) for call in org.calls)


def test_a_jwt_says_who_asks_for_whom(org: Org, make: Make, mapping: CrmMapping, address: str, pem: str) -> None:
    settings = {"auth": "jwt", "client_secret": "", "username": "worker@acme.com", "private_key": pem}
    ids_of(make(**settings, audience="https://acme.my.salesforce.com"), mapping)
    form = dict(pair.split("=", 1) for pair in org.calls[0].body.split("&"))
    claims = jwt.decode(form["assertion"], options={"verify_signature": False})
    left = claims["exp"] - datetime.now(UTC).timestamp()

    assert form["grant_type"] == "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
    assert (claims["iss"], claims["sub"]) == ("3MVG9key", "worker@acme.com")
    assert claims["aud"] == "https://acme.my.salesforce.com"
    assert isinstance(claims["exp"], int)
    assert 120 < left <= 181


def test_trap_44_a_refused_jwt_is_explained_by_the_clock(
    org: Org, make: Make, mapping: CrmMapping, address: str, pem: str
) -> None:
    reply = Reply(400, {"error": "invalid_grant", "error_description": "expired authorization code"})
    org.faults.append(always("oauth2", reply))
    settings = {"auth": "jwt", "username": "worker@acme.com", "private_key": pem}
    connector = make(**settings)
    server, ahead = org.now, timedelta(minutes=10)
    org.now = lambda: server() - ahead
    connector._client._tokens._now = server  # the worker's own clock is ten minutes ahead of the server's
    with pytest.raises(FatalError) as refused:
        ids_of(connector, mapping)

    assert "clock is 10 minutes ahead" in refused.value.remedy


def test_trap_42_no_secret_is_in_any_message(
    org: Org, make: Make, mapping: CrmMapping, pem: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    faults = [
        always("oauth2", Reply(400, {"error": "invalid_client", "error_description": "invalid client credentials"})),
        always("/services/data", DEAD),
        always("/services/data", Reply(500, "boom")),
        always("/services/data", Reply(cut=True)),
        always("oauth2", Reply(cut=True)),
    ]
    for fault in faults:
        for more in ({}, {"auth": "jwt", "username": "u@x", "private_key": pem}):
            org.faults = [fault]
            connector = make(**more)
            seen.append(repr(connector))
            seen.append(repr(connector._client.options))
            with pytest.raises(ConnectorError) as refused:
                ids_of(connector, mapping)
            seen += [str(refused.value), repr(refused.value), refused.value.remedy, str(refused.value.__cause__)]
    said = "\n".join([*seen, caplog.text])

    assert "very-secret" not in said
    assert "token-" not in said
    assert "PRIVATE KEY" not in said
    assert "assertion" not in said


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"instance_url": "http://acme.my.salesforce.com"}, "instance_url"),
        ({"instance_url": "https://login.salesforce.com"}, "login.salesforce.com"),
        ({"instance_url": ""}, "instance_url"),
        ({"auth": "password"}, "password"),
        ({"auth": "jwt"}, "username"),
        ({"client_secret": ""}, "client_secret"),
        ({"api_version": "v66"}, "api_version"),
        ({"timeout": "soon"}, "timeout"),
        ({"instanceurl": "x"}, "instanceurl"),
    ],
)
def test_options_that_cannot_be_right_are_named(wrong: dict[str, object], names: str) -> None:
    good = {"instance_url": "https://acme.my.salesforce.com", "client_id": "x", "client_secret": "very-secret"}
    with pytest.raises(FatalError, match=names) as refused:
        connect({**good, **wrong})

    assert refused.value.remedy
    assert "very-secret" not in str(refused.value)


def test_plain_http_goes_to_this_machine_only_when_asked_for() -> None:
    good = {"instance_url": "http://127.0.0.1:1", "client_id": "x", "client_secret": "y"}
    with pytest.raises(FatalError, match="cannot be used"):
        connect(good)

    assert "127.0.0.1:1" in repr(connect({**good, "allow_loopback_http": True}))


def test_the_log_in_goes_to_the_org_itself(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    ids_of(connector, mapping)
    first: Call = org.calls[0]

    assert (first.method, first.path) == ("POST", "/services/oauth2/token")
    assert "grant_type=client_credentials" in first.body
