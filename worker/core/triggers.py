"""The triggers: one pure function each, from what is known of an account to signals with their proof.

A signal escalates; a question (POSSIBLE) only asks the CSM: a weak phrase, an amount without a rate, a health score
that is old or not understood. A fingerprint names the evidence and nothing else, so the same evidence is the same
signal after any restart, and only new evidence is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

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
    CaseStatus,
    Certainty,
    Colour,
    Dispute,
    Level,
    RecordKind,
    RecordRef,
    Segment,
    Signal,
    TextHit,
    TriggerId,
    Wish,
)
from worker.core.money import Conversion, Money, total
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
    return Signal(trigger, _self(view), detail, now, f"{trigger}:broken", Certainty.POSSIBLE)


def _self(view: AccountView) -> RecordRef:
    return RecordRef(RecordKind.ACCOUNT, view.account.id)


def _ref(case: Case) -> RecordRef:
    return RecordRef(RecordKind.CASE, case.id)


def open_cases(view: AccountView) -> Iterator[Case]:
    """The cases that count as evidence."""
    return (case for case in view.cases if case.status is CaseStatus.OPEN)


def beside_disputes(view: AccountView) -> tuple[Case, ...]:
    """The cases, open and closed, that are not one of the disputes too.

    Where a CRM keeps disputes among its tickets, one record is read as both, and people shall hear of it once.
    """
    disputes = {(dispute.id, dispute.opened_at) for dispute in view.disputes}
    return tuple(case for case in view.cases if (case.id, case.opened_at) not in disputes)


def open_disputes(view: AccountView) -> Iterator[Dispute]:
    """The disputes that count as evidence."""
    return (dispute for dispute in view.disputes if dispute.status is CaseStatus.OPEN)


def _case_signals(trigger: TriggerId, view: AccountView, now: datetime) -> Iterator[Signal]:
    """Cases that are filed under a trigger, else cases in which its phrases stand."""
    for case in open_cases(view):
        signal = _case_signal(trigger, case, view.hits, now)
        if signal is not None:
            yield signal


def _case_signal(trigger: TriggerId, case: Case, hits: Sequence[TextHit], now: datetime) -> Signal | None:
    occurred = case.opened_at or now
    fingerprint = f"{trigger}:case:{case.id}"
    if case.category == trigger:
        detail = f"Case {case.id} ({_quoted(case.subject)}) is filed as {_words(trigger)}."
        return Signal(trigger, _ref(case), detail, occurred, fingerprint)
    own = [hit for hit in hits if hit.ref == _ref(case) and hit.trigger == trigger]
    if not own:
        return None
    best = min(own, key=lambda hit: (hit.certainty is not Certainty.CERTAIN, hit.field, hit.start))
    verb = "wrote" if best.certainty is Certainty.CERTAIN else "may mean it:"
    detail = f"In case {case.id} ({_quoted(case.subject)}) the customer {verb} {_quoted(best.text)}."
    if best.certainty is Certainty.POSSIBLE:
        fingerprint = f"{fingerprint}:possible"
    return Signal(trigger, _ref(case), detail, occurred, fingerprint, best.certainty, hit=best)


def _quoted(text: str, most: int = 90) -> str:
    text = " ".join(text.split())
    return f"“{text if len(text) <= most else text[: most - 1] + '…'}”"


def _words(trigger: TriggerId) -> str:
    return trigger.replace("_", " ")


def churn_threat(view: AccountView, _policy: Policy, now: datetime) -> Iterator[Signal]:
    """A structured sign in a CRM field, or the customer's own words."""
    since = view.account.modified_at or now
    for sign in view.account.churn_signals:
        yield Signal(CHURN_THREAT, _self(view), f"The CRM says: {sign}.", since, f"churn_threat:field:{sign}")
    yield from _case_signals(CHURN_THREAT, view, now)


def legal_compliance(view: AccountView, _policy: Policy, now: datetime) -> Iterator[Signal]:
    """A legal or compliance matter."""
    yield from _case_signals(LEGAL_COMPLIANCE, view, now)


def security_incident(view: AccountView, _policy: Policy, now: datetime) -> Iterator[Signal]:
    """A data breach or security incident."""
    yield from _case_signals(SECURITY_INCIDENT, view, now)


