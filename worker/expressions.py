"""Custom triggers: CEL expressions over one account, type-checked when the file is loaded.

Every variable below is declared with its type, so a misspelt name or a comparison of a number with a text is found
before the worker starts. What has no value is told by a companion (`account.arr_known`); an expression that can't be
evaluated for an account says UNKNOWN, which never fires. Money is in whole units of the home currency, rounded down.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches

from cel_expr_python import cel

from worker.core.model import AccountView, CaseStatus, Dispute, Segment, TriggerId
from worker.core.money import Money, Rates
from worker.core.policy import CustomTrigger, Verdict

LONGEST = 4_000
"""Characters of one expression."""

_URGENT = frozenset({"urgent", "highest", "critical", "p1"})
_LARGEST_INT = 2**63 - 1
_POSITION = re.compile(r"<input>:([0-9]+):([0-9]+): (.*)")
_STATUS = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$")
_TEXT, _INT, _BOOL, _DOUBLE = cel.Type.STRING, cel.Type.INT, cel.Type.BOOL, cel.Type.DOUBLE


@dataclass(frozen=True, slots=True)
class Variable:
    """One name that an expression may use."""

    name: str
    kind: cel.Type
    meaning: str


VARIABLES: tuple[Variable, ...] = (
    Variable("account.name", _TEXT, "the customer's name"),
    Variable("account.tier", _TEXT, "the tier as the mapping gives it, empty when unknown"),
    Variable("account.segment", _TEXT, "standard, high_value or strategic"),
    Variable("account.language", _TEXT, "the customer's language, such as id"),
    Variable("account.health", _TEXT, "green, yellow, red or unknown"),
    Variable("account.score", _DOUBLE, "the health score, 0.0 when unknown"),
    Variable("account.score_known", _BOOL, "whether the CRM has a health score"),
    Variable("account.arr_home", _INT, "yearly revenue in whole units of the home currency, 0 when unknown"),
    Variable("account.arr_known", _BOOL, "whether there is an amount, and a rate for its currency"),
    Variable("account.days_to_renewal", _INT, "days until the renewal, negative when past, 0 when unknown"),
    Variable("account.renewal_known", _BOOL, "whether the CRM has a renewal date"),
    Variable("account.pr_risk", _BOOL, "whether a person ticked the PR risk"),
    Variable("account.owned", _BOOL, "whether an active person owns the account"),
    Variable("account.churn_signals", cel.Type.List(_TEXT), "signs of leaving from CRM fields"),
    Variable("account.extra", cel.Type.Map(_TEXT, cel.Type.DYN), "further fields of the mapping, not type-checked"),
    Variable("cases.open", _INT, "open cases"),
    Variable("cases.urgent", _INT, "open cases with priority urgent, highest, critical or p1"),
    Variable("disputes.open", _INT, "open payment disputes"),
    Variable("disputes.open_total_home", _INT, "their sum in the home currency, of those with a known amount"),
    Variable("disputes.all_known", _BOOL, "whether every open dispute has an amount and a rate"),
)


SegmentOf = Callable[[AccountView], Segment]
"""How much an account weighs, by the policy's own rule."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One fault of an expression; `line` and `column` count from 1 within its text."""

    line: int
    column: int
    message: str


class ExpressionError(ValueError):
    """An expression that can't be a trigger, with all that is wrong in it."""

    def __init__(self, complaints: tuple[Complaint, ...]) -> None:
        super().__init__("; ".join(f"{c.line}:{c.column}: {c.message}" for c in complaints))
        self.complaints = complaints


def compile_trigger(
    trigger: TriggerId, source: str, rates: Rates, detail: str = "", segment: SegmentOf = lambda _: Segment.STANDARD
) -> CustomTrigger:
    """The trigger that holds where `source` is true; ExpressionError for what is no sound condition.

    Amounts are converted at the rate of the day on which the account was last read.
    `segment` tells an account's weight.
    """
    program = _program(source)

    def holds(view: AccountView) -> Verdict:
        return _verdict(program, {**_values(view, rates), "account.segment": segment(view).value})

    return CustomTrigger(trigger, source.strip(), holds, detail)


