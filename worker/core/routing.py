"""Who answers: the level's owner, or the next one up who is there; never silently nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from worker.core.model import Account, Level, Person, Role, TriggerId
from worker.core.policy import Policy


@dataclass(frozen=True, slots=True)
class Route:
    """Who owns an escalation at a level, who is copied, and why it is they. `owner` None: nobody could be found."""

    owner: Person | None
    role: Role
    cc: tuple[Person, ...]
    because: str


def route(account: Account, level: Level, trigger: TriggerId | None, policy: Policy) -> Route:
    """The owner of a level: L1 the CS manager, L2 the VP, L3 the executive whom the trigger names.

    A vacant place or an inactive person falls to the next one up, and from the top down again.
    """
    wanted = _wanted(level, trigger, policy)
    skipped: list[str] = []
    for role in _chain(wanted):
        person = _holder(account, role, policy)
        if person is None:
            skipped.append(f"{_title(role)} is vacant")
        elif not person.active:
            skipped.append(f"{person.name} ({_title(role)}) is inactive")
        else:
            reason = f"{person.name} answers {level} as {_title(role)}" + (
                f", since {', '.join(skipped)}" * bool(skipped)
            )
            return Route(person, role, copied(account, person, policy), reason)
    return Route(None, wanted, copied(account, None, policy), f"nobody can answer {level}: {', '.join(skipped)}")


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


def copied(account: Account, owner: Person | None, policy: Policy) -> tuple[Person, ...]:
    """Manager and CSM, each once, active, and not the owner again."""
    people = (_holder(account, Role.CS_MANAGER, policy), _holder(account, Role.CSM, policy))
    found: dict[str, Person] = {}
    for person in people:
        if person is not None and person.active and (owner is None or person.id != owner.id):
            found.setdefault(person.id, person)
    return tuple(found.values())


def csm_of(account: Account, policy: Policy) -> Person | None:
    """Who is asked about an account: the CSM, or the next one up who is there."""
    for role in _chain(Role.CSM):
        person = _holder(account, role, policy)
        if person is not None and person.active:
            return person
    return None


def _title(role: Role) -> str:
    return {Role.CSM: "CSM", Role.CS_MANAGER: "CS manager", Role.VP_CS: "VP CS"}.get(role, role.value.upper())
