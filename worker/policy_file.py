"""From the models of the policy file to the core's `Policy`; every fault is gathered, none hides another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum

from worker import schema
from worker.core.calendar import Calendar
from worker.core.model import BUILT_IN_TRIGGERS, MULTI_CUSTOMER_BUG, AccountView, Level, Segment, TriggerId
from worker.core.money import Money, Rates
from worker.core.policy import (
    Brakes,
    CustomTrigger,
    DocumentRule,
    FlappingRule,
    HandoffRule,
    LikenessRule,
    PlaybookRule,
    Policy,
    PostMortemRule,
    SnoozeRule,
    TriggerRule,
    default_triggers,
)
from worker.core.triggers import segment_of
from worker.documents import Document, Fault, nearest
from worker.expressions import ExpressionError, compile_trigger
from worker.ladder_file import Note, absences_of, levels_of, people_of
from worker.parsed import KeyPath
from worker.written import in_digits

_UNDECIDING = frozenset({"version", "brakes", "timezone", "likeness"})
_NO_DAY = datetime(1970, 1, 1, tzinfo=UTC)
_LEAVE_SHARE = Decimal("0.9")


def policy_from(
    file: schema.PolicyFile, document: Document, calendars: Mapping[str, Calendar], rates: Rates, faults: list[Fault]
) -> Policy:
    """The policy with its version; what is wrong is added to `faults`, and something harmless stands in its place."""

    def note(path: KeyPath, text: str) -> None:
        faults.append(document.fault(path, text, key=text.startswith("unknown")))

    enter, leave = _limits(file, rates, note)
    triggers = _triggers(file, note)
    policy = Policy(
        version="",
        triggers=triggers,
        levels=levels_of(file, calendars, note),
        rates=rates,
        people=people_of(file, note),
        high_value_arr=_in_home(file.segments.high_value_arr, ("segments", "high_value_arr"), rates, note)
        or replace(Policy("").high_value_arr, currency=rates.home),
        strategic_tiers=frozenset(file.segments.strategic_tiers),
        high_value_tiers=frozenset(file.segments.high_value_tiers),
        dispute_enter=enter,
        dispute_leave=leave,
        bug_accounts=file.bug_accounts,
        health_stale_after=file.health_stale_after,
        reopen_within=file.reopen_within,
        auto_resolve=_auto_resolve(file),
        executive_titles=tuple(file.executive_titles),
        absences=absences_of(file, calendars, note),
        snooze=SnoozeRule(file.snooze.usual, file.snooze.longest, file.snooze.remind_before),
        document=DocumentRule(file.document.remind_every, file.document.reminders),
        confirm_every=file.confirm_every,
        post_mortem=PostMortemRule(frozenset(file.post_mortem.levels), file.post_mortem.due),
        playbook=PlaybookRule(file.playbook.repeats, file.playbook.within),
        flapping=FlappingRule(file.flapping.changes, file.flapping.within),
        handoff=HandoffRule(file.handoff.reminders),
        likeness=_likeness(file, triggers[MULTI_CUSTOMER_BUG], note),
        brakes=Brakes(**dict(file.brakes)),
        language=file.language,
        timezone=file.timezone,
    )
    custom, rows = _custom(file, document, policy, faults)
    whole = replace(policy, custom=custom, triggers={**policy.triggers, **rows})
    return replace(whole, version=digest(whole, calendars))


def digest(policy: Policy, calendars: Mapping[str, Calendar]) -> str:
    """Twelve digits that change whenever a decision could: brakes and likeness aside, which decide nothing."""
    text = json.dumps([_canonical(policy), _canonical(calendars)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _canonical(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: _canonical(getattr(value, f.name)) for f in fields(value) if f.init and f.name not in _UNDECIDING
        }
    if isinstance(value, Mapping):
        return {str(key): _canonical(value[key]) for key in value}
    if isinstance(value, frozenset):
        return sorted(str(member) for member in value)
    if isinstance(value, (tuple, list)):
        return [_canonical(member) for member in value]
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return None if callable(value) and not isinstance(value, Enum) else str(value)


def _triggers(file: schema.PolicyFile, note: Note) -> dict[TriggerId, TriggerRule]:
    rules = default_triggers()
    for name, row in file.triggers.items():
        if name in BUILT_IN_TRIGGERS:
            rules[TriggerId(name)] = _rule(row, rules[TriggerId(name)])
        else:
            note(
                ("triggers", name),
                f"unknown trigger; {nearest(name, BUILT_IN_TRIGGERS)} Your own stand under custom_triggers",
            )
    return rules


def _rule(row: schema.TriggerRow, default: TriggerRule) -> TriggerRule:
    asked = {Segment.STANDARD: row.standard, Segment.HIGH_VALUE: row.high_value, Segment.STRATEGIC: row.strategic}
    return TriggerRule(
        levels={**default.levels, **{segment: level for segment, level in asked.items() if level is not None}},
        executive=row.executive or default.executive,
        enabled=default.enabled if row.enabled is None else row.enabled,
        restricted=default.restricted if row.restricted is None else row.restricted,
        steward=row.steward or default.steward,
        tells=default.tells if row.tells is None else tuple(row.tells),
    )


def _custom(
    file: schema.PolicyFile, document: Document, policy: Policy, faults: list[Fault]
) -> tuple[tuple[CustomTrigger, ...], dict[TriggerId, TriggerRule]]:
    def segment(view: AccountView) -> Segment:
        return segment_of(view.account, policy, view.read_at or _NO_DAY)

    triggers: list[CustomTrigger] = []
    rules: dict[TriggerId, TriggerRule] = {}
    for name, row in file.custom_triggers.items():
        path: KeyPath = ("custom_triggers", name)
        if name in BUILT_IN_TRIGGERS:
            faults.append(document.fault(path, "is a trigger of the worker: give yours another name", key=True))
            continue
        if row.standard is None:
            faults.append(
                document.fault(path, "standard is missing: say which level an ordinary account gets", key=True)
            )
            continue
        rules[TriggerId(name)] = _rule(row, _same_for_all(row.standard))
        try:
            triggers.append(compile_trigger(TriggerId(name), row.when, policy.rates, row.detail, segment))
        except ExpressionError as error:
            for found in error.complaints:
                place = document.inside((*path, "when"), found.line, found.column)
                faults.append(document.fault_at(place, (*path, "when"), found.message))
    return tuple(triggers), rules


def _same_for_all(level: Level) -> TriggerRule:
    return TriggerRule(dict.fromkeys(Segment, level))


def _likeness(file: schema.PolicyFile, bugs: TriggerRule, note: Note) -> LikenessRule:
    asked = file.likeness
    if asked.accounts < file.bug_accounts:
        note(
            ("likeness", "accounts"),
            f"must not be below bug_accounts, {file.bug_accounts}: a yes would escalate nobody",
        )
    enabled = asked.enabled and bugs.enabled
    return LikenessRule(enabled, asked.accounts, asked.within, asked.asks or bugs.executive, asked.again)


def _auto_resolve(file: schema.PolicyFile) -> frozenset[Level]:
    asked = {level: file.levels[level.name].auto_resolve for level in Level if level.name in file.levels}
    default = Policy("").auto_resolve
    return frozenset(level for level in Level if asked.get(level) or (asked.get(level) is None and level in default))


def _limits(file: schema.PolicyFile, rates: Rates, note: Note) -> tuple[Money, Money]:
    default = Policy("").dispute_enter
    given = _in_home(file.disputes.enter, ("disputes", "enter"), rates, note)
    enter = given or replace(default, currency=rates.home)
    leave = _in_home(file.disputes.leave, ("disputes", "leave"), rates, note)
    if leave is None:
        leave = replace(enter, amount=enter.amount * _LEAVE_SHARE)
    elif leave > enter:
        note(("disputes", "leave"), f"must not be above {in_digits(enter)}, where a dispute opens")
    return enter, leave


def _in_home(money: Money | None, path: KeyPath, rates: Rates, note: Note) -> Money | None:
    if money is None:
        return None
    if money.amount <= 0:
        note(path, "must be above zero")
        return None
    if money.currency != rates.home:
        note(path, f"must be in {rates.home}, the home currency of the rates, and not in {money.currency}")
        return None
    return money