def executive_complaint(view: AccountView, policy: Policy, now: datetime) -> Iterator[Signal]:
    """A complaint by an executive: filed so, said so, or a complaint whose reporter's title says so.

    An executive's everyday question is not a complaint: the case must be one by its category or its words. Who
    complains without a title may be one: that is a question.
    """
    untitled: list[Case] = []
    for case in open_cases(view):
        signal = _case_signal(EXECUTIVE_COMPLAINT, case, view.hits, now)
        if signal is not None and signal.certainty is Certainty.CERTAIN:
            yield signal
        elif _is_executive(case.reporter_title, policy) and _is_complaint(case, view.hits):
            detail = f"{case.reporter or 'The reporter'} ({case.reporter_title}) complains in case {case.id}."
            yield Signal(
                EXECUTIVE_COMPLAINT, _ref(case), detail, case.opened_at or now, f"{EXECUTIVE_COMPLAINT}:case:{case.id}"
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
    return filed or any(hit.ref == _ref(case) and hit.certainty is Certainty.CERTAIN for hit in hits)


def payment_dispute(view: AccountView, policy: Policy, now: datetime) -> Iterator[Signal]:
    """Strictly more than the limit, in one dispute or in the account's open total, at the rate of each one's day."""
    claims = list(_claims(view))
    for ref, amount, opened_at, _ in claims:
        yield from _claim_signals(ref, amount, opened_at or now, policy)
    yield from _total_signal(view, claims, policy, now)
    for case in open_cases(view):
        if case.amount is None:
            signal = _case_signal(PAYMENT_DISPUTE, case, view.hits, now)
            if signal is not None:
                detail = f"{signal.detail} No amount is filed: is it more than {policy.dispute_enter}?"
                fingerprint = f"{PAYMENT_DISPUTE}:case:{case.id}:amount"
                yield replace(signal, certainty=Certainty.POSSIBLE, detail=detail, fingerprint=fingerprint)


Claim = tuple[RecordRef, Money | None, datetime | None, str]


def _claims(view: AccountView) -> Iterator[Claim]:
    """A CRM may keep both in one kind of record: what is read as a dispute and as a case is one claim."""
    counted = set()
    for dispute in open_disputes(view):
        counted.add((dispute.id, dispute.amount, dispute.opened_at))
        yield RecordRef(RecordKind.DISPUTE, dispute.id), dispute.amount, dispute.opened_at, dispute.id
    for case in open_cases(view):
        if (case.id, case.amount, case.opened_at) in counted:
            continue
        filed = case.category == PAYMENT_DISPUTE
        said = any(hit.ref == _ref(case) and hit.trigger == PAYMENT_DISPUTE for hit in view.hits)
        if case.amount is not None and (filed or said):
            yield _ref(case), case.amount, case.opened_at, case.id


def _claim_signals(ref: RecordRef, amount: Money | None, opened_at: datetime, policy: Policy) -> Iterator[Signal]:
    if amount is None:
        detail = f"The {ref} has no amount: is it more than {policy.dispute_enter}?"
        yield Signal(PAYMENT_DISPUTE, ref, detail, opened_at, f"{PAYMENT_DISPUTE}:{ref}:unknown", Certainty.POSSIBLE)
        return
    converted = policy.rates.convert(amount, opened_at.date())
    if converted is None:
        detail = (
            f"The {ref} is about {amount}, and there is no rate of {opened_at:%Y-%m-%d}: "
            f"is it more than {policy.dispute_enter}?"
        )
        yield Signal(
            PAYMENT_DISPUTE, ref, detail, opened_at, f"{PAYMENT_DISPUTE}:{ref}:rate", Certainty.POSSIBLE, amount=amount
        )
    elif converted.result > policy.dispute_enter:
        detail = f"The {ref} is about {_shown(converted)}, more than {policy.dispute_enter}."
        yield Signal(
            PAYMENT_DISPUTE,
            ref,
            detail,
            opened_at,
            f"{PAYMENT_DISPUTE}:{ref}:{_plain(converted.result.amount)}",
            amount=amount,
            conversion=converted,
        )


def _shown(converted: Conversion) -> str:
    if converted.rate is None:
        return str(converted.source)
    return f"{converted.source} = {converted.result} (rate {converted.rate.value} of {converted.rate.as_of})"


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def open_total(view: AccountView, policy: Policy, now: datetime) -> Money | None:
    """The account's open disputed total in the home currency; None when an amount or a rate is missing."""
    sums: list[Money] = []
    for _, amount, opened_at, _ in _claims(view):
        converted = None if amount is None else policy.rates.convert(amount, (opened_at or now).date())
        if converted is None:
            return None
        sums.append(converted.result)
    return total(sums, policy.dispute_enter.currency)


def _total_signal(view: AccountView, claims: Sequence[Claim], policy: Policy, now: datetime) -> Iterator[Signal]:
    known: list[tuple[Conversion, str, datetime]] = []
    for _, amount, opened_at, record_id in claims:
        converted = None if amount is None else policy.rates.convert(amount, (opened_at or now).date())
        if converted is not None:
            known.append((converted, record_id, opened_at or now))
    together = total((each.result for each, _, _ in known), policy.dispute_enter.currency)
    if len(known) < 2 or together <= policy.dispute_enter or any(e.result > policy.dispute_enter for e, _, _ in known):
        return
    detail = f"{len(known)} open disputes together come to {together}, more than {policy.dispute_enter}."
    ids = "+".join(sorted(record_id for _, record_id, _ in known))
    newest = max(opened_at for _, _, opened_at in known)
    yield Signal(PAYMENT_DISPUTE, _self(view), detail, newest, f"{PAYMENT_DISPUTE}:total:{ids}", amount=together)


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
                MULTI_CUSTOMER_BUG, _ref(case), detail, case.opened_at or now, f"{MULTI_CUSTOMER_BUG}:{case.bug_key}"
            )
        elif case.bug_key is None:
            yield from _said_of_others(case, view, now)


