"""Which accounts can ask for nothing by themselves, told from what the CRM says, before anything is understood.

Nine accounts in ten are so, and cost no decision. What is not surely quiet is decided: an unknown word costs time only.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from connectors.base import Row
from worker.core.model import Colour
from worker.mapping_file import KindMap

_STIRRING = ("pr_risk", "churn_signals", "wish")
"""Fields that ask for something when they say anything."""
_SAYS_NOTHING = (None, False, "", "none")


class AccountSigns:
    """The signs of one CRM's accounts, in its own words. Holds no state."""

    def __init__(self, account: KindMap) -> None:
        health = account.fields["health"]
        words = ((word, ours) for known in (health.values, health.written) for word, ours in known.items())
        self._green = {word for word, ours in words if ours == Colour.GREEN.value} | {Colour.GREEN.value}
        stirring = (name for name in _STIRRING if name in account.fields)
        self._said = attrgetter("health", "deleted", "flag_escalated", *stirring)

    def quiet(self, row: Row) -> bool:
        """Whether this account is green, there, not flagged, and nobody says anything of it."""
        return self._says_nothing(*self._said(row))

    def asking(self, rows: Sequence[Row]) -> list[Row]:
        """Those that are not quiet. Thousands say the same few things, so each is judged once."""
        quiet: dict[tuple[object, ...], bool] = {}
        found: list[Row] = []
        for row, said in zip(rows, map(self._said, rows), strict=True):
            try:
                is_quiet = quiet[said]
            except KeyError:
                is_quiet = quiet[said] = self._says_nothing(*said)
            except TypeError:  # signs that come as a list
                is_quiet = self._says_nothing(*said)
            if not is_quiet:
                found.append(row)
        return found

    def _says_nothing(self, health: object, deleted: object, *said: object) -> bool:
        if deleted or not isinstance(health, str):
            return False
        if health not in self._green and health.strip().casefold() not in self._green:
            return False
        return not any(said) or all(value in _SAYS_NOTHING for value in said)


__all__ = ["AccountSigns"]
