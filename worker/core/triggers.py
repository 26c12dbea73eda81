"""The triggers: one pure function each, from what is known of an account to signals with their proof.

A signal escalates; a question (POSSIBLE) only asks the CSM: a weak phrase, an amount without a rate, a health score
that is old or not understood. A fingerprint names the evidence and nothing else, so the same evidence is the same
signal after any restart, and only new evidence is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from worker.core.cases import case_signal, case_signals, open_cases
from worker.core.disputes import payment_dispute
from worker.core.model import (
    BUILT_IN_TRIGGERS,
    CHURN_THREAT,
    EXECUTIVE_COMPLAINT,
    HEALTH_RED,
    HEALTH_YELLOW,
    LEGAL_COMPLIANCE,
    MANUAL,
    MULTI_CUSTOMER_BUG,
    PAYMENT_DISPUTE,
    PR_RISK,
    SECURITY_INCIDENT,
    Account,
    AccountView,
    Assessment,
    Case,
    Certainty,
    Colour,
    Level,
    Segment,
    Signal,
    TextHit,
    TriggerId,
    Wish,
)
from worker.core.policy import CustomTrigger, Policy, Verdict
from worker.core.titles import title_questions

_COMPLAINTS = frozenset({CHURN_THREAT, LEGAL_COMPLIANCE, SECURITY_INCIDENT, EXECUTIVE_COMPLAINT, PAYMENT_DISPUTE})
BEFORE_A_LOSS = frozenset({CHURN_THREAT, HEALTH_RED, HEALTH_YELLOW})
"""What warns that a customer may leave. Of one who has left it is no news; their lawyers and disputes still are."""

_MANUAL_LEVELS = {Wish.MANUAL_L1: Level.L1, Wish.MANUAL_L2: Level.L2, Wish.MANUAL_L3: Level.L3}

Trigger = Callable[[AccountView, Policy, datetime], Iterator[Signal]]


def segment_of(account: Account, policy: Policy, now: datetime) -> Segment:
    """How much an account weighs: strategic by tier only, high-value by tier or by ARR at the present rate."""
    tier = account.tier.casefold()
    if tier in {each.casefold() for each in policy.strategic_tiers}:
        return Segment.STRATEGIC
    if tier in {each.casefold() for each in policy.high_value_tiers}:
        return Segment.HIGH_VALUE
    converted = None if account.arr is None else policy.rates.convert(account.arr, now.date())
    if converted is not None and converted.result >= policy.high_value_arr:
        return Segment.HIGH_VALUE
    return Segment.STANDARD


def assess(view: AccountView, policy: Policy, now: datetime) -> Assessment:
    """Everything that the policy sees in an account.

    A trigger that fails becomes a question that names it, and makes the assessment incomplete: nothing is cleared then.
    """
    segment = segment_of(view.account, policy, now)
    found: list[Signal] = []
    complete = view.complete
    moot = BEFORE_A_LOSS if view.account.has_left(now.date()) else frozenset()
    for trigger, function in _functions(policy).items():
        if trigger in moot:
            continue
        try:
            found.extend(_levelled(signal, policy, segment) for signal in function(view, policy, now))
        except Exception as error:  # noqa: BLE001  one rule's fault must not stop the others (I8)
            complete = False
            found.append(_broken(trigger, view, now, error))
    certain = [signal for signal in found if signal.certainty is Certainty.CERTAIN]
    settled = {(signal.trigger, signal.ref) for signal in certain}
    questions = [
        signal
        for signal in found
        if signal.certainty is Certainty.POSSIBLE and (signal.trigger, signal.ref) not in settled
    ]
    decided_by = max(certain, key=lambda signal: signal.level, default=None)
    return Assessment(
        view.account.id,
        segment,
        tuple(certain),
        tuple(questions),
        None if decided_by is None else decided_by.level,
        decided_by,
        complete,
    )


def _functions(policy: Policy) -> Mapping[TriggerId, Trigger]:
    enabled = {each: _BUILT_IN[each] for each in BUILT_IN_TRIGGERS if each in policy.triggers and _on(policy, each)}
    custom = {each.id: _custom(each) for each in policy.custom if _on(policy, each.id)}
    return {**enabled, **custom}


def _on(policy: Policy, trigger: TriggerId) -> bool:
    return policy.triggers[trigger].enabled if trigger in policy.triggers else True


def _levelled(signal: Signal, policy: Policy, segment: Segment) -> Signal:
    if signal.trigger == MANUAL:
        return signal
    return replace(signal, level=policy.triggers[signal.trigger].levels[segment])


def _broken(trigger: TriggerId, view: AccountView, now: datetime, error: Exception) -> Signal:
    detail = f"The trigger {trigger} could not be evaluated ({type(error).__name__}: {error}); look at this account."
    return Signal(trigger, view.account.ref, detail, now, f"{trigger}:broken", Certainty.POSSIBLE)


def churn_threat(view: AccountView, _policy: Policy, now: datetime) -> Iterator[Signal]:
    """A structured sign in a CRM field, or the customer's own words."""
    since = view.account.modified_at or now
    for sign in view.account.churn_signals:
        yield Signal(CHURN_THREAT, view.account.ref, f"The CRM says: {sign}.", since, f"churn_threat:field:{sign}")
    yield from case_signals(CHURN_THREAT, view, now)


