"""Exactly one note, whatever becomes of the call, the process and the answer: the real delivery on a virtual clock.

Most run twice: in a portal where notes may have a unique property, and in one where only the mark can be looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from connectors.base import CreateNote, CreateTask, Result
from connectors.crm.hubspot.connector import HubSpotConnector
from connectors.twins.hubspot import HubSpotTwin
from connectors.twins.web import VirtualClock
from tests.hubspot.conftest import Rig
from tests.hubspot.harness import on_twin
from tests.hubspot.stub import NOW, Fault, Time, body, refused
from worker.core.model import AccountId, ConnectorName, Event, Level, RecordKind
from worker.deliver import Deliverer
from worker.lanes import CrmLane
from worker.mapping import CrmMapping
from worker.patience import Patience
from worker.store import outbox
from worker.store.codec import encode
from worker.store.database import Store, open_store
from worker.store.deliveries import Intent, Kind, State
from worker.wiring import Crm

CRM = ConnectorName("hubspot")
CREATE = "notes/batch/create"


class Killed(BaseException):
    """kill -9."""


@dataclass
class TestPorts:
    """The worker's doors on the rig's clock; dies at a named point once."""

    __test__ = False
    time: Time
    name: str = "w1"
    die_at: str = ""
    passed: list[str] = field(default_factory=list)

    def now(self) -> datetime:
        return self.time.now()

    def monotonic(self) -> float:
        return self.time.monotonic()

    def sleep(self, seconds: float) -> None:
        self.time.sleep(seconds)

    def draw(self) -> float:
        return 0.5

    def worker_id(self) -> str:
        return self.name

    def at(self, point: str) -> None:
        self.passed.append(point)
        if point == self.die_at:
            self.die_at = ""
            raise Killed


@dataclass
class Post:
    """One note in the outbox of a worker, and the means to deliver it."""

    rig: Rig
    store: Store
    ports: TestPorts
    connector: HubSpotConnector
    mode: str

    def deliverer(self, connector: HubSpotConnector | None = None, ports: TestPorts | None = None) -> Deliverer:
        crm = Crm(CRM, connector or self.connector, self.rig.mapping)
        return Deliverer([CrmLane(crm)], self.store, ports or self.ports, Patience())

    def run(self, deliverer: Deliverer, minutes: int = 12, step: int = 60) -> None:
        for _ in range(minutes * 60 // step):
            deliverer.run()
            self.rig.time.pass_by(step)

    def notes(self) -> list[str]:
        bodies = [each["properties"]["hs_note_body"] for each in self.rig.portal.objects.get("notes", {}).values()]
        return [each for each in bodies if "Ref ESC-n1" in each]

    def states(self) -> list[State]:
        with self.store.read() as tx:
            return [each.state for each in outbox.of_kind(tx, CRM, Kind.NOTE)]

    def on_page(self, company: str) -> int:
        return len({each for each, _ in self.rig.portal.links.get(("companies", "notes"), {}).get(company, [])})


@pytest.fixture(params=["by property", "by mark"])
def post(request: pytest.FixtureRequest, rig: Rig, company: str, tmp_path: Path) -> Iterator[Post]:
    if request.param == "by mark":
        for object_type in ("notes", "tasks"):
            del rig.portal.definitions[object_type]["escalation_key"]
    connector, ports = rig.connect(), TestPorts(rig.time)
    store = open_store(f"sqlite:///{tmp_path / 'state.sqlite'}", ports)
    note = CreateNote("n1", company, "Escalated", "body", NOW)
    with store.begin() as tx:
        intent = Intent(
            *("n1", CRM, Kind.NOTE, CRM, AccountId(company), "e1", Event.OPENED, 1, Level.L2),
            payload=encode(note),
        )
        outbox.enqueue(tx, [intent], ports.now())
    yield Post(rig, store, ports, connector, request.param)
    store.close()


def test_the_answer_is_lost_after_the_note_was_made(post: Post, company: str) -> None:
    """Trap 8: the server stores, then drops the line: one note, on its page, and the outbox knows it."""
    post.rig.portal.faults.append(Fault(CREATE, drop_after=True))
    post.run(post.deliverer())

    assert (len(post.notes()), post.on_page(company), post.states()) == (1, 1, [State.DONE])


def test_nobody_listens_at_first(post: Post, company: str) -> None:
    """Trap 9: a refused connection surely did nothing; the note is made once when HubSpot is back."""
    deaf = post.rig.connect(host="http://127.0.0.1:9")
    post.run(post.deliverer(deaf), minutes=2)
    before = (post.notes(), post.states())
    post.run(post.deliverer())

    assert before == ([], [State.NEW])
    assert (len(post.notes()), post.on_page(company), post.states()) == (1, 1, [State.DONE])


@pytest.mark.parametrize("stored", [True, False])
def test_a_fault_of_the_server_before_and_after_storing(post: Post, company: str, *, stored: bool) -> None:
    """Trap 10: 500 after storing is looked up; 500 before storing ends in one note as well."""
    answer = body(*refused("INTERNAL_ERROR", "oops", 500))
    post.rig.portal.faults.append(Fault(CREATE, answer, apply_first=stored))
    post.run(post.deliverer())

    assert (len(post.notes()), post.on_page(company), post.states()) == (1, 1, [State.DONE])


@pytest.mark.parametrize("content", [b"<html>sign in</html>", {"results": []}, {}])
def test_an_answer_that_is_none_proves_nothing(post: Post, company: str, content: object) -> None:
    """Trap 10: HTML, or 2xx without an id, is no proof of a note and none of its absence."""
    post.rig.portal.faults.append(Fault(CREATE, body(200, content), apply_first=True))
    post.run(post.deliverer())

    assert (len(post.notes()), post.on_page(company), post.states()) == (1, 1, [State.DONE])


def test_associations_that_show_late_make_no_second_note(post: Post, company: str) -> None:
    """Trap 11: the list lags for a while; nothing is sent again before the look-up lag is over."""
    post.rig.portal.link_lag = 100.0
    post.rig.portal.faults.append(Fault(CREATE, drop_after=True))
    post.run(post.deliverer(), minutes=4, step=5)

    assert (len(post.notes()), post.states()) == (1, [State.DONE])


def test_a_look_up_that_fails_is_no_proof_of_absence(post: Post, company: str) -> None:
    """Trap 11: as long as HubSpot cannot say whether the note is there, none is sent."""
    ending = "associations/2026-09/companies/notes/batch/read" if post.mode == "by mark" else "notes/batch/read"
    post.rig.portal.faults.append(Fault(CREATE, drop_after=True))
    post.rig.portal.faults.append(Fault(ending, body(200, {"total": 0}), times=3))
    post.run(post.deliverer(), minutes=25)

    assert (len(post.notes()), post.states()) == (1, [State.DONE])


@pytest.mark.parametrize("point", ["claimed", "send:before", "send:after"])
def test_the_process_is_killed_on_the_way(post: Post, company: str, point: str) -> None:
    """Trap 12: a restart looks up what the dead process did, and there is one note."""
    post.ports.die_at = point
    with pytest.raises(Killed):
        post.deliverer().run()
    post.run(post.deliverer(post.rig.connect()))

    assert (len(post.notes()), post.on_page(company), post.states()) == (1, 1, [State.DONE])


def test_two_workers_take_one_row_once(post: Post) -> None:
    """Trap 13: the row is claimed by one of them, and HubSpot is asked once."""
    other = post.deliverer(post.rig.connect(), TestPorts(post.rig.time, "w2"))
    first = post.deliverer()
    for each in (first, other, first, other):
        each.run()

    assert len(post.notes()) == 1
    assert len(post.rig.portal.asked(CREATE)) == 1


@pytest.mark.parametrize("post", ["by property"], indirect=True)
def test_a_key_that_hubspot_has_already_is_done_whoever_made_it(post: Post, company: str) -> None:
    """Trap 12: a process that knows nothing of the first one's note is refused by HubSpot, and finds it by its key."""
    note = CreateNote("n2", company, "t", "b", NOW)
    first = post.connector.write([note])[0]
    second = post.rig.connect().write([note])[0]

    assert (first.result, second.result) == (Result.APPLIED, Result.ALREADY_APPLIED)
    assert first.remote_id == second.remote_id


