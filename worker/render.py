"""Texts out of templates: notes, tasks, mails, Slack messages, in the configured language, English as fall-back.

Templates are configuration; what customers wrote is only ever a value in them, never a template. They run in an
immutable sandbox with strict variables, and their output is capped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from worker.core.document import build_brief, build_document
from worker.core.model import (
    Account,
    AccountId,
    AccountView,
    AddNote,
    AddTask,
    Assessment,
    Clock,
    Escalation,
    EscalationId,
    Event,
    Level,
    Notify,
    Person,
    Reason,
    RecordKind,
    RecordRef,
    Role,
    Segment,
    Status,
    TriggerId,
    UserId,
)
from worker.core.money import Money, currency
from worker.core.policy import Policy

NOTE_LENGTH = 30_000
TEXT_LENGTH = 30_000
SLACK_LENGTH = 2_900
SUBJECT_LENGTH = 150
_CUT = "\n[cut: the whole text is longer]"
_NAMES = (
    "note.txt",
    "note_title.txt",
    "task.txt",
    "slack.txt",
    "slack_reply.txt",
    "mail.txt",
    "mail.html",
    "subject.txt",
)
_HANDED_OVER = frozenset({Event.OPENED, Event.REOPENED, Event.RAISED, Event.BUMPED, Event.LOWERED})


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a text may speak of. `escalation` None: a question about an account that is not escalated."""

    view: AccountView
    escalation: Escalation | None
    assessment: Assessment
    policy: Policy
    now: datetime
    because: str
    event: Event
    link: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A note for the account's page."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail's parts."""

    subject: str
    text: str
    html: str


class Renderer:
    """Renders the texts of one language. Raises jinja2.TemplateError for a faulty template; `check` finds it first."""

    def __init__(self, templates_dir: Path, language: str, zone: str = "Asia/Jakarta") -> None:
        self._zone = ZoneInfo(zone)
        folders = [str(templates_dir / language), str(templates_dir / "en"), str(templates_dir)]
        self._environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader(folders),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
        )
        self._environment.filters["when"] = self._when
        self._environment.filters["left"] = _left

    def check(self) -> tuple[str, ...]:
        """Every fault of the templates: each is rendered for each event on a made-up account."""
        faults: dict[str, None] = {}
        for context in _samples():
            for name in _NAMES:
                try:
                    self._render(name, context, TEXT_LENGTH, key="00000000", subject="subject")
                except jinja2.TemplateSyntaxError as error:
                    faults[f"{error.filename or name}:{error.lineno}: {error.message}"] = None
                except Exception as error:  # noqa: BLE001  a template may fail in any way; all are told
                    faults[f"{name} ({context.event.value}): {type(error).__name__}: {error}"] = None
        return tuple(faults)

    def note(self, effect: AddNote, context: Context, key: str) -> Note:
        """The note of one event; its last line carries the key, so that it can be found again."""
        mark = f"\n\nRef ESC-{key}"
        body = self._render("note.txt", replace(context, event=effect.event), NOTE_LENGTH - len(mark), key=key)
        return Note(self._render("note_title.txt", replace(context, event=effect.event), SUBJECT_LENGTH), body + mark)

    def task(self, effect: AddTask, context: Context) -> str:
        """What a task asks for, with the draft to the customer where the CSM may want it."""
        return self._render("task.txt", replace(context, event=effect.event), TEXT_LENGTH, subject=effect.subject)

    def slack(self, effect: Notify, context: Context) -> str:
        """The state of the escalation now, for the one message in the channel."""
        return self._render("slack.txt", replace(context, event=effect.event), SLACK_LENGTH)

    def slack_reply(self, effect: Notify, context: Context) -> str:
        """What happened, for the thread."""
        return self._render("slack_reply.txt", replace(context, event=effect.event), SLACK_LENGTH)

    def email(self, effect: Notify, context: Context) -> Mail:
        """The mail to the level's owner."""
        own = replace(context, event=effect.event)
        subject = " ".join(self._render("subject.txt", own, SUBJECT_LENGTH).split())
        return Mail(
            subject, self._render("mail.txt", own, TEXT_LENGTH), self._render("mail.html", own, TEXT_LENGTH * 2)
        )

    def _render(self, name: str, context: Context, most: int, **more: str) -> str:
        text = self._environment.get_template(name).render(**self._values(context), **more).strip()
        return text if len(text) <= most else text[: most - len(_CUT)] + _CUT

    def _values(self, context: Context) -> dict[str, object]:
        escalation, policy = context.escalation, context.policy
        values: dict[str, object] = {
            "account": context.view.account,
            "escalation": escalation,
            "event": context.event.value,
            "because": context.because,
            "now": context.now,
            "link": context.link,
            "questions": [each.detail for each in context.assessment.questions],
            "restricted": _restricted(escalation, policy),
            "handed_over": context.event in _HANDED_OVER,
            "fields": [],
            "timeline": [],
            "brief": None,
            "issue": "",
        }
        if escalation is not None:
            document = build_document(context.view, escalation, policy, context.now)
            values["fields"] = document.fields
            values["timeline"] = document.timeline
            values["brief"] = build_brief(context.view, escalation, policy, context.now)
            values["issue"] = ", ".join(dict.fromkeys(_words(reason.trigger) for reason in escalation.reasons))
        return values

    def _when(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%Y-%m-%d %H:%M %Z}"


def _words(trigger: TriggerId) -> str:
    return trigger.replace("_", " ")


def _restricted(escalation: Escalation | None, policy: Policy) -> bool:
    """Whether a reason is such that no detail of it belongs into a shared channel."""
    reasons = () if escalation is None else escalation.reasons
    return any(reason.trigger in policy.triggers and policy.triggers[reason.trigger].restricted for reason in reasons)


def _left(moment: datetime, now: datetime) -> str:
    minutes = round((moment - now) / timedelta(minutes=1))
    days, rest = divmod(abs(minutes), 1440)
    hours, minutes_left = divmod(rest, 60)
    parts = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes_left, "min")) if count]
    span = " ".join(parts) or "0 min"
    return f"-{span}" if minutes < 0 else span


def _samples() -> Iterator[Context]:
    now = datetime(2026, 11, 24, 3, tzinfo=UTC)
    owner = Person(UserId("u1"), "Bima Santoso", "bima@example.com")
    account = Account(AccountId("A1"), "PT Contoh", owner=owner, arr=Money(Decimal(1), currency("IDR")))
    clock = Clock(Level.L2, now, now, now, now, now + timedelta(hours=2), "2 h")
    ref = RecordRef(RecordKind.ACCOUNT, "A1")
    reason = Reason(TriggerId("health_red"), ref, "The health score is red.", "health_red", now, now)
    escalation = Escalation(
        EscalationId("esc_1"), account.id, Level.L2, Status.OPEN, (reason,), owner, Role.VP_CS, now, clock, "p1"
    )
    view = AccountView(account)
    assessment = Assessment(account.id, Segment.STANDARD)
    for event in Event:
        yield Context(view, escalation, assessment, Policy("p1"), now, "because", event)
    yield Context(view, None, assessment, Policy("p1"), now, "because", Event.QUESTION)
