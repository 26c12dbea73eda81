"""From the policy file to levels and people: how fast, on which calendar, who answers, who is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from worker import schema
from worker.core.calendar import WALL_CLOCK, Calendar
from worker.core.model import HoldTimes, Level, Person, Role, Segment, UserId
from worker.core.policy import Absence, FollowUpRule, LevelRule, default_levels
from worker.documents import nearest
from worker.parsed import KeyPath
from worker.schema_types import Deputy

Note = Callable[[KeyPath, str], None]
"""Notes a fault at a key's path."""

_NONE = timedelta(0)


def levels_of(file: schema.PolicyFile, calendars: Mapping[str, Calendar], note: Note) -> dict[Level, LevelRule]:
    """The rule of each level; what the file leaves out is the default."""
    rules = default_levels()
    for level, rule in rules.items():
        row = file.levels.get(level.name, schema.LevelRow())
        _check_times(level, row, note)
        rules[level] = LevelRule(
            response=row.response or rule.response,
            owner=row.owner or rule.owner,
            calendar=_named(row.calendar, ("levels", level.name, "calendar"), calendars, note) or WALL_CLOCK,
            hold=rule.hold if row.hold is None else HoldTimes(row.hold.enter, row.hold.leave),
            calendars=dict(_by_segment(level, row, calendars, note)),
            follow_up=_follow_up(row.follow_up, rule.follow_up),
            resolve=rule.resolve if row.resolve is None else row.resolve or None,
            pause=rule.pause if row.pause is None else row.pause,
        )
    return rules


def _check_times(level: Level, row: schema.LevelRow, note: Note) -> None:
    times = {("response",): row.response, ("follow_up", "every"): row.follow_up.every}
    for key, length in times.items():
        if length is not None and length <= _NONE:
            note(("levels", level.name, *key), "must be longer than nothing")


def _by_segment(
    level: Level, row: schema.LevelRow, calendars: Mapping[str, Calendar], note: Note
) -> Iterator[tuple[Segment, Calendar]]:
    for segment, name in row.calendars.items():
        calendar = _named(name, ("levels", level.name, "calendars", segment.value), calendars, note)
        if calendar is not None:
            yield segment, calendar


def _named(name: str | None, path: KeyPath, calendars: Mapping[str, Calendar], note: Note) -> Calendar | None:
    known = {WALL_CLOCK.name: WALL_CLOCK, **calendars}
    if name is not None and name not in known:
        note(path, f"{name!r} is no calendar; {nearest(name, tuple(known))}")
        return None
    return known[name or WALL_CLOCK.name]


def _follow_up(row: schema.FollowUpRow, rule: FollowUpRule) -> FollowUpRule:
    return FollowUpRule(row.every or rule.every, rule.reminders if row.reminders is None else row.reminders)


def people_of(file: schema.PolicyFile, note: Note) -> dict[Role, Person]:
    """Who stands for each role."""
    people: dict[Role, Person] = {}
    known = tuple(role.value for role in Role)
    for name, row in file.people.items():
        if name in known:
            people[Role(name)] = Person(UserId(row.id), row.name, row.email, row.active, row.title)
        else:
            note(("people", name), f"unknown role; {nearest(name, known)}")
    return people


def absences_of(file: schema.PolicyFile, calendars: Mapping[str, Calendar], note: Note) -> tuple[Absence, ...]:
    """Who is away and who stands in. Days are those of the zone of `wall_clock` in the calendars, UTC without one."""
    zone = ZoneInfo(calendars[WALL_CLOCK.name].zone if WALL_CLOCK.name in calendars else "UTC")
    found: list[Absence] = []
    for role, person in file.people.items():
        path: KeyPath = ("people", role)
        if person.absent_from is None and person.absent_until is None:
            continue
        if person.absent_from is None or person.absent_until is None:
            note(path, "absent_from and absent_until go together: first and last day away")
            continue
        deputy = _deputy(person.deputy, (*path, "deputy"), file, note)
        found += _absence(
            person.id or person.email or person.name, person.absent_from, person.absent_until, deputy, zone, path, note
        )
    for number, row in enumerate(file.absences):
        path = ("absences", number)
        deputy = _deputy(row.deputy, (*path, "deputy"), file, note)
        found += _absence(row.who, row.absent_from, row.absent_until, deputy, zone, path, note)
    return tuple(found)


def _absence(
    who: str, first: date, last: date, deputy: Person | None, zone: ZoneInfo, path: KeyPath, note: Note
) -> Iterator[Absence]:
    if last < first:
        note((*path, "absent_until"), f"is before {first}, the first day away")
        return
    start = datetime.combine(first, time(0), zone)
    end = datetime.combine(last + timedelta(days=1), time(0), zone)
    yield Absence(who, start.astimezone(UTC), end.astimezone(UTC), deputy)


def _deputy(given: Role | Deputy | None, path: KeyPath, file: schema.PolicyFile, note: Note) -> Person | None:
    if given is None:
        return None
    if isinstance(given, Deputy):
        return Person(UserId(given.id), given.name, given.email, True, given.title)
    row = file.people.get(given.value)
    if row is None:
        note(path, f"people names no {given.value}: give the person, {{name: ..., email: ...}}")
        return None
    return Person(UserId(row.id), row.name, row.email, row.active, row.title)
