"""The YAML 1.2 reader behind `worker.documents`: from the parser's events, without recursion.

No file, however deep, can exhaust the stack. Tags, anchors and aliases are refused: a policy needs none, and they are
how a small file becomes a large one. Numbers are exact: `Decimal` instead of float.
"""

from __future__ import annotations

import re
from decimal import Decimal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from worker.documents import LARGEST, Document, Fault, FaultyDocumentError, Place

DEEPEST = 32
"""Levels of lists and keys within each other."""

_MOST_DIGITS = 30
_NULL = frozenset({"~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,2})?")
_HALF = re.compile("[\ud800-\udfff]")
_UNREADABLE = re.compile("[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _StopReadingError(Exception):
    """The rest can't be looked at; the fault is already noted."""


def parse(body: bytes, file: str) -> Document:
    """The only document in `body`; FaultyDocumentError names everything wrong, with `file` as its name."""
    builder = _Builder(Document(file, None, _decoded(body, file)))
    try:
        for event in YAML(typ="safe", pure=True).parse(builder.document.source):
            builder.take(event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else builder.latest
        builder.refuse(place, f"is not YAML: {error.problem or error.context or 'unreadable'}")
    except (YAMLError, ValueError, OverflowError, LookupError, NotImplementedError) as error:
        builder.refuse(builder.latest, f"is not YAML near here ({type(error).__name__})")
    except _StopReadingError:
        pass
    if builder.faults:
        raise FaultyDocumentError(builder.faults)
    read = builder.document
    return Document(file, builder.value, read.source, read.keys, read.values)


def _decoded(body: bytes, file: str) -> str:
    if len(body) > LARGEST:
        raise FaultyDocumentError([Fault(file, 1, 1, "", f"is larger than {LARGEST} bytes: split it")])
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = body[: error.start].decode("utf-8-sig", "replace")
        message = f"byte 0x{body[error.start]:02x} is not UTF-8: save the file as UTF-8"
        raise FaultyDocumentError([_fault_after(before, file, message)]) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    odd = _UNREADABLE.search(text)
    if odd is not None:
        message = f"the character U+{ord(odd[0]):04X} is not allowed in YAML: remove it"
        raise FaultyDocumentError([_fault_after(text[: odd.start()], file, message)])
    return text


def _fault_after(before: str, file: str, message: str) -> Fault:
    return Fault(file, before.count("\n") + 1, len(before) - before.rfind("\n"), "", message)


class _Builder:
    """Turns parser events into plain values; keeps its own stack instead of the interpreter's."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.value: object = None
        self.faults: list[Fault] = []
        self.latest = Place()
        self._documents = 0
        self._open: list[dict[str, object] | list[object]] = []
        self._path: list[str | int] = []
        self._key: str | None = None

    def refuse(self, place: Place, message: str) -> None:
        """Note a fault; the reading goes on."""
        self.faults.append(self.document.fault_at(place, self._step() if self._key else tuple(self._path), message))

    def take(self, event: object) -> None:
        """Take the parser's next event."""
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._stop(_start(event), "starts a second document (---): keep one in a file")
        elif isinstance(event, CollectionEndEvent):
            self._leave()
        elif isinstance(event, NodeEvent):
            self.latest = _start(event)
            self._check_characters(event)
            self._node(event)

    def _stop(self, place: Place, message: str) -> None:
        self.refuse(place, message)
        raise _StopReadingError

    def _node(self, event: NodeEvent) -> None:
        if isinstance(event, AliasEvent) or event.anchor:
            self.refuse(self.latest, "anchors and aliases (& and *) are not used here: write the value out")
        if getattr(event, "tag", None):
            self.refuse(self.latest, "tags (!) are not used here: write a plain value")
        if self._open and isinstance(self._open[-1], dict) and self._key is None:
            self._take_key(event, self._open[-1])
        elif isinstance(event, ScalarEvent):
            self._put_scalar(event)
        elif isinstance(event, AliasEvent):
            self._put(None)
        else:
            self._enter({} if isinstance(event, MappingStartEvent) else [])

    def _check_characters(self, event: NodeEvent) -> None:
        """An escape such as \\ud83d is half a character: no file and no target takes it."""
        if isinstance(event, ScalarEvent) and _HALF.search(str(event.value)):
            self.refuse(self.latest, "holds half of a character (\\ud800 to \\udfff): write the character itself")
            event.value = _HALF.sub("?", str(event.value))

    def _take_key(self, event: NodeEvent, mapping: dict[str, object]) -> None:
        if not isinstance(event, ScalarEvent):
            self._stop(self.latest, "a key must be a plain text")
        key = str(getattr(event, "value", ""))
        path = (*self._path, key)
        if key in mapping:
            first = self.document.keys[path].line
            message = f"this key stands here twice, first in line {first}: keep one"
            self.faults.append(self.document.fault_at(self.latest, path, message))
        mapping.setdefault(key, None)
        self.document.keys.setdefault(path, self.latest)
        self._key = key

    def _put(self, value: object) -> None:
        self.document.values.setdefault(self._step(), self.latest)
        self._hold(value)

    def _hold(self, value: object) -> None:
        if not self._open:
            self.value = value
            return
        top = self._open[-1]
        if isinstance(top, list):
            top.append(value)
        elif self._key is not None:
            top[self._key] = value
            self._key = None

    def _step(self) -> tuple[str | int, ...]:
        if not self._open:
            return ()
        top = self._open[-1]
        return (*self._path, len(top) if isinstance(top, list) else self._key or "")

    def _enter(self, collection: dict[str, object] | list[object]) -> None:
        path = self._step()
        self._put(collection)
        if len(self._open) == DEEPEST:
            self._stop(self.latest, f"lies more than {DEEPEST} levels deep: flatten it")
        self._open.append(collection)
        self._path = list(path)

    def _leave(self) -> None:
        self._open.pop()
        if self._path:
            self._path.pop()

    def _put_scalar(self, event: ScalarEvent) -> None:
        if event.style:
            self._put(str(event.value))
        elif event.value:
            self._put(self._plain(str(event.value)))
        else:  # nothing stands there: a fault shall point to the key instead
            self._hold(None)

    def _plain(self, text: str) -> object:
        if text in _NULL:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        return self._number(text)

    def _number(self, text: str) -> str | int | Decimal:
        if _FLOAT.fullmatch(text) is None:
            return text
        if sum(map(str.isdigit, text)) > _MOST_DIGITS:
            self.refuse(self.latest, f"has more than {_MOST_DIGITS} digits: put it in quotes if it is a text")
            return 0
        return int(text) if _INT.fullmatch(text) else Decimal(text)


def _start(event: object) -> Place:
    mark = getattr(event, "start_mark", None)
    return Place(mark.line + 1, mark.column + 1) if mark is not None else Place()
