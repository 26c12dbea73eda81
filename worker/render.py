"""Texts out of templates: notes, tasks, mails, Slack messages, in the configured language, English as fall-back.

Templates are configuration; what customers wrote is only ever a value in them, never a template. They run in an
immutable sandbox with strict variables, and their steps and output are capped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from worker.apart import Apart, Remark, Titled, values_of
from worker.core.document import HandoffBrief, build_brief, build_document
from worker.core.handoff import calls_ahead
from worker.core.local_time import LocalTime
from worker.core.model import (
    AccountView,
    AddNote,
    AddTask,
    Assessment,
    Escalation,
    Event,
    Level,
    Notify,
    Role,
    TaskKind,
)
from worker.core.policy import Policy
from worker.core.proof import Proof
from worker.core.story import NO_PAST, Past
from worker.core.telling import restricted, thanked
from worker.core.turn import HANDED_OVER, WORKER
from worker.languages import SPEAKS, language_of
from worker.sandbox import FaultyTemplateError, environment, text_of
from worker.texts import Card, Mail, Note, ProposedCall
from worker.translation import load_translation

NOTE_LENGTH = 30_000
TEXT_LENGTH = 30_000
SLACK_LENGTH = 2_900
SUBJECT_LENGTH = 150
ZONE = "Asia/Jakarta"
_LINE = 300
_CUT = "\n[cut: the whole text is longer]"
_NAMES = (
    "note.txt",
    "note_title.txt",
    "draft_customer.txt",
    "draft_manager.txt",
    "draft_thanks.txt",
    *(f"task/{kind.value}.txt" for kind in TaskKind),
    "slack_title.txt",
    "slack.txt",
    "slack_reply.txt",
    "digest_line.txt",
    "list_news.txt",
    "mail.txt",
    "mail.html",
    "subject.txt",
    "call_title.txt",
    "call.txt",
)
_WITH_DRAFTS = frozenset({"task/drafts.txt", "task/thanks.txt"})


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a text may speak of. `escalation` None: a question about an account that is not escalated.

    `because` tells the whole decision, `said` each of its events by number. `past` is what the store knows of earlier;
    `backtest` is what the rule of a proposal has seen in the past, for the task that proposes.
    """

    view: AccountView
    escalation: Escalation | None
    assessment: Assessment
    policy: Policy
    now: datetime
    because: str
    event: Event
    link: str = ""
    past: Past = NO_PAST
    said: Mapping[int, str] = field(default_factory=dict)
    backtest: Proof | None = None


