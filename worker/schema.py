"""The shape of config/escalation.yaml: every key with its type, its default and what it means.

The JSON Schema for editors is made from these models, and the reference in config/README.md speaks of the same keys.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from worker import written
from worker.core.model import BUILT_IN_TRIGGERS, Level, Role
from worker.executive_titles import EXECUTIVE_TITLES
from worker.schema_types import (
    Amount,
    Count,
    Day,
    Deputy,
    Duration,
    LevelName,
    Name,
    RoleName,
    SecretPlace,
    Section,
    SegmentName,
    StandIn,
    TextOrSecret,
    keyed_by,
)


class TriggerRow(Section):
    """One row of the table: a level for each segment, and the executive who answers at L3."""

    standard: LevelName | None = Field(default=None, description="level for an ordinary account")
    high_value: LevelName | None = Field(default=None, description="level for an account above high_value_arr")
    strategic: LevelName | None = Field(default=None, description="level for an account of a strategic tier")
    executive: RoleName | None = Field(default=None, description="who answers at L3")
    enabled: bool | None = Field(default=None, description="false switches the trigger off")
    restricted: bool | None = Field(default=None, description="true keeps customer details out of shared channels")
    steward: RoleName | None = Field(default=None, description="who keeps the rule, and is told when it flaps")
    tells: list[RoleName] | None = Field(default=None, description="who is copied on everything, if named")


class CustomTriggerRow(TriggerRow):
    """A trigger of your own: a CEL expression that is true for the accounts to escalate."""

    when: Annotated[str, Field(min_length=1, description="CEL expression, see config/README.md")]
    detail: str = Field(default="", description="one plain sentence for the people who read the note")


class Hold(Section):
    """How long evidence must be there before opening, and gone before stepping down."""

    enter: Duration = timedelta(0)
    leave: Duration = timedelta(hours=24)


class FollowUpRow(Section):
    """How long an acknowledged escalation may be silent before it is told, reminded and moved up."""

    every: Duration | None = Field(default=None, description="without a word for so long, the owner is told")
    reminders: Annotated[int, Field(ge=0, le=20)] | None = Field(
        default=None, description="how often it is reminded, at the same pace, before it moves up"
    )


class LevelRow(Section):
    """How fast a level is answered, by whom, and on which calendar."""

    response: Duration | None = Field(default=None, description="time to acknowledge")
    owner: RoleName | None = None
    calendar: str | None = Field(default=None, description="wall_clock, or a name of calendars.yaml")
    calendars: dict[SegmentName, str] = Field(default_factory=dict, description="another calendar for a segment")
    hold: Hold | None = None
    follow_up: FollowUpRow = FollowUpRow()
    resolve: Duration | None = Field(default=None, description="resolution target; 0s for none")
    pause: Duration | None = Field(default=None, description="how long all pauses of one escalation may last")
    auto_resolve: bool | None = Field(default=None, description="true ends it without asking how it ended")


class PersonRow(Deputy):
    """Who stands for a role where the account names nobody."""

    active: bool = True
    absent_from: Day | None = Field(default=None, description="first day away, such as 2026-12-21")
    absent_until: Day | None = Field(default=None, description="last day away")
    deputy: StandIn | None = Field(default=None, description="who stands in: a role of this list, or a person")


class AbsenceRow(Section):
    """Somebody of the CRM who is away."""

    who: Annotated[str, Field(min_length=1, description="id, e-mail address or name")]
    absent_from: Day
    absent_until: Day
    deputy: StandIn | None = None


class SnoozeSection(Section):
    """What a snooze may be."""

    usual: Duration = Field(default=timedelta(hours=24), description="where the person names no end")
    longest: Duration = timedelta(days=14)
    remind_before: Duration = Field(default=timedelta(hours=2), description="its author is told so long before")


class DocumentSection(Section):
    """How the CSM is asked for what the issue document still needs."""

    remind_every: Duration = timedelta(hours=24)
    reminders: Annotated[int, Field(ge=0, le=100)] = 3


class HandoffSection(Section):
    """How often CSM and owner are reminded of the call at a change of hands."""

    reminders: Annotated[int, Field(ge=0, le=100)] = 2


class PostMortemSection(Section):
    """Which levels are looked back at once they are closed."""

    levels: list[LevelName] = Field(default_factory=lambda: [Level.L2, Level.L3])
    due: Duration = timedelta(days=5)


class PlaybookSection(Section):
    """When a root cause that repeats becomes a proposal."""

    repeats: Annotated[int, Field(ge=2, le=1000)] = 3
    within: Duration = timedelta(days=90)


class FlappingSection(Section):
    """Evidence that comes and goes so often holds the escalation open."""

    changes: Annotated[int, Field(ge=2, le=1000)] = 4
    within: Duration = timedelta(days=7)


class LikenessSection(Section):
    """Cases of several customers that say nearly the same: proposed to a person as one bug, never escalated alone."""

    enabled: bool = True
    accounts: Annotated[int, Field(ge=2, le=1000)] = Field(default=3, description="accounts, one group counted once")
    within: Duration = Field(default=timedelta(days=7), description="opened within this time")
    asks: RoleName | None = Field(default=None, description="who is asked; multi_customer_bug's executive by default")
    again: Annotated[int, Field(ge=1, le=1000)] = Field(default=3, description="asked again once so many more join")


class Segments(Section):
    """What makes an account high-value or strategic."""

    high_value_arr: Amount | None = Field(default=None, description="ARR from which an account is high-value")
    high_value_tiers: list[str] = Field(default_factory=lambda: ["enterprise"])
    strategic_tiers: list[str] = Field(default_factory=lambda: ["strategic"])


class Disputes(Section):
    """Above `enter` a dispute (or an account's open total) escalates; below `leave` the reason goes."""

    enter: Amount | None = None
    leave: Amount | None = None


class BrakesSection(Section):
    """When the worker stops and asks."""

    writes: bool = Field(default=True, description="false is the kill switch: keep watching, write nothing")
    first_run_asks: bool = True
    most_new: Count = Field(default=50, description="newly escalated accounts in one cycle")
    most_share: Annotated[Decimal, BeforeValidator(written.share)] = Field(
        default=Decimal("0.10"), description="share of all accounts newly escalated in one cycle"
    )
    surprise: Annotated[int, Field(ge=0, le=100)] = Field(
        default=5, description="times the busiest day of four weeks; a day that brings more stops and asks; 0: never"
    )


class Opened(Section):
    """What connectors and notifiers have in common."""

    module: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")] | None = None
    options: dict[str, object] = Field(default_factory=dict, description="what the module itself understands")
    secrets: dict[Name, SecretPlace] = Field(default_factory=dict)


class ConnectorSection(Opened):
    """One CRM; the name decides the module and the mapping unless they are given."""

    mapping: str | None = Field(default=None, description="file; mappings/NAME.yaml by default")
    settle: Duration | None = Field(default=None, description="how long a read may show what was before a write")
    link: Annotated[str, AfterValidator(written.link)] = Field(
        default="", description="address of an account's page, with {id} for the account's id"
    )


class NotifierSection(Opened):
    """One channel; `to` are the shared addresses or channels, people get theirs from the CRM."""

    channel: Literal["slack", "email", "console"] | None = None
    to: list[str] = Field(default_factory=list)
    fallback: str | None = Field(default=None, description="the channel that tells what this one could not")
    fallback_after: Duration = Field(default=timedelta(minutes=30), description="how long it may fail before that")


class Retry(Section):
    """The only retries there are: full jitter between the first and the longest wait."""

    attempts: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="tries within one cycle; then it waits in the outbox, which never gives up"
    )
    first_wait: Duration = timedelta(seconds=1)
    max_wait: Duration = timedelta(minutes=10)
    deadline: Duration = Field(default=timedelta(seconds=30), description="for one call in total")


