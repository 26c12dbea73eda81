"""Who complains without a title may be an executive: the CSM is asked, once a contact and only where it matters."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.core.world import World, kinds
from worker.core.explain import explain
from worker.core.model import AddTask, CaseStatus, Certainty, Event, Level, RecordKind, RecordRef, TaskKind, TextHit
from worker.core.triggers import assess


@pytest.fixture
def world(make) -> World:
    return World(make)


def complaint(make, key: str = "c1", who: str = "Budi", **changes: object):
    return make.case(key, **{"category": "complaint", "reporter": who, "untitled": True, **changes})


def asked(decision) -> list[str]:
    return [task.subject for task in kinds(decision, AddTask) if task.kind is TaskKind.QUESTION]


def test_a_complaint_without_a_title_is_asked_of_the_csm(world, make) -> None:
    decision = world.step(make.view(cases=(complaint(make),)))
    (task,) = kinds(decision, AddTask)

    assert (decision.escalation, task.event, task.assignee.id) == (None, Event.QUESTION, "dewi")
    assert task.subject == (
        "Budi complains in case c1 and has no title in the CRM: which is it? "
        "Write it at the contact; an executive's complaint is escalated."
    )


@pytest.mark.parametrize("trigger", ["churn_threat", "payment_dispute"])
def test_an_angry_text_is_a_complaint_as_well(world, make, trigger) -> None:
    hit = TextHit(trigger, RecordRef(RecordKind.CASE, "c1"), "text", "p", "t", 0, 1, Certainty.CERTAIN)
    case = complaint(make, category="", amount=make.money("5000"))

    assert any("has no title" in each for each in asked(world.step(make.view(cases=(case,), hits=(hit,)))))


@pytest.mark.parametrize(
    "changes",
    [
        {"category": ""},
        {"untitled": False, "reporter_title": "Staff"},
        {"untitled": False},
        {"status": CaseStatus.CLOSED},
        {"category": "executive_complaint"},
    ],
    ids=["everyday question", "titled", "no place for titles", "closed", "filed as an executive's"],
)
def test_where_the_title_decides_nothing_nobody_is_asked(world, make, changes) -> None:
    assert asked(world.step(make.view(cases=(complaint(make, **changes),)))) == []


def test_a_contact_is_asked_about_once_whatever_they_write_next(world, make) -> None:
    world.step(make.view(cases=(complaint(make),)))
    world.step(make.view(cases=(complaint(make, status=CaseStatus.CLOSED),)), after=timedelta(days=1))
    again = world.step(make.view(cases=(complaint(make, "c2", who="budi "),)), after=timedelta(days=40))
    other = world.step(make.view(cases=(complaint(make, "c3", who="Sinta"),)))

    assert asked(again) == []
    assert len(asked(other)) == 1


def test_an_account_is_asked_about_three_contacts_at_a_time_the_oldest_complaints_first(world, make) -> None:
    names = ["Eka", "Dian", "Citra", "Budi", "Ayu"]
    cases = [
        complaint(make, f"c{n}", who=name, opened_at=make.now - timedelta(hours=n)) for n, name in enumerate(names)
    ]
    first = world.step(make.view(cases=tuple(cases)))
    answered = [replace(case, untitled=False, reporter_title="Staff") for case in cases[3:]]
    second = world.step(make.view(cases=(*cases[:3], *answered)))

    assert [text.split()[0] for text in asked(first)] == ["Ayu", "Budi", "Citra"]
    assert [text.split()[0] for text in asked(second)] == ["Dian", "Eka"]


def test_the_title_in_the_crm_escalates_by_itself(world, make) -> None:
    world.step(make.view(cases=(complaint(make),)))
    known = complaint(make, untitled=False, reporter_title="Direktur Utama")
    decision = world.step(make.view(cases=(known,)), after=timedelta(days=3))

    assert (decision.escalation.level, decision.escalation.reasons[0].trigger) == (Level.L2, "executive_complaint")
    assert decision.trail[0].because == "Budi (Direktur Utama) complains in case c1."


def test_nobody_is_asked_where_the_account_stands_as_high_already(world, make) -> None:
    legal = make.case("c9", category="legal_compliance")
    quiet = world.step(make.view(cases=(complaint(make), legal)))
    lower = World(make)
    yellow = make.view(account=make.account(pr_risk=False, churn_signals=("cancels",)), cases=(complaint(make),))
    raised = World(make)
    raised.step(make.red())
    held_up = raised.step(make.view(cases=(complaint(make),)), after=timedelta(minutes=5))

    assert asked(quiet) == []
    assert len(asked(lower.step(yellow))) == 1
    assert (held_up.escalation.level, asked(held_up)) == (Level.L2, [])


def test_a_phrase_that_may_mean_an_executive_is_the_one_question(world, make) -> None:
    ref = RecordRef(RecordKind.CASE, "c1")
    hit = TextHit("executive_complaint", ref, "text", "p", "our director", 0, 1, Certainty.POSSIBLE)
    questions = asked(world.step(make.view(cases=(complaint(make),), hits=(hit,))))

    assert len(questions) == 1
    assert "may mean it" in questions[0]


def test_without_a_csm_the_question_waits_for_one(world, make) -> None:
    world.policy = make.policy(people={})
    vacant = make.account(owner=None, manager=None)
    nobody = world.step(make.view(account=vacant, cases=(complaint(make),)))

    assert asked(nobody) == []
    assert len(asked(world.step(make.view(cases=(complaint(make),))))) == 1


def test_explain_shows_what_is_asked_and_why_something_is_not(world, make) -> None:
    def lines(view) -> str:
        seen = replace(view, asked=world.asked)
        assessment = assess(seen, world.policy, world.now)
        return "\n".join(explain(seen, assessment, world.current, world.policy, world.now).lines())

    view = make.view(cases=(complaint(make),))
    before = lines(view)
    world.step(view)
    legal = make.view(cases=(complaint(make), make.case("c9", category="legal_compliance")))

    assert "asked of the CSM:\n  - Budi complains in case c1 and has no title" in before
    assert "an executive's complaint is escalated. It is asked once for each contact, and was." in lines(view)
    assert "not asked, an executive's complaint would not lift it higher: Budi complains" in lines(legal)
