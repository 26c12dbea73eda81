"""What both twins stand on: faults by number and by pattern, before and after the call is done."""

import time

import pytest
import requests

from connectors.twins.faults import AFTER, Fault
from connectors.twins.salesforce import SalesforceTwin


@pytest.fixture
def account(org, salesforce):
    return org.put("Account", Name="Alfa")


def rename(salesforce, account):
    return salesforce.at("PATCH", f"sobjects/Account/{account}", {"Name": "Beta"})


def attempted(salesforce, account):
    """The answer, or the name of what broke."""
    try:
        return rename(salesforce, account)
    except requests.RequestException as error:
        return type(error).__name__


@pytest.mark.parametrize("fault", Fault)
def test_a_call_is_done_or_not_as_its_fault_says(org: SalesforceTwin, salesforce, account, fault):
    org.hang_seconds = org.slow_seconds = 0.05
    org.faults.on("PATCH .*/sobjects/", fault)

    attempted(salesforce, account)

    assert (org.record(account)["Name"] == "Beta") is (fault in AFTER)


@pytest.mark.parametrize(
    ("fault", "shows"),
    [
        (Fault.REFUSE, "ConnectionError"),
        (Fault.RESET_AFTER, "ConnectionError"),
        (Fault.HANG, "ConnectionError"),
        (Fault.HANG_AFTER, "ConnectionError"),
        (Fault.HTML_200, 200),
        (Fault.HTML_503, 503),
        (Fault.GARBLED_502, 502),
        (Fault.BROKEN_AFTER, 500),
        (Fault.UNAUTHORIZED, 401),
        (Fault.LIMIT, 403),
        (Fault.SLOW, 204),
    ],
)
def test_what_a_fault_looks_like_from_outside(org, salesforce, account, fault, shows):
    org.hang_seconds = org.slow_seconds = 0.05
    org.faults.on("PATCH", fault)

    seen = attempted(salesforce, account)

    assert getattr(seen, "status_code", seen) == shows


def test_a_truncated_body_is_shorter_than_it_says(org, salesforce, account):
    org.faults.on("GET", Fault.TRUNCATED)

    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        salesforce.at("GET", "limits")


def test_orders_are_used_up_one_call_each_and_standing_orders_last_until_cleared(org, salesforce):
    org.faults.on("limits", Fault.HTML_503, Fault.HTML_503)
    org.faults.always("sobjects", Fault.HTML_503)

    limits = [salesforce.at("GET", "limits").status_code for _ in range(3)]
    objects = [salesforce.at("GET", "sobjects").status_code for _ in range(3)]
    org.faults.clear()

    assert limits == [503, 503, 200]
    assert objects == [503, 503, 503]
    assert salesforce.at("GET", "sobjects").status_code == 200


def test_a_fault_by_number_meets_that_call_only(org, salesforce):
    org.faults.at(len(org.calls) + 2, Fault.LIMIT)

    assert [salesforce.at("GET", "limits").status_code for _ in range(3)] == [200, 403, 200]


def test_an_idle_connection_that_was_closed_is_not_noticed_by_a_client_that_opens_a_new_one(org, salesforce):
    salesforce.at("GET", "limits")
    org.hang_up()

    assert salesforce.at("GET", "limits").status_code == 200


def test_the_date_header_tells_the_twins_own_time(org, salesforce, clock):
    assert salesforce.at("GET", "limits").headers["Date"] == "Tue, 24 Nov 2026 02:00:00 GMT"


def test_a_slow_body_takes_its_time(org, salesforce):
    org.slow_seconds = 0.2
    org.faults.on("limits", Fault.SLOW)
    started = time.monotonic()

    assert salesforce.at("GET", "limits").json()["DailyApiRequests"]
    assert time.monotonic() - started >= 0.15


def test_every_call_is_logged_with_its_body(org, salesforce, account):
    rename(salesforce, account)

    last = org.calls[-1]

    assert (last.method, last.path) == ("PATCH", f"/services/data/v62.0/sobjects/Account/{account}")
    assert last.json() == {"Name": "Beta"}