def legal_compliance(view: AccountView, _policy: Policy, now: datetime) -> Iterator[Signal]:
    """A legal or compliance matter."""
    yield from case_signals(LEGAL_COMPLIANCE, view, now)


def security_incident(view: AccountView, _policy: Policy, now: datetime) -> Iterator[Signal]:
    """A data breach or security incident."""
    yield from case_signals(SECURITY_INCIDENT, view, now)


def executive_complaint(view: AccountView, policy: Policy, now: datetime) -> Iterator[Signal]:
    """A complaint by an executive: filed so, said so, or a complaint whose reporter's title says so.

    An executive's everyday question is not a complaint: the case must be one by its category or its words. Who
    complains without a title may be one: that is a question.
    """
    untitled: list[Case] = []
    for case in open_cases(view):
        signal = case_signal(EXECUTIVE_COMPLAINT, case, view.hits, now)
        if signal is not None and signal.certainty is Certainty.CERTAIN:
            yield signal
        elif _is_executive(case.reporter_title, policy) and _is_complaint(case, view.hits):
            detail = f"{case.reporter or 'The reporter'} ({case.reporter_title}) complains in case {case.id}."
            yield Signal(
                EXECUTIVE_COMPLAINT, case.ref, detail, case.opened_at or now, f"{EXECUTIVE_COMPLAINT}:case:{case.id}"
            )
        elif signal is not None:
            yield signal
        elif case.untitled and _is_complaint(case, view.hits):
            untitled.append(case)
    if policy.executive_titles and not view.account.deleted:
        yield from title_questions(untitled, now)


def _is_executive(title: str, policy: Policy) -> bool:
    words = f" {' '.join(''.join(each if each.isalnum() else ' ' for each in title.casefold()).split())} "
    return any(each in words for each in _as_words(policy.executive_titles))


@lru_cache(maxsize=8)
def _as_words(titles: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f" {' '.join(each.casefold().replace('-', ' ').split())} " for each in titles)


def _is_complaint(case: Case, hits: Sequence[TextHit]) -> bool:
    filed = case.category in _COMPLAINTS or case.category == "complaint"
    return filed or any(hit.ref == case.ref and hit.certainty is Certainty.CERTAIN for hit in hits)


def multi_customer_bug(view: AccountView, policy: Policy, now: datetime) -> Iterator[Signal]:
    """One bug with an open case at several distinct accounts; every account concerned is escalated.

    What customers only say of others is a question: the count decides.
    """
    counted = {reach.key: reach.accounts for reach in view.bugs}
    told: set[str] = set()
    for case in open_cases(view):
        accounts = counted.get(case.bug_key) if case.bug_key is not None else None
        if accounts is not None and len(accounts) >= policy.bug_accounts and case.bug_key not in told:
            told.add(str(case.bug_key))
            others = len(accounts - {view.account.id})
            detail = f"Bug {case.bug_key} (case {case.id}) also hits {others} other account{'s' * (others != 1)}."
            yield Signal(
                MULTI_CUSTOMER_BUG, case.ref, detail, case.opened_at or now, f"{MULTI_CUSTOMER_BUG}:{case.bug_key}"
            )
        elif case.bug_key is None:
            yield from _said_of_others(case, view, now)


