"""What both vendors' shapes need of the portfolio's fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

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
    """green, yellow or red, whatever the language of the word; empty for a customer who left and is not scored."""
    word = str(fields["health"] or "").lower()
    return _HEALTH.get(word, word)


def score_of(fields: Mapping[str, Value]) -> Decimal | None:
    """The health score, where there is one."""
    score = fields["health_score"]
    return None if score is None else Decimal(str(score))


def as_of(fields: Mapping[str, Value]) -> datetime | None:
    """When the health was scored, where it is."""
    return None if fields["health_as_of"] is None else datetime.fromisoformat(text_of(fields, "health_as_of"))
