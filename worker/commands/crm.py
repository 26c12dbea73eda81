"""`crm ...`: list, show, edit and import the records of the embedded CRM."""

from __future__ import annotations

from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.crm_file import CrmOption, opened_crm
from worker.commands.crm_import import import_records
from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console

if TYPE_CHECKING:
    from connectors.base import Value
    from connectors.crm.embedded.database import EmbeddedCrm, Stored

AccountArgument = Annotated[str, typer.Argument(help="the account's id or its name")]
RecordArgument = Annotated[str, typer.Argument(help="an account's id or name, or the id of a case, dispute or user")]

_COLUMNS = {
    "accounts": ("account", ("name", "health", "arr", "arr_currency", "tier", "escalation_level", "escalation_status")),
    "cases": ("case", ("account_id", "status", "category", "subject", "bug_key")),
    "disputes": ("dispute", ("account_id", "status", "amount", "currency", "reason")),
    "users": ("user", ("name", "title", "email", "active")),
}
_TRUTH = {"true": True, "false": False, "yes": True, "no": False}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    crm = typer.Typer(help="List, show, edit and import the records of the embedded CRM.", no_args_is_help=True)
    crm.command("list")(list_records)
    crm.command("show")(show)
    crm.command("set")(set_fields)
    crm.command("notes")(notes)
    crm.command("add-case")(add_case)
    crm.command("close-case")(close_case)
    crm.command("add-dispute")(add_dispute)
    crm.command("settle-dispute")(settle_dispute)
    crm.command("override")(override)
    crm.command("import")(import_records)
    app.add_typer(crm, name="crm")