class Renderer:
    """Renders the texts of one language, with times of one zone.

    `names`: whether an account's name may stand where only the level may be told of a restricted matter; else its id
    does. Raises jinja2.TemplateError for a faulty template, with file and line; `check` finds it first.
    """

    def __init__(self, templates_dir: Path, language: str, zone: str = ZONE, *, names: bool = True) -> None:
        self._names = names
        self._known: tuple[Context, dict[str, object]] | None = None
        self._language = language
        self._environments = {each: environment(templates_dir, each, zone) for each in {language, *SPEAKS.values()}}
        self._environment = self._environments[language]
        self._translation = load_translation(templates_dir / language / "sentences.yaml")
        self._local = LocalTime(language, zone)

    def check(self, samples: Iterable[Context | Apart]) -> tuple[str, ...]:
        """Every fault of the templates, when each is rendered for each of these that it may be about."""
        faults: dict[str, None] = {}
        for sample in samples:
            for name in _NAMES if isinstance(sample, Context) else sample.templates:
                try:
                    self._try(name, sample)
                except FaultyTemplateError as error:
                    faults[f"{error} (when rendering {name})"] = None
                except jinja2.TemplateSyntaxError as error:
                    faults[f"{error.filename or name}:{error.lineno}: {error.message}"] = None
                except Exception as error:  # noqa: BLE001  a template may fail in any way; all are told
                    faults[f"{name}: {type(error).__name__}: {error}"] = None
        return tuple(faults)

    def _try(self, name: str, sample: Context | Apart) -> None:
        if isinstance(sample, Context):
            more = self._drafts(sample) if name in _WITH_DRAFTS else {}
            self._render(name, sample, TEXT_LENGTH, key="00000000", subject="subject", **more)
        else:
            self._apart(name, sample, TEXT_LENGTH)

    def note(self, effect: AddNote, context: Context, key: str) -> Note:
        """The note of one event; its last line carries the key, so that it can be found again."""
        mark = f"\n\nRef ESC-{key}"
        body = self._render("note.txt", _at(effect, context), NOTE_LENGTH - len(mark), key=key)
        return Note(self._render("note_title.txt", _at(effect, context), SUBJECT_LENGTH), body + mark)

    def task(self, effect: AddTask, context: Context) -> str:
        """What a task asks for. Drafts to the customer are in the account's language, where there are templates."""
        own, name = _at(effect, context), f"task/{effect.kind.value}.txt"
        drafts = self._drafts(own) if name in _WITH_DRAFTS else {}
        return self._render(name, own, TEXT_LENGTH, subject=self.told(effect.subject), **drafts)

    def _drafts(self, context: Context) -> dict[str, str]:
        theirs = language_of(context.view.account) or self._language
        return {
            "draft_customer": self._render("draft_customer.txt", context, TEXT_LENGTH, language=theirs),
            "draft_thanks": self._render("draft_thanks.txt", context, TEXT_LENGTH, language=theirs),
            "draft_manager": self._render("draft_manager.txt", context, TEXT_LENGTH),
        }

    def card(self, effect: Notify, context: Context) -> Card:
        """The state of the escalation now, for the one message in a shared channel."""
        own = _at(effect, context)
        title = " ".join(self._render("slack_title.txt", own, SUBJECT_LENGTH).split())
        over = own.escalation is not None and not own.escalation.open
        return Card(title, self._render("slack.txt", own, SLACK_LENGTH), over)

    def slack_reply(self, effect: Notify, context: Context) -> str:
        """What happened, for the thread."""
        return self._render("slack_reply.txt", _at(effect, context), SLACK_LENGTH)

    def digest_line(self, effect: Notify, context: Context, *, bug: str = "", apart: bool = False) -> str:
        """The state of the escalation now, for a list of many; `apart`: it has a message of its own."""
        more: dict[str, Any] = {"bug": bug, "apart": apart}
        return " ".join(self._render("digest_line.txt", _at(effect, context), _LINE * 2, **more).split())

    def list_news(self, effect: Notify, context: Context) -> str:
        """What happened to one of a list, with its name."""
        return " ".join(self._render("list_news.txt", _at(effect, context), _LINE * 2).split())

    def told_apart(self, told: Titled) -> Card:
        """What is about no single escalation."""
        title, text = told.templates
        return Card(
            " ".join(self._apart(title, told, 2 * SUBJECT_LENGTH).split()), self._apart(text, told, TEXT_LENGTH)
        )

    def remark(self, channel: str, *, doubt: bool) -> str:
        """Why a message comes by another channel; `doubt`: it may have arrived by its own."""
        (name,) = Remark.templates
        return self._apart(name, Remark(channel, doubt), SUBJECT_LENGTH).strip()

    def _apart(self, name: str, told: Apart, most: int) -> str:
        return text_of(self._environment.get_template(name), values_of(told), most)

    def email(self, effect: Notify, context: Context, *, restricted: bool = False) -> Mail:
        """The mail about an event; `restricted` for those who need not know what it is about."""
        own = _at(effect, context)
        secret: dict[str, Any] = {"restricted": restricted}
        subject = " ".join(self._render("subject.txt", own, SUBJECT_LENGTH, **secret).split())
        text = self._render("mail.txt", own, TEXT_LENGTH, **secret)
        html = self._render("mail.html", own, TEXT_LENGTH * 2, **secret)
        return Mail(subject, text, html, self._calls(own, secret))

    def _calls(self, context: Context, secret: Mapping[str, Any]) -> tuple[ProposedCall, ...]:
        """The times proposed at a change of hands, for the reader's calendar."""
        brief = self._values(context)["brief"]
        if context.event not in HANDED_OVER or not isinstance(brief, HandoffBrief):
            return ()
        title = " ".join(self._render("call_title.txt", context, SUBJECT_LENGTH, **secret).split())
        text = self._render("call.txt", context, TEXT_LENGTH, **secret)
        return tuple(ProposedCall(title, text, at) for at in brief.calls)

    def _render(self, name: str, context: Context, most: int, *, language: str = "", **more: object) -> str:
        account, values = context.view.account, {**self._values(context), **more}
        values["shown_name"] = account.name if self._names or not values["restricted"] else account.id
        template = self._environments[language or self._language].get_template(name)
        text = text_of(template, values, 2 * most).strip()
        return text if len(text) <= most else text[: most - len(_CUT)] + _CUT

    def _values(self, context: Context) -> dict[str, object]:
        """What a template may speak of; one event has several texts, so the last answer is kept."""
        if self._known is None or self._known[0] is not context:
            self._known = context, self._gathered(context)
        return self._known[1]

    def told(self, text: str) -> str:
        """A sentence of the worker's own in this language, its moments on local time."""
        return self._local.retold(self._translation(text))

    def _in_one_line(self, escalation: Escalation) -> str:
        """Why it is escalated, short enough to be read in passing."""
        present = [reason.detail for reason in escalation.reasons if reason.gone_at is None]
        text = self.told(" ".join(" ".join(present).split()))
        return text if len(text) <= _LINE else text[: _LINE - 1] + "…"

    def _gathered(self, context: Context) -> dict[str, object]:
        escalation, policy = context.escalation, context.policy
        values: dict[str, object] = {
            "account": context.view.account,
            "escalation": escalation,
            "event": context.event.value,
            "because": self.told(context.because),
            "now": context.now,
            "link": context.link,
            "questions": [self.told(each.detail) for each in context.assessment.questions],
            "restricted": restricted(escalation, policy),
            "handed_over": context.event in HANDED_OVER,
            "document": None,
            "gaps_for": "",
            "alike": context.view.alike,
            "people": sorted({entry.actor for entry in context.past.trail} - {WORKER}),
            "backtest": context.backtest,
            "lead": "",
            "fields": [],
            "timeline": [],
            "brief": None,
            "calls_ahead": (),
            "issue": "",
            "triggers": [],
            "bug": "",
            "apart": False,
            "why": "",
            "thanks": [],
        }
        if escalation is not None:
            document = build_document(context.view, escalation, policy, context.now, context.past)
            values["document"] = document
            values["gaps_for"] = _gaps_for(context, escalation)
            values["lead"] = next((reason.trigger for reason in escalation.reasons), "")
            triggers = list(dict.fromkeys(reason.trigger for reason in escalation.reasons))
            values["fields"] = [replace(each, text=self.told(each.text)) for each in document.fields]
            values["timeline"] = [replace(each, what=self.told(each.what)) for each in document.timeline]
            values["brief"] = build_brief(context.view, escalation, policy, context.now)
            values["calls_ahead"] = calls_ahead(escalation, context.now)
            values["issue"] = ", ".join(trigger.replace("_", " ") for trigger in triggers)
            values["triggers"] = triggers
            values["why"] = self._in_one_line(escalation)
            values["thanks"] = thanked(context.view.account, escalation)
        return values


def _gaps_for(context: Context, escalation: Escalation) -> str:
    """At L3 the manager is shown what the document still needs."""
    if escalation.level is not Level.L3:
        return ""
    manager = context.view.account.manager or context.policy.people.get(Role.CS_MANAGER)
    return "" if manager is None else manager.name


def _at(effect: AddNote | AddTask | Notify, context: Context) -> Context:
    return context if context.event is effect.event else replace(context, event=effect.event)
