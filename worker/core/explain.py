"""Why an account is flagged, why not higher, what would clear it; or why it is not flagged, trigger by trigger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.core.cases import open_cases
from worker.core.disputes import open_disputes, open_total
from worker.core.model import (
    CHURN_THREAT,
    HEALTH_RED,
    HEALTH_YELLOW,
    MANUAL,
    MULTI_CUSTOMER_BUG,
    PAYMENT_DISPUTE,
    PR_RISK,
    AccountView,
    Assessment,
    Colour,
    Escalation,
    Level,
    Segment,
    Signal,
    Status,
    TriggerId,
)
from worker.core.policy import Policy, TriggerRule
from worker.core.routing import route, told_as_well
from worker.core.silences import hushed
from worker.core.standing import until_when
from worker.core.titles import asks_title, would_change_nothing
from worker.core.triggers import BEFORE_A_LOSS
from worker.core.turn import covered


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer in sections, each a heading with its lines."""

    headline: str
    sections: tuple[tuple[str, tuple[str, ...]], ...]

    def lines(self) -> Iterator[str]:
        """The answer as plain text, a line each."""
        yield self.headline
        for heading, lines in self.sections:
            if lines:
                yield f"{heading}:"
                yield from (f"  {line}" if line.startswith(" ") else f"  - {line}" for line in lines)


def explain(
    view: AccountView, assessment: Assessment, escalation: Escalation | None, policy: Policy, now: datetime
) -> Explanation:
    """Explain one account from what is known now. `escalation` is its latest, open or closed."""
    is_open = escalation is not None and escalation.open
    sections: list[tuple[str, tuple[str, ...]]] = []
    if escalation is not None and escalation.open:
        sections += [
            ("why", tuple(_why(escalation, assessment, policy))),
            ("until when", tuple(until_when(escalation, now))),
            ("who answers", (route(view.account, escalation.level, _lead(assessment), policy, now).because,)),
            ("who is told as well", tuple(_told_as_well(view, escalation, policy, now))),
            ("why not higher", tuple(_why_not_higher(escalation, assessment, policy))),
            ("what would clear it", tuple(_clearing(escalation, policy))),
        ]
    else:
        sections.append(("before", tuple(_before(escalation))))
        sections.append(("evidence that waits", tuple(_waiting(view, escalation, assessment, now))))
    sections.append(("asked of the CSM", tuple(_asked(view, assessment, escalation))))
    fired = {signal.trigger for signal in assessment.signals}
    sections.append(("what does not apply", tuple(_misses(view, policy, now, fired))))
    if not assessment.complete:
        sections.append(("careful", ("not everything could be read: nothing is cleared until it can",)))
    return Explanation(_headline(view, escalation, assessment, policy, is_open=is_open), tuple(sections))


def _headline(
    view: AccountView, escalation: Escalation | None, assessment: Assessment, policy: Policy, *, is_open: bool
) -> str:
    who = f"{view.account.name} ({view.account.id}, {assessment.segment.value.replace('_', ' ')})"
    if escalation is not None and is_open:
        status = escalation.status.value.replace("_", " ")
        return f"{who} is escalated to {escalation.level}, {status}; policy {policy.version}."
    return f"{who} is not escalated; policy {policy.version}."


def _named(trigger: TriggerId) -> str:
    return trigger.replace("_", " ")


def _lead(assessment: Assessment) -> TriggerId | None:
    return None if assessment.decided_by is None else assessment.decided_by.trigger


def _told_as_well(view: AccountView, escalation: Escalation, policy: Policy, now: datetime) -> Iterator[str]:
    rules = [reason.trigger for reason in escalation.reasons]
    for person in told_as_well(view.account, rules, policy, now):
        yield f"{person.name}{f' ({person.title})' * bool(person.title)} is copied on everything"


