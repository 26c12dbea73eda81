"""How far a matter may be told, and together with which others.

A bug that hits several accounts is one story: a parent with quiet children. Each account keeps its flag, note, tasks
and clock; what people are told is one list that names them all, with what they are worth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from worker.core.model import MULTI_CUSTOMER_BUG, Account, BugKey, Escalation, EscalationId, Level
from worker.core.money import Money
from worker.core.people import BY_HAND
from worker.core.policy import Policy

_BUG = f"{MULTI_CUSTOMER_BUG}:"


@dataclass(frozen=True, slots=True)
class Line:
    """One escalation of a list, as it stands. `quiet`: the list is where it is told, it has no message of its own.

    `worth` is the account's ARR, in the home currency where there is a rate. `over`: it is closed.
    """

    about: EscalationId
    level: Level
    text: str
    worth: Money | None = None
    quiet: bool = True
    over: bool = False


def restricted(escalation: Escalation | None, policy: Policy) -> bool:
    """Whether a reason is such that no detail of it belongs into a shared channel."""
    reasons = () if escalation is None else escalation.reasons
    return any(reason.trigger in policy.triggers and policy.triggers[reason.trigger].restricted for reason in reasons)


def bugs_of(escalation: Escalation) -> tuple[BugKey, ...]:
    """The shared bugs that an account is escalated for now; those it was, where no evidence is left."""
    return tuple(BugKey(each.removeprefix(_BUG)) for each in _standing(escalation) if each.startswith(_BUG))


def shared_bug(escalation: Escalation | None, policy: Policy) -> BugKey | None:
    """The bug that alone speaks for this escalation, so that it is told with the others that the bug hits.

    None for L3 and for restricted matters: those are always told by themselves.
    """
    if escalation is None or escalation.level is Level.L3 or restricted(escalation, policy):
        return None
    bugs = bugs_of(escalation)
    return bugs[0] if len(bugs) == len(_standing(escalation)) == 1 else None


def _standing(escalation: Escalation) -> tuple[str, ...]:
    """The evidence that counts. A flag that a person set, or a state that is lost, says nothing about the matter."""
    told = [each for each in escalation.reasons if each.fingerprint != BY_HAND]
    present = tuple(each.fingerprint for each in told if each.gone_at is None)
    return present or tuple(each.fingerprint for each in told)


def worth_of(account: Account, policy: Policy, on: date) -> Money | None:
    """The account's ARR, at the dated rate where there is one."""
    if account.arr is None:
        return None
    converted = policy.rates.convert(account.arr, on)
    return account.arr if converted is None else converted.result


def sums(amounts: Iterable[Money | None]) -> tuple[Money, ...]:
    """What these come to together: one amount a currency, the largest first; what is unknown is left out."""
    found: dict[str, Money] = {}
    for amount in amounts:
        if amount is not None:
            before = found.get(amount.currency)
            found[amount.currency] = amount if before is None else before + amount
    return tuple(sorted(found.values(), key=lambda money: -money.amount))


def thanked(account: Account, escalation: Escalation) -> list[str]:
    """Everyone who had to do with it, each once."""
    people = (escalation.owner, account.owner, account.manager)
    names = [person.name for person in people if person is not None and person.active]
    return list(dict.fromkeys(name for name in (escalation.acknowledged_by, *names) if name))
