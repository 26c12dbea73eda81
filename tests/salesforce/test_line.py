"""The line: traps 7, 9 and 42, and the limits of every answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from connectors.base import FatalError, RetryableError
from connectors.crm.salesforce import SalesforceConnector, connect
from connectors.crm.salesforce.transport import ElsewhereError
from tests.salesforce.cases import always, fill, ids_of, once
from tests.salesforce.conftest import Make
from tests.salesforce.stub import Org, Reply
from worker.mapping import CrmMapping


def test_trap_07_a_server_that_never_answers_costs_the_timeout_only(org: Org, make: Make, mapping: CrmMapping) -> None:
    fill(org, 1)
    connector = make(timeout=1.0)
    ids_of(connector, mapping)
    org.faults.append(once("queryAll", Reply(hold=4.0)))
    began = time.monotonic()
    with pytest.raises(RetryableError, match="no answer"):
        ids_of(connector, mapping)

    assert time.monotonic() - began < 3.5
    assert len(ids_of(connector, mapping)) == 1


@contextmanager
def dripping() -> Iterator[str]:
    """A server whose answer never ends, a byte at a time."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        line, _ = listener.accept()
        line.recv(65536)
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not stop.wait(0.02):
            try:
                line.sendall(b" " * 300_000)
            except OSError:
                break
        line.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    stop.set()
    thread.join(2)
    listener.close()


def test_trap_07_an_answer_has_a_deadline_as_a_whole(mapping: CrmMapping) -> None:
    with dripping() as url:
        settings = {"instance_url": url, "allow_loopback_http": True, "client_id": "x", "client_secret": "y"}
        connector = connect({**settings, "deadline": 0.03, "timeout": 5})
        with pytest.raises(RetryableError):
            ids_of(connector, mapping)
        connector.close()


def test_trap_09_a_line_that_the_server_closed_meanwhile_is_opened_anew(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 2)
    ids_of(connector, mapping)
    org.faults.append(once("queryAll", lambda call: Reply(body=org.served(call).body, headers={"Connection": "close"})))
    ids_of(connector, mapping)

    assert len(ids_of(connector, mapping)) == 2


def test_an_answer_beyond_all_measure_is_left(org: Org, make: Make, mapping: CrmMapping) -> None:
    connector = make(largest_answer_mb=1)
    org.faults.append(always("describe", Reply(200, "x" * 1_100_000)))
    with pytest.raises(RetryableError, match="TooLargeError"):
        ids_of(connector, mapping)


def test_no_redirect_is_followed(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    """A token must not leave for another host."""
    org.faults.append(always("describe", Reply(302, "", {"Location": "https://elsewhere.example/"})))
    with pytest.raises(FatalError) as refused:
        ids_of(connector, mapping)

    assert "My Domain" in refused.value.remedy


def test_no_request_leaves_for_another_host(connector: SalesforceConnector) -> None:
    with pytest.raises(ElsewhereError, match=r"elsewhere\.example"):
        connector._client._session.get("https://elsewhere.example/services/data")


def test_a_host_that_is_not_there_is_named(mapping: CrmMapping) -> None:
    settings = {
        "instance_url": "http://127.0.0.1:9",
        "allow_loopback_http": True,
        "client_id": "x",
        "client_secret": "y",
    }
    with pytest.raises(RetryableError, match=r"127\.0\.0\.1:9") as refused:
        ids_of(connect(settings), mapping)

    assert "instance_url" in refused.value.remedy