def test_the_same_key_is_one_note_and_one_task(post: Post, company: str) -> None:
    note = CreateNote("n1", company, "t", "b", NOW)
    task = CreateTask("t1", company, "101", "subject", "b", NOW)
    results = [post.connector.write([each])[0].result for each in (note, task, note, task)]

    assert results == [Result.APPLIED, Result.APPLIED, Result.ALREADY_APPLIED, Result.ALREADY_APPLIED]
    assert post.connector.count(["n1", "t1", "zz"], [company]) == {"n1": 1, "t1": 1, "zz": 0}


@pytest.mark.parametrize("post", ["by mark"], indirect=True)
def test_a_doubled_note_is_counted(post: Post, company: str) -> None:
    """What `audit` rests on: a person's copy of our note is seen as a second one, where HubSpot lets it be made."""
    post.connector.write([CreateNote("n1", company, "t", "b", NOW)])
    copy = post.rig.portal.put("notes", "99", hs_note_body="<p>copied</p><p>Ref ESC-n1</p>")
    post.rig.portal.link("notes", copy, "companies", company, 190)

    assert post.connector.count(["n1"], [company]) == {"n1": 2}


def test_an_anchor_ticket_is_made_once_and_is_no_case(rig: Rig, company: str) -> None:
    for object_type in ("notes", "tasks"):
        del rig.portal.definitions[object_type]["escalation_key"]
    connector = rig.connect(anchor="ticket")
    connector.setup(rig.mapping.needs(), dry_run=False)
    for object_type in ("notes", "tasks"):
        rig.portal.definitions[object_type].pop("escalation_key", None)
    connector = rig.connect(anchor="ticket")
    results = [connector.write([CreateNote(key, company, "t", "b", NOW)])[0] for key in ("n1", "n2")]
    (anchor,) = rig.portal.objects["tickets"]
    linked = {key for key, _ in rig.portal.links["tickets", "notes"][anchor]}

    assert linked == {each.remote_id for each in results}
    assert [key for key, _ in rig.portal.links["tickets", "companies"][anchor]] == [company]
    assert connector.find(["n1", "n2", "zz"], [company]) == {"n1": results[0].remote_id, "n2": results[1].remote_id}
    assert [page.rows for page in connector.pull(rig.mapping.query(RecordKind.CASE)) if page.rows] == []


def test_the_twin_with_unique_notes_refuses_the_second_of_a_key(time: VirtualClock, mapping: CrmMapping) -> None:
    """Trap 12: the strict twin's refusal, whose words are its own, is understood by looking for the key."""
    with HubSpotTwin(time, unique_notes=True) as twin:
        connector, other = on_twin(twin, time), on_twin(twin, time)
        connector.setup(mapping.needs(), dry_run=False)
        company = twin.put("companies", name="PT")
        notes = [CreateNote(f"n{number}", company, "t", "b", NOW) for number in range(3)]
        first = [connector.write([each])[0] for each in notes[:2]]
        second = [other.write([each])[0] for each in notes]

        assert [each.result for each in first] == [Result.APPLIED] * 2
        assert [each.result for each in second] == [Result.ALREADY_APPLIED] * 2 + [Result.APPLIED]
        assert len(twin.linked("companies", company, "notes")) == 3
