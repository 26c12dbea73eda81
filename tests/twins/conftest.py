"""Both twins with a clock that is moved by hand, and a plain HTTP client for each: no vendor's SDK, no connector."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from connectors.twins.hubspot import HubSpotTwin, Property, options
from connectors.twins.salesforce import SalesforceTwin
from connectors.twins.web import VirtualClock

DEPLOYED = Path(__file__).parents[2] / "deploy" / "salesforce"


class Client:
    """Speaks to a twin and remembers nothing but the token."""

    def __init__(self, base: str, token: str) -> None:
        self.base, self.session = base, requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, body: object = None, **more: object) -> requests.Response:
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        return self.session.request(method, self.base + path, data=data, headers=headers, timeout=5, **more)


class SalesforceClient(Client):
    version = "/services/data/v62.0"

    def query(self, soql: str, *, deleted: bool = False, **more: object) -> requests.Response:
        return self("GET", f"{self.version}/{'queryAll' if deleted else 'query'}", params={"q": soql}, **more)

    def at(self, method: str, path: str, body: object = None, **more: object) -> requests.Response:
        return self(method, f"{self.version}/{path}", body, **more)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def deployed() -> Path:
    return DEPLOYED


@pytest.fixture
def org(clock: VirtualClock) -> Iterator[SalesforceTwin]:
    """An org as an administrator has it after deploying our source, everything permitted."""
    folders = [DEPLOYED / "force-app", DEPLOYED / "customer-success"]
    with SalesforceTwin(clock, metadata=folders, rates={"USD": Decimal("0.0000625")}) as twin:
        yield twin


@pytest.fixture
def salesforce(org: SalesforceTwin) -> Iterator[SalesforceClient]:
    form = {"grant_type": "client_credentials", "client_id": org.app.consumer_key}
    form["client_secret"] = org.app.consumer_secret
    token = requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=5).json()["access_token"]
    client = SalesforceClient(org.url, token)
    yield client
    client.session.close()


@pytest.fixture
def portal(clock: VirtualClock) -> Iterator[HubSpotTwin]:
    twin = HubSpotTwin(clock)
    twin.owner("71", "dewi@example.com", "Dewi", "Wijaya")
    health = Property("health", "enumeration", "select", options=options("green", "yellow", "red"))
    score = Property("score", "number", "number", computed=True)
    twin.property("companies", health, score, Property("arr", "number", "number"), Property("renewal", "date", "date"))
    with twin:
        yield twin


@pytest.fixture
def hubspot(portal: HubSpotTwin) -> Iterator[Client]:
    client = Client(portal.url, portal.app.key)
    yield client
    client.session.close()