def _program(source: str) -> cel.Expression:
    if len(source) > LONGEST:
        raise ExpressionError((Complaint(1, 1, f"is longer than {LONGEST} characters: split it into two triggers"),))
    try:
        program = _environment().compile(source)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ExpressionError(_complaints(str(error), source)) from error
    found = program.return_type()
    if found != cel.Type.BOOL:
        message = f"gives {found.name().lower()} and not true or false: compare it with something"
        raise ExpressionError((Complaint(1, 1, message),))
    return program


def _environment() -> cel.Env:
    return cel.NewEnv(variables={variable.name: variable.kind for variable in VARIABLES})


def _complaints(text: str, source: str) -> tuple[Complaint, ...]:
    found = tuple(
        Complaint(int(line), int(column), _with_caret(message, source, int(line), int(column)))
        for line, column, message in _POSITION.findall(text)
    )
    return found or (Complaint(1, 1, _STATUS.sub("", text.splitlines()[0] if text else "can't be compiled")),)


def _with_caret(message: str, source: str, line: int, column: int) -> str:
    lines = source.splitlines()
    plain = _STATUS.sub("", message).replace(" (in container '')", "")
    plain = re.sub(r" expecting \{.*\}", ": something is missing or too much here", plain)
    unknown = re.search(r"undeclared reference to '([\w.]+)'", plain)
    if unknown is not None:
        near = get_close_matches(unknown[1], [variable.name for variable in VARIABLES], n=1)
        plain += f"; did you mean {near[0]}?" if near else "; config/README.md lists the names"
    if not 0 < line <= len(lines):
        return plain
    start = max(0, column - 60)
    return f"{plain}\n    {lines[line - 1][start : start + 100]}\n    {' ' * (column - 1 - start)}^"


def _verdict(program: cel.Expression, values: Mapping[str, object]) -> Verdict:
    # An error is a value here, and a text at that, which is true in Python: only the type tells.
    try:
        outcome = program.eval(data=values)
        if outcome.type() != cel.Type.BOOL:
            return Verdict.UNKNOWN
        return Verdict.YES if outcome.value() is True else Verdict.NO
    except (RuntimeError, ValueError, TypeError, OverflowError):
        return Verdict.UNKNOWN


def _values(view: AccountView, rates: Rates) -> dict[str, object]:
    account, today = view.account, view.read_at.date() if view.read_at is not None else None
    score, arr = account.health.score, _home(account.arr, today, rates)
    days = (account.renewal_on - today).days if account.renewal_on is not None and today is not None else None
    return {
        "account.name": _clean(account.name),
        "account.tier": _clean(account.tier),
        "account.language": _clean(account.language),
        "account.health": account.health.colour.value,
        "account.score": float(score or 0),
        "account.score_known": score is not None,
        "account.arr_home": arr or 0,
        "account.arr_known": arr is not None,
        "account.days_to_renewal": days or 0,
        "account.renewal_known": days is not None,
        "account.pr_risk": account.pr_risk,
        "account.owned": account.owner is not None and account.owner.active,
        "account.churn_signals": [_clean(sign) for sign in account.churn_signals],
        "account.extra": {_clean(name): _plain(value) for name, value in account.extra.items()},
        **_counted(view, lambda money: _home(money, today, rates)),
    }


def _counted(view: AccountView, home: Callable[[Money | None], int | None]) -> dict[str, object]:
    cases = [case for case in view.cases if case.status is CaseStatus.OPEN]
    disputes: list[Dispute] = [dispute for dispute in view.disputes if dispute.status is CaseStatus.OPEN]
    amounts = [home(dispute.amount) for dispute in disputes]
    return {
        "cases.open": len(cases),
        "cases.urgent": sum(case.priority.strip().lower() in _URGENT for case in cases),
        "disputes.open": len(disputes),
        "disputes.open_total_home": sum(amount for amount in amounts if amount is not None),
        "disputes.all_known": None not in amounts,
    }


def _home(money: Money | None, today: date | None, rates: Rates) -> int | None:
    if money is None or (today is None and money.currency != rates.home):
        return None
    conversion = rates.convert(money, today or date.min)
    whole = None if conversion is None else int(conversion.result.amount)
    return whole if whole is not None and abs(whole) <= _LARGEST_INT else None


def _plain(value: str | int | bool | Decimal | None) -> object:
    if isinstance(value, Decimal):
        return float(value)
    return _clean(value) if isinstance(value, str) else value


def _clean(text: str) -> str:
    """Without lone surrogates, which are legal in JSON and break the evaluator."""
    return text.encode("utf-8", "replace").decode()
