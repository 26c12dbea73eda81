"""Tryton 8.0 by its REST interface, with the small module of `deploy/tryton/` on the server.

The module is what makes the guarantees possible: one field that says when a record changed, a unique key on notes and
tasks, and one call that sets the flag in the same transaction in which it looks at what the flag is.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import FatalError
from connectors.crm.tryton.connector import TrytonConnector
from connectors.crm.tryton.rest import Rest

_OPTIONS = ("url", "database", "key", "company", "ca_file", "timeout", "deadline", "only")


def connect(settings: Mapping[str, object]) -> TrytonConnector:
    """Options `url` (of the server, without the database), `database`, `company` (an id, where the key's user has more
    than one), `ca_file`, `timeout` and `deadline` in seconds, `only` (for a model, a Tryton domain that its
    records must meet, since not every party is a customer); secret `key`. Raises FatalError; does no I/O.
    """
    unknown = sorted(set(settings) - set(_OPTIONS))
    if unknown:
        raise FatalError(f"tryton: unknown option {', '.join(unknown)}", f"there are {', '.join(_OPTIONS)}")
    return TrytonConnector(
        Rest(
            url=_text(settings, "url", "where the server is, such as https://tryton.example.com"),
            database=_text(settings, "database", "the database's name, as in the address of the web page"),
            key=_text(settings, "key", "the key of a user application, as a secret; see deploy/tryton/README.md"),
            company=_number(settings, "company"),
            ca_file=str(settings.get("ca_file") or ""),
            timeout=_number(settings, "timeout") or 10,
            deadline=_number(settings, "deadline") or 60,
        ),
        _domains(settings.get("only")),
    )


def _text(settings: Mapping[str, object], name: str, meaning: str) -> str:
    value = settings.get(name)
    if not isinstance(value, str) or not value.strip():
        raise FatalError(f"tryton: {name} is missing", f"give {name}: {meaning}")
    return value.strip()


def _number(settings: Mapping[str, object], name: str) -> int | None:
    value = settings.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise FatalError(f"tryton: {name} is {value!r}", f"give {name} as a whole number of 1 or more")
    return value


def _domains(value: object) -> dict[str, list[object]]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(each, list) for each in value.values()):
        raise FatalError(
            "tryton: only is no mapping of models to domains", "see the example in deploy/tryton/README.md"
        )
    return {str(model): [*domain] for model, domain in value.items()}


__all__ = ["TrytonConnector", "connect"]