def _said_of_others(case: Case, view: AccountView, now: datetime) -> Iterator[Signal]:
    signal = _case_signal(MULTI_CUSTOMER_BUG, case, view.hits, now)
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
        yield Signal(HEALTH_RED, _self(view), detail, now, f"{HEALTH_RED}:unknown", Certainty.POSSIBLE)


def health_yellow(view: AccountView, policy: Policy, now: datetime) -> Iterator[Signal]:
    """A yellow health score."""
    yield from _health(HEALTH_YELLOW, Colour.YELLOW, view, policy, now)


def _health(trigger: TriggerId, colour: Colour, view: AccountView, policy: Policy, now: datetime) -> Iterator[Signal]:
    health = view.account.health
    if health.colour is not colour:
        return
    score = "" if health.score is None else f", score {_plain(health.score)}"
    as_of = "" if health.as_of is None else f", as of {health.as_of:%Y-%m-%d}"
    occurred = health.as_of or view.account.modified_at or now
    if health.as_of is not None and now - health.as_of > policy.health_stale_after:
        detail = f"The health score is {colour.value}{score}, but old{as_of}: is it still so?"
        yield Signal(trigger, _self(view), detail, occurred, f"{trigger}:stale", Certainty.POSSIBLE)
        return
    detail = f"The health score is {colour.value}{score}{as_of}."
    yield Signal(trigger, _self(view), detail, occurred, str(trigger))


def pr_risk(view: AccountView, _policy: Policy, now: datetime) -> Iterator[Signal]:
    """A person has ticked PR risk."""
    if view.account.pr_risk:
        since = view.account.modified_at or now
        yield Signal(PR_RISK, _self(view), "A person marked a PR risk in the CRM.", since, str(PR_RISK))


def manual(view: AccountView, _policy: Policy, now: datetime) -> Iterator[Signal]:
    """A person asks for an escalation in the override field."""
    level = _MANUAL_LEVELS.get(view.account.override.wish)
    if level is not None:
        override = view.account.override
        why = f": {override.outcome_note}" if override.outcome_note else " and gave no reason yet"
        detail = f"{override.by or 'A person'} asked for {level} in the CRM{why}."
        yield Signal(MANUAL, _self(view), detail, now, f"{MANUAL}:{override.wish.value}", level=level)


def _custom(rule: CustomTrigger) -> Trigger:
    def evaluate(view: AccountView, _policy: Policy, now: datetime) -> Iterator[Signal]:
        if rule.holds(view) is Verdict.YES:
            detail = rule.detail or f"The rule {rule.id} holds: {rule.source}"
            yield Signal(rule.id, _self(view), detail, view.account.modified_at or now, str(rule.id))

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
