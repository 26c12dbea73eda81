"""How each due time of an escalation came about, in plain words, English or Indonesian."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.core.calendar import due, in_words
from worker.core.local_time import LocalTime
from worker.core.model import Clock, Escalation, Level, Pause, Segment
from worker.core.policy import LevelRule, Policy
from worker.core.workings import length, words_in


@dataclass(frozen=True, slots=True)
class _Text:
    times: str
    response: str
    target: str
    no_target: str
    started: str
    lag: str
    answered: str
    pause: str
    going: str
    moved: str
    budget: str
    no_budget: str
    follow_up: str
    steps: str
    snoozed: str
    closed: str
    warned: str
    due: str


_ENGLISH = _Text(
    times="Times are those of {zone}.",
    response="Answer, {level}, within {length}:",
    target="Resolution, {level}, within {length}:",
    no_target="Resolution: {level} has no target.",
    started="  counted from {at}",
    lag="  seen {lag} after it happened",
    answered="  answered {at} by {by}: this clock has stopped",
    pause="  stood still from {start} to {end} ({lasted}), waiting for the customer, says {by}",
    going="  stands still since {start}, waiting for the customer, says {by}; goes on {end} at the latest",
    moved="  what was left then counts from there: due {at}",
    budget="Pauses: {left} of {budget} left at {level}.",
    no_budget="Pauses: {level} allows none.",
    follow_up="Follow-up: last sign of work {at}.",
    steps="  without a word: told {first}, then reminded, moved up {last}",
    snoozed="Snoozed by {by} until {at}: the response clock starts anew then.",
    closed="It was closed {at}: no clock runs.",
    warned="  warnings: {half} (50 %) and {most} (80 %)",
    due="  due {at}: {because}",
)
_INDONESIAN = _Text(
    times="Waktu dalam {zone}.",
    response="Jawaban, {level}, dalam {length}:",
    target="Penyelesaian, {level}, dalam {length}:",
    no_target="Penyelesaian: {level} tidak punya target.",
    started="  dihitung sejak {at}",
    lag="  terlihat {lag} setelah terjadi",
    answered="  dijawab {at} oleh {by}: waktu ini sudah berhenti",
    pause="  berhenti dari {start} sampai {end} ({lasted}), menunggu pelanggan, kata {by}",
    going="  berhenti sejak {start}, menunggu pelanggan, kata {by}; berjalan lagi paling lambat {end}",
    moved="  sisanya dihitung dari saat itu: jatuh tempo {at}",
    budget="Jeda: sisa {left} dari {budget} pada {level}.",
    no_budget="Jeda: {level} tidak mengizinkan jeda.",
    follow_up="Tindak lanjut: tanda kerja terakhir {at}.",
    steps="  tanpa kabar: diberi tahu {first}, lalu diingatkan, naik level {last}",
    snoozed="Ditunda oleh {by} sampai {at}: waktu jawaban mulai lagi saat itu.",
    closed="Sudah ditutup {at}: tidak ada waktu yang berjalan.",
    warned="  peringatan: {half} (50 %) dan {most} (80 %)",
    due="  jatuh tempo {at}: {because}",
)


class ClockStory:
    """Tells the clocks of accounts of one weight, on the times of one zone."""

    def __init__(self, policy: Policy, segment: Segment, language: str, zone: str) -> None:
        self._policy = policy
        self._segment = segment
        self._language = language
        self._words = words_in(language)
        self._text = _INDONESIAN if language == "id" else _ENGLISH
        self._zone = zone
        self._local = LocalTime(language, zone)

    def of(self, escalation: Escalation) -> Iterator[str]:
        """Each clock of an escalation with its working, pauses and budget."""
        if escalation.resolved_at is not None:
            yield self._text.closed.format(at=self._at(escalation.resolved_at))
            return
        yield from self._response(escalation)
        yield from self._target(escalation)
        yield from self._follow_up(escalation)
        yield self._budget(escalation)

    def zone(self, moment: datetime) -> str:
        """Says once whose times they all are."""
        return self._text.times.format(zone=self._local.zone(moment))

    def simulated(self, level: Level, opened_at: datetime) -> Iterator[str]:
        """The clocks of an escalation that would open at a moment, answered in time or not."""
        rule = self._policy.levels[level]
        yield from self._working(self._text.response, level, rule.response, opened_at)
        if rule.resolve is None:
            yield self._text.no_target.format(level=level)
        else:
            yield from self._working(self._text.target, level, rule.resolve, opened_at)
        yield self._left(level, rule.pause)

    def _working(self, heading: str, level: Level, time: timedelta, start: datetime) -> Iterator[str]:
        calendar = self._rule(level).calendar_for(self._segment)
        ends = due(start, time, calendar)
        yield heading.format(level=level, length=length(time, self._words))
        yield self._text.started.format(at=self._at(start))
        yield self._text.due.format(at=self._at(ends.at), because=ends.working(self._language, self._zone))
        half, most = (due(start, time * share, calendar).at for share in (0.5, 0.8))
        yield self._text.warned.format(half=self._at(half), most=self._at(most))

    def _response(self, escalation: Escalation) -> Iterator[str]:
        clock, rule = escalation.clock, self._rule(escalation.clock.level)
        yield from self._working(self._text.response, clock.level, rule.response, clock.started_at)
        lag = clock.detected_at - clock.started_at
        if lag >= timedelta(minutes=1):
            yield self._text.lag.format(lag=in_words(lag, self._words))
        yield from self._pauses(escalation, clock)
        if escalation.acknowledged_at is not None:
            by = escalation.acknowledged_by
            yield self._text.answered.format(at=self._at(escalation.acknowledged_at), by=by)
        if escalation.snoozed_until is not None:
            yield self._text.snoozed.format(by=escalation.snoozed_by, at=self._at(escalation.snoozed_until))

    def _target(self, escalation: Escalation) -> Iterator[str]:
        clock = escalation.resolution
        if clock is None:
            yield self._text.no_target.format(level=escalation.level)
            return
        time = self._rule(clock.level).resolve or clock.due_at - clock.started_at
        yield from self._working(self._text.target, clock.level, time, clock.started_at)
        yield from self._pauses(escalation, clock)

    def _pauses(self, escalation: Escalation, clock: Clock) -> Iterator[str]:
        during = [pause for pause in escalation.pauses if pause.since >= clock.detected_at]
        for pause in during:
            yield self._pause(pause)
        if during:
            yield self._text.moved.format(at=self._at(clock.due_at))

    def _pause(self, pause: Pause) -> str:
        if pause.ended_at is None:
            return self._text.going.format(start=self._at(pause.since), end=self._at(pause.until), by=pause.by)
        lasted = in_words(pause.length, self._words)
        start, end = self._at(pause.since), self._at(pause.ended_at)
        return self._text.pause.format(start=start, end=end, lasted=lasted, by=pause.by)

    def _follow_up(self, escalation: Escalation) -> Iterator[str]:
        clock = escalation.follow_up
        if clock is not None:
            yield self._text.follow_up.format(at=self._at(clock.since))
            yield self._text.steps.format(first=self._at(clock.steps[0]), last=self._at(clock.steps[-1]))

    def _budget(self, escalation: Escalation) -> str:
        used = sum((pause.length for pause in escalation.pauses), timedelta(0))
        return self._left(escalation.level, max(timedelta(0), self._rule(escalation.level).pause - used))

    def _left(self, level: Level, left: timedelta) -> str:
        budget = self._rule(level).pause
        if not budget:
            return self._text.no_budget.format(level=level)
        told = in_words(left, self._words), in_words(budget, self._words)
        return self._text.budget.format(left=told[0], budget=told[1], level=level)

    def _rule(self, level: Level) -> LevelRule:
        return self._policy.levels[level]

    def _at(self, moment: datetime) -> str:
        return self._local.at(moment)
