"""The portal's records: their versions, when each becomes visible, what the search index knows, and associations.

A committed change may become visible later than its stamp; the index of the search lags behind that. All values are
strings. Ids are numbers without a sign, written as text, and grow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.twins.hubspot.schema import Kind, ObjectType, Portal
from connectors.twins.hubspot.standard import opposite
from connectors.twins.hubspot.values import iso
from connectors.twins.web import Clock

MERGED = "hs_merged_object_ids"
FIRST_ID = 9_007_199_254_740_993
"""Ids start beyond what a float can hold."""
_NOW = timedelta(0)


@dataclass(slots=True)
class Version:
    """What a record showed from a moment on."""

    since: datetime
    values: dict[str, str]
    archived: bool = False


@dataclass(slots=True)
class Record:
    """One record with its versions, the newest last."""

    of: ObjectType
    record_id: str
    made_at: datetime
    versions: list[Version] = field(default_factory=list)
    merged_into: str = ""

    @property
    def newest(self) -> Version:
        """The last committed version, seen or not."""
        return self.versions[-1]

    def seen(self, now: datetime) -> Version | None:
        """What shows at a moment; None before the first version does."""
        return next((each for each in reversed(self.versions) if each.since <= now), None)


@dataclass(frozen=True, slots=True)
class Link:
    """One association, as seen from the record that it stands under."""

    kind: Kind
    to_id: str
    since: datetime


class Store:
    """All records. `index_lag` is how far the search is behind, `link_lag` how far reads of associations are."""

    def __init__(self, portal: Portal, clock: Clock) -> None:
        self.portal, self.clock = portal, clock
        self.index_lag = self.link_lag = _NOW
        self.records: dict[tuple[str, str], Record] = {}
        self.of_type: defaultdict[str, dict[str, Record]] = defaultdict(dict)
        self._links: defaultdict[tuple[str, str], list[Link]] = defaultdict(list)
        self._next = FIRST_ID
        self._undo: list[list[Callable[[], object]]] = []

    def insert(self, of: ObjectType, values: Mapping[str, str], late: timedelta = _NOW, record_id: str = "") -> Record:
        """Add a record with its system properties."""
        now = self.clock()
        record = Record(of, record_id or str(self._next), now)
        self._next += 1
        system = {"hs_object_id": record.record_id, "createdate": iso(now), "hs_createdate": iso(now)}
        full = {**system, of.stamp: iso(now), **values}
        record.versions.append(Version(now + late, full))
        self.records[of.name, record.record_id] = self.of_type[of.name][record.record_id] = record
        self._on_undo(lambda: self._forget(record))
        return record

    def update(
        self, record: Record, values: Mapping[str, str], late: timedelta = _NOW, *, stamped: bool = True
    ) -> None:
        """Change properties. The stamp moves unless the portal computed them."""
        now = self.clock()
        stamp = {record.of.stamp: iso(now)} if stamped else {}
        full = {**record.newest.values, **stamp, **values}
        self._commit(record, Version(now + late, full, record.newest.archived))

    def archive(self, record: Record) -> None:
        """Put a record into the archive."""
        values = {**record.newest.values, record.of.stamp: iso(self.clock())}
        self._commit(record, Version(self.clock(), values, archived=True))

    def get(self, of: ObjectType, record_id: str) -> Record | None:
        """A record that is there and not archived; a merged one answers as the record that it went into."""
        record = self.records.get((of.name, record_id))
        if record is not None and record.merged_into:
            return self.get(of, record.merged_into)
        version = record.seen(self.clock()) if record else None
        return record if version is not None and not version.archived else None

    def listed(self, of: ObjectType, *, archived: bool = False) -> Iterator[tuple[Record, Version]]:
        """All records in the order of their ids, as the list endpoint reads them."""
        now = self.clock()
        for record_id in sorted(self.of_type[of.name], key=int):
            record = self.of_type[of.name][record_id]
            version = record.seen(now)
            if version is not None and version.archived is archived and not record.merged_into:
                yield record, version

    def indexed(self, of: ObjectType) -> Iterator[tuple[Record, Version]]:
        """All records that are not archived, as the search index knows them."""
        now = self.clock() - self.index_lag
        for record in self.of_type[of.name].values():
            version = record.seen(now)
            if version is not None and not version.archived and not record.merged_into:
                yield record, version

    def with_value(self, of: ObjectType, name: str, value: str) -> Record | None:
        """The record that holds a value of a unique property; the latest commits count at once."""
        for record in self.of_type[of.name].values():
            standing = not record.newest.archived and not record.merged_into
            if standing and record.newest.values.get(name) == value:
                return record
        return None

    def link(self, kind: Kind, from_id: str, to_id: str) -> None:
        """Associate two records, both ways; twice is once."""
        now = self.clock()
        back = opposite(self.portal, kind)
        self._add((kind.of, from_id), Link(kind, to_id, now))
        if back is not None:
            self._add((kind.to, to_id), Link(back, from_id, now))

    def links(self, of: ObjectType, record_id: str, to: ObjectType) -> list[Link]:
        """The associations of a record with one type, as reads show them."""
        seen = self.clock() - self.link_lag
        found = self._links[of.name, record_id]
        return [each for each in found if each.kind.to == to.name and (each.since <= seen or not self.link_lag)]

    def merge(self, primary: Record, other: Record) -> Record:
        """Make a new record of two. Its creation date is the older one's; what hung on them hangs on it."""
        both = (primary, other)
        said = [{name: value for name, value in each.newest.values.items() if value} for each in reversed(both)]
        values = {**said[0], **said[1]}
        gone = [one for each in both for one in (each.newest.values.get(MERGED, ""), each.record_id) if one]
        ours = {name: min(each[name] for each in said) for name in ("createdate", "hs_createdate")}
        for name in ("hs_object_id", primary.of.stamp):
            values.pop(name, None)
        made = self.insert(primary.of, {**values, **ours, MERGED: ";".join(gone)})
        for each in both:
            each.merged_into = made.record_id
            self.move_links(primary.of, each.record_id, made.record_id)
        return made

    def move_links(self, of: ObjectType, from_id: str, to_id: str) -> None:
        """A merge: what hung on one record hangs on another now."""
        for each in self._links.pop((of.name, from_id), []):
            there = self._links[each.kind.to, each.to_id]
            there[:] = [one for one in there if (one.kind.to, one.to_id) != (of.name, from_id)]
            self.link(each.kind, to_id, each.to_id)

    @contextmanager
    def trial(self) -> Iterator[None]:
        """What is written inside stays, unless an exception leaves it. May be nested."""
        self._undo.append([])
        try:
            yield
        except BaseException:
            for back in reversed(self._undo.pop()):
                back()
            raise
        else:
            done = self._undo.pop()
            if self._undo:
                self._undo[-1].extend(done)

    def _commit(self, record: Record, version: Version) -> None:
        record.versions.append(version)
        self._on_undo(record.versions.pop)

    def _on_undo(self, back: Callable[[], object]) -> None:
        if self._undo:
            self._undo[-1].append(back)

    def _forget(self, record: Record) -> None:
        del self.records[record.of.name, record.record_id], self.of_type[record.of.name][record.record_id]

    def _add(self, place: tuple[str, str], link: Link) -> None:
        known = self._links[place]
        if not any((each.kind.type_id, each.to_id) == (link.kind.type_id, link.to_id) for each in known):
            known.append(link)
            self._on_undo(lambda: known.remove(link))