class Heartbeat(Section):
    """Who is told after every good cycle."""

    file: str | None = None
    url: TextOrSecret | None = None


class Messages(Section):
    """How much is told at once, and to whom how much."""

    restricted_names: bool = Field(default=True, description="false: of restricted matters channels see the id only")
    storm: Count = Field(default=10, description="more new escalations in one cycle come as one digest, L3 apart")
    digest_calendar: str | None = Field(default=None, description="outside its hours news of L1 wait for its opening")
    l1_mail: Literal["at_once", "daily"] = Field(default="at_once", description="daily: one mail a person and day")


class Alarms(Section):
    """Where operations hear of brakes and of failures that last."""

    notifier: str | None = Field(default=None, description="a name under notifiers; without it alarms are only logged")
    to: list[str] = Field(default_factory=list, description="addresses or channels; the notifier's own by default")
    after: Duration = Field(default=timedelta(minutes=15), description="how long a failure lasts before it is told")


class Log(Section):
    """Lines on stderr; `auto` is for people on a terminal and JSON elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class PolicyFile(Section):
    """The whole file."""

    language: Literal["en", "id"] = Field(default="en", description="of notes and messages")
    connectors: Annotated[dict[Name, ConnectorSection], Field(min_length=1)]
    notifiers: dict[Name, NotifierSection] = Field(default_factory=lambda: {"console": NotifierSection()})
    triggers: Annotated[dict[str, TriggerRow], keyed_by(BUILT_IN_TRIGGERS)] = Field(default_factory=dict)
    custom_triggers: dict[Name, CustomTriggerRow] = Field(default_factory=dict)
    levels: dict[Annotated[str, Field(pattern="^L[123]$")], LevelRow] = Field(default_factory=dict)
    people: Annotated[dict[str, PersonRow], keyed_by(written.names_of(Role))] = Field(default_factory=dict)
    absences: list[AbsenceRow] = Field(default_factory=list, description="people of the CRM who are away")
    segments: Segments = Segments()
    disputes: Disputes = Disputes()
    bug_accounts: Annotated[int, Field(ge=2, le=1000)] = Field(default=2, description="accounts that share one bug")
    health_stale_after: Duration = timedelta(days=7)
    reopen_within: Duration = timedelta(days=14)
    snooze: SnoozeSection = SnoozeSection()
    document: DocumentSection = DocumentSection()
    confirm_every: Duration = Field(default=timedelta(days=2), description="reminder while the outcome is missing")
    post_mortem: PostMortemSection = PostMortemSection()
    playbook: PlaybookSection = PlaybookSection()
    flapping: FlappingSection = FlappingSection()
    handoff: HandoffSection = HandoffSection()
    likeness: LikenessSection = LikenessSection()
    executive_titles: list[Annotated[str, Field(min_length=2)]] = Field(default_factory=lambda: list(EXECUTIVE_TITLES))
    brakes: BrakesSection = BrakesSection()
    calendars: str | None = Field(default=None, description="file; calendars.yaml by default")
    rates: str | None = Field(default=None, description="file; rates.yaml by default")
    phrases: str | None = Field(default=None, description="folder; phrases by default")
    templates: str | None = Field(default=None, description="folder; templates by default")
    state_dir: str | None = Field(default=None, description="folder of the state; $STATE_DIRECTORY or state by default")
    store: TextOrSecret | None = Field(default=None, description="database URL; a SQLite file in state_dir by default")
    interval: Duration = timedelta(seconds=60)
    overlap: Duration = timedelta(minutes=15)
    sweep_every: Duration = Field(default=timedelta(hours=24), description="how often everything is compared")
    retention_days: Annotated[int, Field(ge=1, le=36_500)] = 730
    chat_max_age: Duration = Field(default=timedelta(hours=24), description="an older chat message is dropped")
    timezone: Annotated[str, AfterValidator(written.zone)] = Field(
        default="Asia/Jakarta", description="of the times in messages; an IANA name"
    )
    messages: Messages = Messages()
    alarms: Alarms = Alarms()
    retry: Retry = Retry()
    heartbeat: Heartbeat = Heartbeat()
    log: Log = Log()
