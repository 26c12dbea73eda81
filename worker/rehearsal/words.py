"""What both vendors' shapes need of the portfolio's fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from connectors.base import Value
from worker.portfolio import Record

_HEALTH = {"hijau": "green", "kuning": "yellow", "merah": "red"}


def executives() -> tuple[Record, ...]:
    """Those whom the policy names and the portfolio, which holds customer success only, does not."""
    titles = {"ceo": "Maya Kusuma", "cfo": "Andi Prakoso", "cto": "Sari Hartono"}
    return tuple(
        ("user", f"u-{title}", datetime.min.replace(tzinfo=UTC), _person(name, title)) for title, name in titles.items()
    )


def _person(name: str, title: str) -> dict[str, Value]:
    email = f"{name.lower().replace(' ', '.')}@example.com"
    return {"name": name, "email": email, "active": True, "title": title.upper()}


def text_of(fields: Mapping[str, Value], name: str) -> str:
    """A field that is text."""
    return str(fields[name])


def health_of(fields: Mapping[str, Value]) -> str:
    """green, yellow or red, whatever the language of the word."""
    word = text_of(fields, "health").lower()
    return _HEALTH.get(word, word)
