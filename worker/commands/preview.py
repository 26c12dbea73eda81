"""`preview`: note, Slack message and mails of a real account as they would be written, sending nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console, load, state, worker

if TYPE_CHECKING:
    from datetime import datetime

    from worker.core.model import Event
    from worker.decide import Decider
    from worker.render import Context, Renderer
    from worker.situation import Situation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(preview)


def preview(
    account: Annotated[str, typer.Argument(help="the account's id in the CRM")],
    config: ConfigOption = DEFAULT_CONFIG,
    event: Annotated[str, typer.Option(help="what shall have happened: opened, bumped, resolved ...")] = "opened",
    language: Annotated[str, typer.Option(help="en or id; the configured one by default")] = "",
) -> None:
    """Show what would be written about an account. The note, the message in the channel, the mails; sends nothing."""
    from rich.markup import escape

    from worker.assembly import renderer
    from worker.core.local_time import WORDS
    from worker.core.model import AccountId, Event
    from worker.exits import ExitCode

    if event not in {each.value for each in Event}:
        raise typer.BadParameter(f"choose one of {', '.join(each.value for each in Event)}", param_hint="--event")
    if language and language not in WORDS:
        raise typer.BadParameter(f"choose one of {', '.join(WORDS)}", param_hint="--language")
    settings = load(config)
    shown = False
    with state(settings) as (store, ports), worker(settings, store, ports) as running:
        for crm in running.crms:
            decider, now = running.cycle.decider(crm.name), ports.now()
            with store.read() as tx:
                situation = decider.situation(tx, AccountId(account), now, complete=True)
            if situation is None:
                continue
            shown = True
            for line in _texts(_context(decider, situation, Event(event), now), renderer(settings, language)):
                console().print(escape(line))
    if not shown:
        typer.echo(f"no account {account!r} has been read yet; `once` reads the CRM", err=True)
        raise typer.Exit(ExitCode.FINDINGS)


def _context(decider: Decider, situation: Situation, event: Event, now: datetime) -> Context:
    """What the texts would speak of: the escalation as it stands, or else as a decision would make it now."""
    from dataclasses import replace

    from worker.core.model import Status

    decision = decider.would_decide(situation, now)
    escalation = situation.current if situation.current is not None and situation.current.open else decision.escalation
    if escalation is not None and event == "resolved" and escalation.open:
        escalation = replace(escalation, status=Status.RESOLVED, resolved_at=now)
    reasons = () if escalation is None else escalation.reasons
    because = decision.because or " ".join(reason.detail for reason in reasons)
    return replace(decider.context(situation, decision, event, now), escalation=escalation, because=because)


def _texts(context: Context, renderer: Renderer) -> Iterator[str]:
    from worker.core.model import AddNote, Notify
    from worker.core.telling import restricted

    if context.escalation is None:
        yield "This account is not escalated, and nothing would escalate it now: there is nothing to tell."
        return
    note = renderer.note(AddNote(context.event, 1), context, "0" * 8)
    yield from ("== Note in the CRM", note.title, "", note.body, "")
    effect = Notify(context.event, 1, ())
    card = renderer.card(effect, context)
    yield from ("== Slack, the message", f"~{card.title}~" if card.over else card.title, card.text, context.link, "")
    yield from ("== Slack, the answer in its thread", renderer.slack_reply(effect, context), "")
    secret = restricted(context.escalation, context.policy)
    for title, hidden in (("to the owner", False), ("to those who need not know", True))[: 1 + secret]:
        mail = renderer.email(effect, context, restricted=hidden)
        yield from (f"== Mail {title}", f"Subject: {mail.subject}", "", mail.text, "")
        for call in mail.calls:
            yield f"With a file for the calendar: {call.title}, " + renderer.told(f"{call.at:%Y-%m-%d %H:%M} UTC")
