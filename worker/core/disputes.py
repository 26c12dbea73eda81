"""The payment dispute: what is claimed in disputes and cases, what it comes to, and the two limits.

Strictly more than the upper limit opens, in one claim or in the account's open total; an open reason goes only below
the lower one. An amount counts at the rate of its own day; without an amount or a rate it is a question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.core.cases import case_signal, open_cases
from worker.core.model import (
    PAYMENT_DISPUTE,
    AccountView,
    Case,
    CaseStatus,
    Certainty,
    Dispute,
    RecordRef,
    Signal,
)
from worker.core.money import Conversion, Money, total
from worker.core.policy import Policy


@dataclass(frozen=True, slots=True)
class _Claim:
    """What one record contests. `since` is when it was opened, or now where the CRM does not say."""

    ref: RecordRef
    amount: Money | None
    since: datetime

    def converted(self, policy: Policy) -> Conversion | None:
        """Its worth in the home currency on its day; None without an amount or a rate."""
        return None if self.amount is None else policy.rates.convert(self.amount, self.since.date())


def open_disputes(view: AccountView) -> Iterator[Dispute]:
    """The disputes that count as evidence."""
    return (dispute for dispute in view.disputes if dispute.status is CaseStatus.OPEN)


def beside_disputes(view: AccountView) -> tuple[Case, ...]:
    """The cases, open and closed, that are not one of the disputes too.

    Where a CRM keeps disputes among its tickets, one record is read as both, and people shall hear of it once.
    """
    disputes = {(dispute.id, dispute.opened_at) for dispute in view.disputes}
    return tuple(case for case in view.cases if (case.id, case.opened_at) not in disputes)


def open_total(view: AccountView, policy: Policy, now: datetime) -> Money | None:
    """The account's open disputed total in the home currency; None when an amount or a rate is missing."""
    sums: list[Money] = []
    for claim in _claims(view, now):
        converted = claim.converted(policy)
        if converted is None:
            return None
        sums.append(converted.result)
    return total(sums, policy.dispute_enter.currency)


def still_disputed(view: AccountView, policy: Policy, now: datetime) -> bool:
    """Whether the open total keeps an open reason: it is not below the lower limit, or nobody can tell."""
    present = open_total(view, policy, now)
    return present is None or present >= policy.dispute_leave


def payment_dispute(view: AccountView, policy: Policy, now: datetime) -> Iterator[Signal]:
    """Strictly more than the limit, in one dispute or in the account's open total, at the rate of each one's day."""
    claims = list(_claims(view, now))
    for claim in claims:
        yield from _claim_signals(claim, policy)
    yield from _total_signal(view, claims, policy)
    for case in open_cases(view):
        if case.amount is None:
            signal = case_signal(PAYMENT_DISPUTE, case, view.hits, now)
            if signal is not None:
                detail = f"{signal.detail} No amount is filed: is it more than {policy.dispute_enter}?"
                fingerprint = f"{PAYMENT_DISPUTE}:case:{case.id}:amount"
                yield replace(signal, certainty=Certainty.POSSIBLE, detail=detail, fingerprint=fingerprint)


def _claims(view: AccountView, now: datetime) -> Iterator[_Claim]:
    """A CRM may keep both in one kind of record: what is read as a dispute and as a case is one claim."""
    counted = set()
    for dispute in open_disputes(view):
        counted.add((dispute.id, dispute.amount, dispute.opened_at))
        yield _Claim(dispute.ref, dispute.amount, dispute.opened_at or now)
    for case in open_cases(view):
        if (case.id, case.amount, case.opened_at) in counted:
            continue
        filed = case.category == PAYMENT_DISPUTE
        said = any(hit.ref == case.ref and hit.trigger == PAYMENT_DISPUTE for hit in view.hits)
        if case.amount is not None and (filed or said):
            yield _Claim(case.ref, case.amount, case.opened_at or now)


def _claim_signals(claim: _Claim, policy: Policy) -> Iterator[Signal]:
    ref, amount, since = claim.ref, claim.amount, claim.since
    converted = claim.converted(policy)
    if amount is None:
        detail = f"The {ref} has no amount: is it more than {policy.dispute_enter}?"
        yield Signal(PAYMENT_DISPUTE, ref, detail, since, f"{PAYMENT_DISPUTE}:{ref}:unknown", Certainty.POSSIBLE)
    elif converted is None:
        detail = (
            f"The {ref} is about {amount}, and there is no rate of {since:%Y-%m-%d}: "
            f"is it more than {policy.dispute_enter}?"
        )
        fingerprint = f"{PAYMENT_DISPUTE}:{ref}:rate"
        yield Signal(PAYMENT_DISPUTE, ref, detail, since, fingerprint, Certainty.POSSIBLE, amount=amount)
    elif converted.result > policy.dispute_enter:
        detail = f"The {ref} is about {_shown(converted)}, more than {policy.dispute_enter}."
        fingerprint = f"{PAYMENT_DISPUTE}:{ref}:{converted.result.amount.normalize():f}"
        yield Signal(PAYMENT_DISPUTE, ref, detail, since, fingerprint, amount=amount, conversion=converted)


def _shown(converted: Conversion) -> str:
    if converted.rate is None:
        return str(converted.source)
    return f"{converted.source} = {converted.result} (rate {converted.rate.value} of {converted.rate.as_of})"


def _total_signal(view: AccountView, claims: Sequence[_Claim], policy: Policy) -> Iterator[Signal]:
    """The claims together, where none of them is enough alone."""
    worths = [(claim, worth.result) for claim in claims if (worth := claim.converted(policy)) is not None]
    together = total((worth for _, worth in worths), policy.dispute_enter.currency)
    alone = any(worth > policy.dispute_enter for _, worth in worths)
    if len(worths) < 2 or alone or together <= policy.dispute_enter:
        return
    detail = f"{len(worths)} open disputes together come to {together}, more than {policy.dispute_enter}."
    fingerprint = f"{PAYMENT_DISPUTE}:total:{'+'.join(sorted(claim.ref.id for claim, _ in worths))}"
    newest = max(claim.since for claim, _ in worths)
    yield Signal(PAYMENT_DISPUTE, view.account.ref, detail, newest, fingerprint, amount=together)
