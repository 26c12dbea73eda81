"""Walks a parsed YAML document and gathers every fault with the path of its key, so that none hides behind another."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to correct in a document: the path of the key (names, and positions from 0), and what to do."""

    path: KeyPath
    text: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path)) or 'document'}: {self.text}"


class DocumentError(ValueError):
    """All faults of one document; `faults` lets the caller add file, line and column."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a document. A reader that finds a fault notes it in `faults` and gives a harmless value."""

    value: object
    path: KeyPath
    faults: list[Fault]

    @classmethod
    def root(cls, parsed: object) -> Node:
        """The whole document, with no faults yet."""
        return cls(parsed, (), [])

    def fault(self, text: str) -> None:
        """Notes that this value must be corrected."""
        self.faults.append(Fault(self.path, text))

    def raise_faults(self) -> None:
        """DocumentError when anything was wrong anywhere in the document."""
        if self.faults:
            raise DocumentError(self.faults)

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, Mapping) and self.value.get(key) is not None

    def __getitem__(self, key: str | int) -> Node:
        value = self.value.get(key) if isinstance(self.value, Mapping) else None
        return Node(value, (*self.path, key), self.faults)

    def keys(self, known: Collection[str]) -> None:
        """Notes each key that is not `known`, with the nearest that is."""
        for key in (child.path[-1] for child in self.children()):
            if key not in known:
                near = get_close_matches(str(key), known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                self[key].fault(f"unknown key; {hint}")

    def children(self) -> Iterator[Node]:
        """The values of a mapping, in order."""
        if isinstance(self.value, Mapping):
            for key in self.value:
                yield Node(self.value[key], (*self.path, key), self.faults)
        else:
            self.fault(f"expected keys with values, not {shown(self.value)}")

    def entries(self) -> Iterator[Node]:
        """The values of a list; none when the key is absent."""
        if self.value is None:
            return
        if isinstance(self.value, Sequence) and not isinstance(self.value, str):
            for position, value in enumerate(self.value):
                yield Node(value, (*self.path, position), self.faults)
        else:
            self.fault(f"expected a list, not {shown(self.value)}")

    def text(self, default: str = "") -> str:
        """A text; a fault when it is something else, or absent without a `default`."""
        if isinstance(self.value, str) and self.value:
            return self.value
        if self.value is not None or not default:
            self.fault(f"expected a text, not {shown(self.value)}")
        return default

    def flag(self, *, default: bool = False) -> bool:
        """True or false."""
        if self.value is None or isinstance(self.value, bool):
            return default if self.value is None else self.value
        self.fault(f"expected true or false, not {shown(self.value)}")
        return default

    def day(self) -> date | None:
        """A calendar day, as YAML's date or as the text `2026-11-24`; a fault and None otherwise."""
        if isinstance(self.value, date) and not isinstance(self.value, datetime):
            return self.value
        try:
            return date.fromisoformat(str(self.value))
        except ValueError:
            self.fault(f"expected a date such as 2026-11-24, not {shown(self.value)}")
            return None


def shown(value: object) -> str:
    """A value as a message shows it, however large it is."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