def _found(crm: EmbeddedCrm, object_name: str, record_id: str) -> Stored:
    record = crm.get(object_name, record_id)
    if record is not None:
        return record
    everything = crm.all(object_name)
    named = [each for each in everything if str(each.fields.get("name", "")).casefold() == record_id.casefold()]
    if len(named) == 1:
        return named[0]
    near = get_close_matches(record_id, [each.id for each in everything], 3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise typer.BadParameter(f"there is no {object_name} {record_id!r}{hint}")


def _any(crm: EmbeddedCrm, record_id: str) -> Stored:
    """A record of any kind by its id, else an account by its name."""
    kinds = (object_name for object_name, _ in _COLUMNS.values())
    return next((each for kind in kinds if (each := crm.get(kind, record_id))), None) or _found(
        crm, "account", record_id
    )


def _put(crm: EmbeddedCrm, object_name: str, record_id: str, fields: dict[str, Value]) -> None:
    from connectors.crm.embedded.database import UnknownFieldError

    try:
        stored = crm.put(object_name, record_id, fields)
    except UnknownFieldError as error:
        raise typer.BadParameter(str(error)) from error
    typer.echo(f"{object_name} {stored.id} saved, modified {stored.modified_at:%Y-%m-%d %H:%M:%S} UTC")


def list_records(
    what: Annotated[str, typer.Argument(help="accounts, cases, disputes, users, notes or tasks")],
    crm: CrmOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    escalated: Annotated[bool, typer.Option("--escalated", help="only flagged accounts")] = False,
    most: Annotated[int, typer.Option(min=1, help="at most so many")] = 50,
) -> None:
    """List records of one kind."""
    from rich.table import Column, Table

    opened = opened_crm(crm, config)
    if what in ("notes", "tasks"):
        written = opened.notes() if what == "notes" else opened.tasks()
        for entry in written[-most:]:
            title = getattr(entry, "title", "") or getattr(entry, "subject", "")
            typer.echo(f"{entry.account_id}  {title}")
        typer.echo(f"{len(written)} {what}")
        return
    if what not in _COLUMNS:
        raise typer.BadParameter(f"choose one of {', '.join((*_COLUMNS, 'notes', 'tasks'))}", param_hint="what")
    object_name, columns = _COLUMNS[what]
    records = opened.all(object_name)
    if escalated:
        records = [each for each in records if each.fields.get("escalated")]
    table = Table(Column("id", no_wrap=True), *(Column(name, overflow="fold") for name in columns))
    for each in records[:most]:
        table.add_row(each.id, *(_shown(each.fields.get(name)) for name in columns))
    console().print(table)
    typer.echo(f"{len(records)} {what}" + (f", the first {most} shown" if len(records) > most else ""))


def _shown(value: object) -> str:
    from rich.markup import escape

    return "" if value is None else escape(str(value))


def show(record: RecordArgument, crm: CrmOption = None, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show a record; an account with its tasks and notes."""
    opened = opened_crm(crm, config)
    found = _any(opened, record)
    out = console()
    named = found.fields.get("name") or found.fields.get("subject") or found.object_name
    out.print(f"[bold]{_shown(named)}[/] ({found.id})")
    for name, value in sorted(found.fields.items()):
        if value not in (None, "", False) and name not in ("id", "name", "subject"):
            out.print(f"  {name}: {_shown(value)}")
    if found.object_name == "account":
        _show_belongings(opened, found.id)


def _show_belongings(opened: EmbeddedCrm, account_id: str) -> None:
    out = console()
    for object_name in ("case", "dispute"):
        for each in opened.all(object_name, account_id):
            if str(each.fields.get("status", "")).casefold() in ("open", "new"):
                about = each.fields.get("subject") or f"{each.fields.get('amount')} {each.fields.get('currency')}"
                out.print(f"  open {object_name} {each.id}: {_shown(about)}")
    for task in opened.tasks(account_id):
        out.print(
            f"  task for {_shown(task.assignee_id)}, due {task.due_at:%Y-%m-%d %H:%M} UTC: {_shown(task.subject)}"
        )
    for note in opened.notes(account_id):
        out.print(f"  note {note.at:%Y-%m-%d %H:%M} UTC: {_shown(note.title)}")


def notes(account: AccountArgument, crm: CrmOption = None, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show the notes of an account in full."""
    opened = opened_crm(crm, config)
    for note in opened.notes(_found(opened, "account", account).id):
        typer.echo(f"--- {note.title} ({note.at:%Y-%m-%d %H:%M} UTC)\n{note.body}\n")


def set_fields(
    record: RecordArgument,
    assignments: Annotated[list[str], typer.Argument(help="field=value ...; an empty value clears")],
    crm: CrmOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Set fields of a record, as a person in the CRM would."""
    opened = opened_crm(crm, config)
    fields: dict[str, Value] = {}
    for each in assignments:
        name, equals, value = each.partition("=")
        if not equals:
            raise typer.BadParameter(f"{each!r} is not field=value")
        fields[name] = _TRUTH.get(value.casefold(), value) if value else None
    found = _any(opened, record)
    _put(opened, found.object_name, found.id, fields)


def add_case(
    account: AccountArgument,
    subject: Annotated[str, typer.Argument(help="one line")],
    text: Annotated[str, typer.Argument(help="what the customer wrote")],
    category: Annotated[str, typer.Option(help="what it is filed as, in the CRM's words")] = "",
    title: Annotated[str, typer.Option(help="the reporter's title")] = "",
    bug: Annotated[str, typer.Option(help="the bug key")] = "",
    crm: CrmOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Add a case that a customer wrote."""
    opened = opened_crm(crm, config)
    fields: dict[str, Value] = {
        "account_id": _found(opened, "account", account).id,
        "subject": subject,
        "text": text,
        "category": category or None,
        "reporter_title": title or None,
        "bug_key": bug or None,
        "author": "Customer",
        "status": "Open",
        "opened_at": datetime.now(UTC),
    }
    _put(opened, "case", _new_id(opened, "case", "CASE"), fields)


def _new_id(crm: EmbeddedCrm, object_name: str, prefix: str) -> str:
    numbers = [
        int(each.id.rpartition("-")[2]) for each in crm.all(object_name) if each.id.rpartition("-")[2].isdecimal()
    ]
    return f"{prefix}-{max(numbers, default=0) + 1:06d}"


def close_case(
    case: Annotated[str, typer.Argument(help="the case's id")],
    crm: CrmOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Close a case."""
    opened = opened_crm(crm, config)
    _put(opened, "case", _found(opened, "case", case).id, {"status": "Closed", "closed_at": datetime.now(UTC)})


def add_dispute(
    account: AccountArgument,
    amount: Annotated[str, typer.Argument(help="in plain digits, such as 1234567.89")],
    currency: Annotated[str, typer.Option(help="three letters")] = "IDR",
    reason: Annotated[str, typer.Option(help="why the customer contests it")] = "",
    crm: CrmOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Add an open payment dispute."""
    from worker.core.money import NumberStyle, parse_number

    opened = opened_crm(crm, config)
    try:
        number = parse_number(amount, NumberStyle.PLAIN)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    fields: dict[str, Value] = {
        "account_id": _found(opened, "account", account).id,
        "amount": number,
        "currency": currency.upper(),
        "reason": reason or None,
        "status": "Open",
        "opened_at": datetime.now(UTC),
    }
    _put(opened, "dispute", _new_id(opened, "dispute", "DSP"), fields)


def settle_dispute(
    dispute: Annotated[str, typer.Argument(help="the dispute's id")],
    crm: CrmOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Settle a dispute."""
    opened = opened_crm(crm, config)
    _put(opened, "dispute", _found(opened, "dispute", dispute).id, {"status": "Settled"})


def override(
    account: AccountArgument,
    wish: Annotated[str, typer.Option(help="acknowledged, snooze, raise_l2, raise_l3, manual_l1..3, resolved, ...")],
    until: Annotated[str, typer.Option(help="the end of a snooze, such as 2026-11-25T09:00+07:00")] = "",
    note: Annotated[str, typer.Option(help="the outcome note")] = "",
    root_cause: Annotated[str, typer.Option("--root-cause", help="why it came to it")] = "",
    confirmed: Annotated[bool, typer.Option("--confirmed", help="the customer confirmed it")] = False,
    by: Annotated[str, typer.Option(help="who says it")] = "",
    crm: CrmOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Fill in the override fields, as a CSM or manager would."""
    from worker.core.model import Wish

    if wish not in {each.value for each in Wish}:
        raise typer.BadParameter(f"choose one of {', '.join(Wish)}", param_hint="--wish")
    opened = opened_crm(crm, config)
    fields: dict[str, Value] = {
        "override": wish,
        "override_until": _moment(until) if until else None,
        "override_note": note or None,
        "override_root_cause": root_cause or None,
        "override_customer_confirmed": confirmed or None,
        "override_by": by or None,
        "override_at": datetime.now(UTC),
    }
    _put(opened, "account", _found(opened, "account", account).id, fields)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a time such as 2026-11-25T09:00+07:00") from error
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no time zone; write 2026-11-25T09:00+07:00")
    return moment