def _why(escalation: Escalation, assessment: Assessment, policy: Policy) -> Iterator[str]:
    for reason in escalation.reasons:
        gone = "" if reason.gone_at is None else f" (gone since {reason.gone_at:%Y-%m-%d %H:%M} UTC)"
        yield f"{_named(reason.trigger)}: {reason.detail}{gone} [{reason.ref}]"
        signal = next((each for each in assessment.signals if each.fingerprint == reason.fingerprint), None)
        if signal is not None:
            yield from _proof(signal, assessment, policy)
    if escalation.raised_to is not None:
        yield f"the level was set to {escalation.raised_to} by a person or by the ladder"


def _proof(signal: Signal, assessment: Assessment, policy: Policy) -> Iterator[str]:
    if signal.trigger in policy.triggers and signal.trigger != MANUAL:
        row = ", ".join(f"{_plain(name)} {level}" for name, level in policy.triggers[signal.trigger].levels.items())
        yield f"    rule {signal.trigger} ({row}) gives {signal.level} for {_plain(assessment.segment)}"
    if signal.conversion is not None and signal.conversion.rate is not None:
        rate = signal.conversion.rate
        yield f"    converted at {rate.value} {rate.to} for 1 {rate.currency}, the rate of {rate.as_of}"
    if signal.hit is not None:
        hit = signal.hit
        yield f"    phrase {hit.phrase} in the {hit.field}, characters {hit.start} to {hit.end}"


def _why_not_higher(escalation: Escalation, assessment: Assessment, policy: Policy) -> Iterator[str]:
    if escalation.level is Level.L3:
        yield "L3 is the top"
        return
    for signal in assessment.signals:
        if signal.trigger in policy.triggers:
            yield _own_level(signal, assessment.segment, policy.triggers[signal.trigger])
    higher = Level(escalation.level + 1)
    if escalation.status is Status.OPEN:
        yield f"without an acknowledgement it moves to {higher} when the answer is due"
    elif escalation.status is Status.ACKNOWLEDGED and escalation.follow_up is not None:
        yield f"it is acknowledged; it moves to {higher} only if nobody writes a word until the time above"


def _own_level(signal: Signal, segment: Segment, rule: TriggerRule) -> str:
    others = [f"{level} for {_plain(name)}" for name, level in rule.levels.items() if level > signal.level]
    more = f"; it would be {', '.join(others)}" if others else ""
    return f"{_named(signal.trigger)} gives {signal.level} for {_plain(segment)}{more}"


def _plain(segment: Segment) -> str:
    return segment.value.replace("_", " ")


def _clearing(escalation: Escalation, policy: Policy) -> Iterator[str]:
    for reason in escalation.reasons:
        if reason.gone_at is None:
            yield f"{_named(reason.trigger)}: {_cure(reason.trigger, str(reason.ref), policy)}"
    hold = policy.levels[escalation.level].hold.leave
    hours = f"{hold.total_seconds() / 3600:g} h"
    if escalation.level in policy.auto_resolve:
        yield f"when all of it stays away for {hours}, it ends by itself"
    else:
        yield f"when all of it stays away for {hours}, the owner is asked for outcome, root cause and confirmation"
    yield "or a person says resolved, churned, downgraded, false_alarm or duplicate in the override field"


def _cure(trigger: TriggerId, ref: str, policy: Policy) -> str:
    cures: Mapping[TriggerId, str] = {
        HEALTH_RED: "the health score is no longer red",
        HEALTH_YELLOW: "the health score is green again",
        PR_RISK: "the PR risk tick is taken away",
        PAYMENT_DISPUTE: f"the open disputes come to less than {policy.dispute_leave}",
        MULTI_CUSTOMER_BUG: f"fewer than {policy.bug_accounts} accounts have an open case on that bug",
        MANUAL: "the person who asked for it takes it back, or says how it ended",
    }
    return cures.get(trigger, f"{ref} is closed, or no longer says so")


