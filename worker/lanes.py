"""The targets of the outbox: how an effect is sent to a CRM or a channel, and how it is looked up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.base import Capabilities, CreateNote, CreateTask, UpdateRecord, Write, WriteResult
from connectors.notifier import Message, Posting
from worker.core.model import Channel
from worker.effects import FlagWrite
from worker.pages import page_of
from worker.store import deliveries
from worker.store.codec import decode
from worker.store.deliveries import Delivery, Kind
from worker.wiring import Crm, Outlet


@dataclass(slots=True)
class LaneReport:
    """What delivering on one lane came to."""

    done: int = 0
    refused: int = 0
    retried: int = 0
    unknown: int = 0
    conflicts: int = 0
    failure: str = ""
    remedy: str = ""


class Lane(ABC):
    """One target: how its effects are sent and looked up."""

    name: str
    batch_size: int

    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What the target can do."""

    @abstractmethod
    def send(self, deliveries: Sequence[Delivery], thread_refs: Mapping[str, str]) -> Sequence[WriteResult]:
        """Send, one result each."""

    @abstractmethod
    def find(self, deliveries: Sequence[Delivery]) -> Mapping[str, str]:
        """Which keys are there, with remote ids."""

    def can_be_repeated(self, delivery: Delivery) -> bool:
        """Whether sending again does no harm even if the first one arrived."""
        return self.capabilities().exactly_once or delivery.intent.kind is Kind.FLAG


class CrmLane(Lane):
    """Writes to a CRM."""

    def __init__(self, crm: Crm) -> None:
        self.name = crm.name
        self.batch_size = crm.connector.capabilities().batch_size
        self._crm = crm

    def capabilities(self) -> Capabilities:  # noqa: D102
        return self._crm.connector.capabilities()

    def send(self, deliveries: Sequence[Delivery], thread_refs: Mapping[str, str]) -> Sequence[WriteResult]:  # noqa: ARG002, D102
        return self._crm.connector.write([self._write(delivery) for delivery in deliveries])

    def _write(self, delivery: Delivery) -> Write:
        intent = delivery.intent
        if intent.kind is Kind.NOTE:
            return decode(intent.payload, CreateNote)
        if intent.kind is Kind.TASK:
            return decode(intent.payload, CreateTask)
        wanted = decode(intent.payload, FlagWrite)
        mapping = self._crm.mapping
        expect = mapping.flag_values(wanted.expect) if self.capabilities().conditional else None
        return UpdateRecord(
            intent.key, mapping.flag_object(), intent.account_id, mapping.flag_values(wanted.flag), expect
        )

    def find(self, deliveries: Sequence[Delivery]) -> Mapping[str, str]:  # noqa: D102
        accounts = dict.fromkeys(page_of(delivery.intent) for delivery in deliveries)
        return self._crm.connector.find([delivery.intent.key for delivery in deliveries], list(accounts))


class OutletLane(Lane):
    """Messages to a channel."""

    def __init__(self, outlet: Outlet) -> None:
        self.name = outlet.name
        self.batch_size = 1
        self.channel: Channel = outlet.channel
        self._notifier = outlet.notifier

    def capabilities(self) -> Capabilities:  # noqa: D102
        return self._notifier.capabilities()

    def send(self, deliveries: Sequence[Delivery], thread_refs: Mapping[str, str]) -> Sequence[WriteResult]:  # noqa: D102
        return [self._notifier.send(_threaded(delivery, thread_refs)) for delivery in deliveries]

    def find(self, deliveries: Sequence[Delivery]) -> Mapping[str, str]:  # noqa: D102
        since = min(min(each.created_at, each.deadline or each.created_at) for each in deliveries)
        return self._notifier.find([delivery.intent.key for delivery in deliveries], since)

    def can_be_repeated(self, delivery: Delivery) -> bool:
        """Anything but an edit would be a second message; and an edit without a thread went out as a message."""
        editing = decode(delivery.intent.payload, Message).posting is Posting.EDIT
        return self.capabilities().exactly_once or (editing and not self.capabilities().finds)


def _threaded(delivery: Delivery, thread_refs: Mapping[str, str]) -> Message:
    """The message with the thread it belongs to; without one (the first was refused) it stands for itself."""
    message = replace(
        decode(delivery.intent.payload, Message), repeated=delivery.reason.startswith(deliveries.REPEATED)
    )
    if message.posting is Posting.POST:
        return message
    ref = thread_refs.get(delivery.intent.escalation_id, "")
    return replace(message, thread_ref=ref) if ref else replace(message, posting=Posting.POST)


def lanes_of(crms: Iterable[Crm], outlets: Iterable[Outlet]) -> tuple[Lane, ...]:
    """Every target, the CRMs first: people shall find the flag when the message reaches them."""
    crm_lanes: list[Lane] = [CrmLane(crm) for crm in crms]
    return (*crm_lanes, *(OutletLane(outlet) for outlet in outlets))
