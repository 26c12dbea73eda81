"""Who answers: the level's owner, or the next one up who is there; never silently nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from worker.core.model import Account, AccountView, Level, Person, Role, TriggerId
from worker.core.policy import Absence, Policy


@dataclass(frozen=True, slots=True)
class Route:
    """Who owns an escalation at a level, who is copied, and why it is they. `owner` None: nobody could be found.

    `instead` says for whom the owner stands in, and is empty where the place is filled as the policy says.
    """

    owner: Person | None
    role: Role
    cc: tuple[Person, ...]
    because: str
    instead: str = ""


def route(account: Account, level: Level, trigger: TriggerId | None, policy: Policy, now: datetime) -> Route:
    """The owner of a level: L1 the CS manager, L2 the VP, L3 the executive whom the trigger names.

    Somebody who is away is answered for by the deputy; a vacant place or an inactive person falls to the next one up,
    and from the top down again.
    """
    wanted = _wanted(level, trigger, policy)
    skipped: list[str] = []
    for role in _chain(wanted):
        person, gap = _answering(account, role, policy, now)
        skipped += [gap] if gap else []
        if person is not None:
            instead = ", ".join(skipped)
            reason = f"{person.name} answers {level} as {title_of(role)}" + f", since {instead}" * bool(instead)
            return Route(person, role, copied(account, person, policy, now), reason, instead)
    because = f"nobody can answer {level}: {', '.join(skipped)}"
    return Route(None, wanted, copied(account, None, policy, now), because, ", ".join(skipped))


def _answering(account: Account, role: Role, policy: Policy, now: datetime) -> tuple[Person | None, str]:
    """Who answers for a role now, and in words what is wrong with the one who should."""
    person = _holder(account, role, policy)
    if person is None:
        return None, f"{title_of(role)} is vacant"
    if not person.active:
        return None, f"{person.name} ({title_of(role)}) is inactive"
    absence = away(person, policy, now)
    if absence is None:
        return person, ""
    gap = f"{person.name} ({title_of(role)}) is away until {absence.end:%Y-%m-%d %H:%M} UTC"
    deputy = absence.deputy
    if deputy is None or not deputy.active or away(deputy, policy, now) is not None:
        return None, gap
    return deputy, f"{gap} and named {deputy.name} as deputy"


def away(person: Person, policy: Policy, now: datetime) -> Absence | None:
    """The absence that keeps a person from answering now."""
    return next((each for each in policy.absences if each.covers(person, now)), None)


def _wanted(level: Level, trigger: TriggerId | None, policy: Policy) -> Role:
    if level is Level.L3 and trigger is not None and trigger in policy.triggers:
        return policy.triggers[trigger].executive
    return policy.levels[level].owner


_UPWARDS = (Role.CSM, Role.CS_MANAGER, Role.VP_CS, Role.CEO)
_EXECUTIVES = frozenset({Role.CEO, Role.CFO, Role.CTO, Role.COUNSEL})


def _chain(wanted: Role) -> Iterator[Role]:
    """The wanted role, then upwards, then downwards: an executive falls to the CEO, then to the VP."""
    yield wanted
    if wanted in _EXECUTIVES:
        rest: tuple[Role, ...] = (Role.CEO, Role.VP_CS, Role.CS_MANAGER, Role.CSM)
    else:
        place = _UPWARDS.index(wanted)
        rest = (*_UPWARDS[place + 1 :], *reversed(_UPWARDS[:place]))
    yield from (role for role in rest if role is not wanted)


def _holder(account: Account, role: Role, policy: Policy) -> Person | None:
    named = {Role.CSM: account.owner, Role.CS_MANAGER: account.manager}.get(role)
    if named is not None and named.active:
        return named
    return policy.people.get(role, named)


def copied(account: Account, owner: Person | None, policy: Policy, now: datetime) -> tuple[Person, ...]:
    """Manager and CSM or their deputies, each once, active, and not the owner again."""
    found: dict[str, Person] = {}
    for role in (Role.CS_MANAGER, Role.CSM):
        person, _ = _answering(account, role, policy, now)
        if person is not None and (owner is None or person.id != owner.id):
            found.setdefault(person.id, person)
    return tuple(found.values())


def told_as_well(account: Account, triggers: Iterable[TriggerId], policy: Policy, now: datetime) -> tuple[Person, ...]:
    """Whom these rules let know besides those who answer, or their deputies; a role that nobody holds is left out."""
    roles = dict.fromkeys(role for trigger in triggers for role in _tells(trigger, policy))
    people = (_answering(account, role, policy, now)[0] for role in roles)
    return tuple({person.id: person for person in people if person is not None}.values())


def _tells(trigger: TriggerId, policy: Policy) -> tuple[Role, ...]:
    rule = policy.triggers.get(trigger)
    return () if rule is None else rule.tells


def csm_of(account: Account, policy: Policy, now: datetime) -> Person | None:
    """Who is asked about an account: the CSM or their deputy, or the next one up who is there."""
    return answering_as(Role.CSM, account, policy, now)


def steward_of(trigger: TriggerId | None, account: Account, policy: Policy, now: datetime) -> Person | None:
    """Who keeps a rule: its steward, or the next one up who is there."""
    rule = policy.triggers.get(trigger) if trigger is not None else None
    return answering_as(Role.VP_CS if rule is None else rule.steward, account, policy, now)


def answering_as(wanted: Role, account: Account, policy: Policy, now: datetime) -> Person | None:
    """Who answers for a role now: whoever holds it, a deputy, or the next one up who is there."""
    answering = (_answering(account, role, policy, now)[0] for role in _chain(wanted))
    return next((person for person in answering if person is not None), None)


def title_of(role: Role) -> str:
    """The role as people call it."""
    return {Role.CSM: "CSM", Role.CS_MANAGER: "CS manager", Role.VP_CS: "VP CS"}.get(role, role.value.upper())


def person_named(name: str, view: AccountView, policy: Policy) -> Person | None:
    """Somebody whom the account or the policy knows by this name."""
    return next((each for each in people_of(view, policy) if each.name == name), None)


def people_of(view: AccountView, policy: Policy) -> tuple[Person, ...]:
    """Whom the account and the policy name: the CSM, the manager, the roles and the deputies."""
    deputies = [each.deputy for each in policy.absences]
    named = [view.account.owner, view.account.manager, *policy.people.values(), *deputies]
    return tuple(each for each in named if each is not None)