def _asked(view: AccountView, assessment: Assessment, escalation: Escalation | None) -> Iterator[str]:
    for question in assessment.questions:
        if would_change_nothing(question, assessment, escalation):
            yield f"not asked, an executive's complaint would not lift it higher: {question.detail}"
        elif asks_title(question) and question.fingerprint in view.asked:
            yield f"{question.detail} It is asked once for each contact, and was."
        else:
            yield question.detail


def _before(escalation: Escalation | None) -> Iterator[str]:
    if escalation is None:
        yield "it never was"
    elif escalation.resolved_at is not None:
        outcome = "" if escalation.outcome is None else f" as {escalation.outcome.value.replace('_', ' ')}"
        yield f"the last one ({escalation.id}) ended {escalation.resolved_at:%Y-%m-%d %H:%M} UTC{outcome}"


def _waiting(view: AccountView, escalation: Escalation | None, assessment: Assessment, now: datetime) -> Iterator[str]:
    dismissed = frozenset() if escalation is None else escalation.dismissed
    silenced = {signal.fingerprint: silence for silence, signal in hushed(view, assessment, escalation, now)}
    for signal in assessment.signals:
        silence = silenced.get(signal.fingerprint)
        if silence is not None:
            until = f"until {silence.until:%Y-%m-%d %H:%M} UTC"
            yield f"{_named(signal.trigger)}: held back {until} by {silence.by} ({silence.reason}): {signal.detail}"
            continue
        if covered(signal.fingerprint, dismissed):
            yield f"{_named(signal.trigger)}: a person said no to this evidence: {signal.detail}"
        else:
            soon = "It is escalated with the next cycle, unless a brake holds it."
            yield f"{_named(signal.trigger)}: {signal.detail} {soon}"


def _misses(view: AccountView, policy: Policy, now: datetime, fired: set[TriggerId]) -> Iterator[str]:
    """For each trigger that does not hold: what fails, and how far it is away."""
    for trigger, rule in policy.triggers.items():
        if trigger in fired:
            continue
        why = _miss(trigger, view, policy, now) if rule.enabled else "switched off"
        yield f"{_named(trigger)}: {why}"


def _miss(trigger: TriggerId, view: AccountView, policy: Policy, now: datetime) -> str:
    if trigger in BEFORE_A_LOSS and view.account.has_left(now.date()):
        return f"the customer left on {view.account.churned_on}"
    health = view.account.health
    if trigger in (HEALTH_RED, HEALTH_YELLOW):
        wanted = Colour.RED if trigger == HEALTH_RED else Colour.YELLOW
        return f"the health score is {health.colour.value}, not {wanted.value}"
    if trigger in (PR_RISK, MANUAL):
        return "nobody marked a PR risk" if trigger == PR_RISK else "nobody asked for it in the override field"
    if trigger == PAYMENT_DISPUTE:
        return _dispute_miss(view, policy, now)
    if trigger == MULTI_CUSTOMER_BUG:
        return _bug_miss(view, policy)
    return _case_miss(trigger, view)


def _bug_miss(view: AccountView, policy: Policy) -> str:
    most = max((len(reach.accounts) for reach in view.bugs), default=0)
    if not most:
        return "no open case is on a known bug"
    return f"its bugs hit {most} account{'s' * (most != 1)}; it takes {policy.bug_accounts}"


def _case_miss(trigger: TriggerId, view: AccountView) -> str:
    cases = sum(1 for _ in open_cases(view))
    which = "the one open case neither is filed as it nor reads like it"
    if cases != 1:
        which = f"none of the {cases} open cases is filed as it or reads like it" if cases else "no open case"
    return f"{which}, and no CRM field says it" if trigger == CHURN_THREAT else which


def _dispute_miss(view: AccountView, policy: Policy, now: datetime) -> str:
    count = sum(1 for _ in open_disputes(view))
    known = open_total(view, policy, now)
    if count == 0:
        return "no open dispute"
    if known is None:
        return f"{count} open disputes, one without amount or rate: it was asked for"
    return f"the open disputes come to {known}; it must be more than {policy.dispute_enter}"
