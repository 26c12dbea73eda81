"""A report as a page, as Markdown for mail, and its escalations as CSV for whoever wants to count again."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import jinja2

from worker.core.episodes import LOST, Episode
from worker.core.figures import Tally, Weighed
from worker.core.money import IDR, Money, format_money
from worker.core.report import Checked, Report
from worker.report import charts

_PAGES = Path(__file__).parent.parent.parent / "config" / "pages"
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""


def as_html(report: Report, made_at: datetime, policy_version: str) -> str:
    """A page of its own: pictures inside, no script, nothing from the network. Times are UTC."""
    return _page(
        "report.html.j2",
        report,
        made_at,
        policy_version,
        months_svg=charts.months(report.months),
        rates_svg=charts.rates(report.months),
    )


def as_markdown(report: Report, made_at: datetime, policy_version: str) -> str:
    """The same in Markdown, readable as it is: the text of the VP's mail."""
    return _page("report.md.j2", report, made_at, policy_version)


def _page(name: str, report: Report, made_at: datetime, policy_version: str, **more: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["span"] = span
    environment.filters["hours"] = hours
    environment.filters["bars"] = _bars
    environment.filters["share"] = _share
    environment.filters["cell"] = _cell
    environment.filters["but"] = _but
    environment.filters["money"] = money
    environment.filters["weighed"] = _weighed
    return environment.get_template(name).render(
        report=report, made_at=f"{made_at:%Y-%m-%d %H:%M} UTC", policy_version=policy_version, **more
    )


def span(duration: timedelta | None) -> str:
    """A duration as people say it: `3 h 20 min`, `2 d 4 h`; a dash where there is none."""
    if duration is None:
        return "–"
    minutes = round(duration.total_seconds() / 60)
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    return " ".join(f"{count} {unit}" for count, unit in ((hours, "h"), (minutes, "min")) if count) or "0 min"


def hours(duration: timedelta | None) -> str:
    """The same of business hours, `26 h 30 min`: a day of the office has fewer hours than one of the clock."""
    if duration is None:
        return "–"
    whole, minutes = divmod(round(duration.total_seconds() / 60), 60)
    return " ".join(f"{count} {unit}" for count, unit in ((whole, "h"), (minutes, "min")) if count) or "0 min"


def money(amount: Money | None) -> str:
    """An amount in whole units, as a person reads it; the CSV has it exactly. A dash where none is known."""
    if amount is None:
        return "–"
    whole = Money(amount.amount.quantize(Decimal(1)), amount.currency)
    return format_money(whole, "id" if whole.currency == IDR else "en")


def _but(checked: Checked) -> str:
    """What the CRM says against an outcome."""
    after = checked.check.after
    if checked.episode.escalation.outcome in LOST:
        return f"renewed on {after.known_on}"
    due = "" if after.due_on is None else f" (the renewal was due on {after.due_on})"
    return f"left on {checked.episode.churned_on}{due}"


def _weighed(counted: Weighed) -> str:
    """So many, and the ARR behind them."""
    return str(counted.count) if counted.arr is None else f"{counted.count} ({money(counted.arr)})"


def _bars(tallies: Sequence[Tally]) -> list[tuple[str, int, int]]:
    most = max((each.count for each in tallies), default=1) or 1
    return [(each.name.replace("_", " "), each.count, round(100 * each.count / most)) for each in tallies[:12]]


def _share(share: float | None) -> str:
    return "too few to say" if share is None else f"{share:.0%}"


def _cell(text: object) -> str:
    """A text that does not break a Markdown table."""
    return str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


_COLUMNS = (
    *("escalation", "account_id", "account", "csm", "level", "first_level", "triggers", "products"),
    *("opened_at", "acknowledged_at", "resolved_at", "outcome", "root_cause", "arr", "arr_currency", "churned_on"),
    *("renewal_due_on", "renewal", "renewal_known_on", "outcome_check"),
    *("hours_to_resolve", "business_hours_to_resolve"),
)


def as_csv(episodes: Sequence[Episode], today: date) -> str:
    """One line an escalation, all texts quoted; what a spreadsheet would run as a formula is put in quotes. UTC.

    `arr` is a plain number in `arr_currency`, the home currency; outcomes are held against the CRM as of `today`.
    """
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(_COLUMNS)
    for each in episodes:
        writer.writerow([_harmless(value) for value in _row(each, today)])
    return out.getvalue()


def _row(episode: Episode, today: date) -> tuple[object, ...]:
    one, arr = episode.escalation, episode.arr
    return (
        *(one.id, one.account_id, episode.account_name, episode.csm, one.level, episode.first_level),
        *(" ".join(episode.triggers), "; ".join(episode.products)),
        *(_when(one.opened_at), _when(episode.acknowledged_at), _when(one.resolved_at)),
        *(one.outcome or "", one.root_cause),
        *(("", "") if arr is None else (format(arr.amount, "f"), arr.currency)),
        episode.churned_on or "",
        *_checked(episode, today),
        *(_in_hours(episode.lasted), _in_hours(episode.business_time)),
    )


def _checked(episode: Episode, today: date) -> tuple[object, ...]:
    check = episode.check(today)
    if check is None:
        return "", "", "", ""
    after = check.after
    return after.due_on or "", after.renewal, after.known_on or "", check.verdict


def _in_hours(duration: timedelta | None) -> str:
    """A plain number for a spreadsheet."""
    return "" if duration is None else f"{duration / timedelta(hours=1):.2f}"


def _when(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds")


def _harmless(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_DANGEROUS) else text
