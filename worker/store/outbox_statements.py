"""The outbox's statements, built once: which effects are due, who may settle one, what is shown of them.

Each compares what its caller read (the attempt, the state), so that of two workers one wins.
"""

from __future__ import annotations

from sqlalchemy import Update, and_, bindparam, exists, func, select, update

from worker.store.deliveries import ON_TRIAL, PENDING, Kind, State
from worker.store.schema import outbox
from worker.store.statements import Insert, one_of

UNSETTLED = one_of(outbox.c.state, PENDING)
"""What the indexes of waiting effects hold; said beside any narrower state, or SQLite would not use them."""
_LANE = outbox.c.lane == bindparam("of_lane")
_FLAGS = and_(
    outbox.c.lane == bindparam("of_connector"),
    outbox.c.connector == bindparam("of_connector"),
    outbox.c.account_id == bindparam("of_account"),
    one_of(outbox.c.kind, [Kind.FLAG]),
)
_before = outbox.alias("before")
_EARLIER = and_(
    _before.c.lane == outbox.c.lane,
    _before.c.connector == outbox.c.connector,
    _before.c.stream == outbox.c.stream,
    _before.c.ordinal < outbox.c.ordinal,
    one_of(_before.c.state, PENDING),
)
_DUE = and_(_LANE, UNSETTLED, one_of(outbox.c.state, [State.NEW]), outbox.c.not_before <= bindparam("now"))
HEADS = (
    select(outbox)
    .where(_DUE, ~exists().where(_EARLIER))
    .order_by(outbox.c.level.desc(), outbox.c.ordinal)
    .limit(bindparam("most"))
)
"""The earliest unsettled effect of each account, if it is due (I18)."""
_account = (outbox.c.connector, outbox.c.stream)
_also_due = and_(one_of(_before.c.state, [State.NEW]), _before.c.not_before <= bindparam("now"))
RUNS = (
    select(outbox)
    .where(_DUE, ~exists().where(_EARLIER, ~_also_due))
    .order_by(
        func.max(outbox.c.level).over(partition_by=_account).desc(),
        func.min(outbox.c.ordinal).over(partition_by=_account),
        outbox.c.ordinal,
    )
    .limit(bindparam("most"))
)
"""The due effects of each account up to the first one that is not: a target that keeps the order takes them at once."""
WAITING = select(outbox.c.lane).where(UNSETTLED).distinct()
ADD = Insert(
    outbox,
    (
        *(
            "key",
            "lane",
            "kind",
            "connector",
            "account_id",
            "stream",
            "escalation_id",
            "event",
            "event_no",
            "level",
            "payload",
        ),
        *("state", "attempt", "not_before", "deadline", "reason", "created_at", "updated_at"),
    ),
    lambda insert: insert.on_conflict_do_nothing(index_elements=["key"]).returning(outbox.c.ordinal),
)
LAST_FLAG = select(outbox).where(_FLAGS).order_by(outbox.c.ordinal.desc()).limit(1)
PENDING_FLAG = LAST_FLAG.where(UNSETTLED)
_last_done = select(func.coalesce(func.max(outbox.c.ordinal), 0)).where(_FLAGS, one_of(outbox.c.state, [State.DONE]))
UNCONFIRMED_FLAGS = (
    select(outbox.c.payload)
    .where(_FLAGS, outbox.c.attempt > 0, outbox.c.ordinal > _last_done.scalar_subquery())
    .order_by(outbox.c.ordinal.desc())
)
OVERTAKE = (
    update(outbox)
    .where(_FLAGS, one_of(outbox.c.state, [State.NEW]))
    .values(state=State.SUPERSEDED.value, reason="overtaken", updated_at=bindparam("now"))
)
LAST_FLAG_NO = select(func.coalesce(func.max(outbox.c.event_no), 0)).where(_FLAGS)
_MINE = and_(outbox.c.ordinal == bindparam("own_ordinal"), outbox.c.attempt == bindparam("own_attempt"))
SETTLE: dict[tuple[State, ...], Update] = {
    states: update(outbox).where(_MINE, one_of(outbox.c.state, states))
    for states in ((State.NEW,), ON_TRIAL, (*ON_TRIAL, State.NEW))
}
UNANSWERED = (
    select(outbox)
    .where(_LANE, UNSETTLED, one_of(outbox.c.state, ON_TRIAL), outbox.c.deadline <= bindparam("before"))
    .order_by(outbox.c.ordinal)
    .limit(bindparam("most"))
)
_OF_ESCALATION = outbox.c.escalation_id == bindparam("of_escalation")
THREAD = (
    select(outbox.c.remote_id)
    .where(
        _LANE,
        _OF_ESCALATION,
        one_of(outbox.c.kind, [Kind.MESSAGE]),
        one_of(outbox.c.state, [State.DONE]),
        outbox.c.remote_id != "",
    )
    .order_by(outbox.c.ordinal)
    .limit(1)
)
EFFECTS_OF = select(outbox).where(_OF_ESCALATION).order_by(outbox.c.ordinal)
OF_KIND = select(outbox).where(_LANE, outbox.c.kind == bindparam("kind")).order_by(outbox.c.ordinal)
COUNTS = select(outbox.c.lane, outbox.c.state, func.count()).group_by(outbox.c.lane, outbox.c.state)
OLDEST = select(func.min(outbox.c.created_at)).where(UNSETTLED)
STALE = (
    update(outbox)
    .where(
        _LANE,
        one_of(outbox.c.kind, [Kind.MESSAGE]),
        UNSETTLED,
        one_of(outbox.c.state, [State.NEW]),
        outbox.c.created_at < bindparam("before"),
    )
    .values(state=State.EXPIRED.value, reason="stale, not sent", updated_at=bindparam("now"))
)
REOPEN = (
    update(outbox)
    .where(outbox.c.key == bindparam("own_key"), one_of(outbox.c.state, [State.DONE]))
    .values(state=State.NEW.value, remote_id="")
)