def _said_of_others(case: Case, view: AccountView, now: datetime) -> Iterator[Signal]:
    signal = case_signal(MULTI_CUSTOMER_BUG, case, view.hits, now)
    if signal is None:
        return
    if case.category == MULTI_CUSTOMER_BUG:
        yield signal
        return
    detail = f"{signal.detail} Which bug is it? Give the case its bug key."
    yield replace(
        signal, certainty=Certainty.POSSIBLE, detail=detail, fingerprint=f"{MULTI_CUSTOMER_BUG}:case:{case.id}:key"
    )


def health_red(view: AccountView, policy: Policy, now: datetime) -> Iterator[Signal]:
    """A red health score; an old one, or one that the mapping does not know, is a question."""
    yield from _health(HEALTH_RED, Colour.RED, view, policy, now)
    if view.account.health.colour is Colour.UNKNOWN:
        detail = "The health score is empty or not understood: how is the account?"
        yield Signal(HEALTH_RED, view.account.ref, detail, now, f"{HEALTH_RED}:unknown", Certainty.POSSIBLE)


def health_yellow(view: AccountView, policy: Policy, now: datetime) -> Iterator[Signal]:
    """A yellow health score."""
    yield from _health(HEALTH_YELLOW, Colour.YELLOW, view, policy, now)


def _health(trigger: TriggerId, colour: Colour, view: AccountView, policy: Policy, now: datetime) -> Iterator[Signal]:
    health = view.account.health
    if health.colour is not colour:
        return
    score = "" if health.score is None else f", score {health.score.normalize():f}"
    as_of = "" if health.as_of is None else f", as of {health.as_of:%Y-%m-%d}"
    occurred = health.as_of or view.account.modified_at or now
    if health.as_of is not None and now - health.as_of > policy.health_stale_after:
        detail = f"The health score is {colour.value}{score}, but old{as_of}: is it still so?"
        yield Signal(trigger, view.account.ref, detail, occurred, f"{trigger}:stale", Certainty.POSSIBLE)
        return
    detail = f"The health score is {colour.value}{score}{as_of}."
    yield Signal(trigger, view.account.ref, detail, occurred, str(trigger))


def pr_risk(view: AccountView, _policy: Policy, now: datetime) -> Iterator[Signal]:
    """A person has ticked PR risk."""
    if view.account.pr_risk:
        since = view.account.modified_at or now
        yield Signal(PR_RISK, view.account.ref, "A person marked a PR risk in the CRM.", since, str(PR_RISK))


def manual(view: AccountView, _policy: Policy, now: datetime) -> Iterator[Signal]:
    """A person asks for an escalation in the override field."""
    level = _MANUAL_LEVELS.get(view.account.override.wish)
    if level is not None:
        override = view.account.override
        why = f": {override.outcome_note}" if override.outcome_note else " and gave no reason yet"
        detail = f"{override.by or 'A person'} asked for {level} in the CRM{why}."
        yield Signal(MANUAL, view.account.ref, detail, now, f"{MANUAL}:{override.wish.value}", level=level)


def _custom(rule: CustomTrigger) -> Trigger:
    def evaluate(view: AccountView, _policy: Policy, now: datetime) -> Iterator[Signal]:
        if rule.holds(view) is Verdict.YES:
            detail = rule.detail or f"The rule {rule.id} holds: {rule.source}"
            yield Signal(rule.id, view.account.ref, detail, view.account.modified_at or now, str(rule.id))

    return evaluate


_BUILT_IN: Mapping[TriggerId, Trigger] = {
    CHURN_THREAT: churn_threat,
    LEGAL_COMPLIANCE: legal_compliance,
    SECURITY_INCIDENT: security_incident,
    EXECUTIVE_COMPLAINT: executive_complaint,
    PAYMENT_DISPUTE: payment_dispute,
    MULTI_CUSTOMER_BUG: multi_customer_bug,
    HEALTH_RED: health_red,
    HEALTH_YELLOW: health_yellow,
    PR_RISK: pr_risk,
    MANUAL: manual,
}
