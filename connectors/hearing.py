"""What a channel promises whose messages carry buttons: it hears who pressed one, over a line that it opens itself.

No public address is needed. A click may be delivered more than once, always under the same key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from connectors.base import WriteResult


@dataclass(frozen=True, slots=True)
class Click:
    """Somebody pressed a button. `user` and `place` are the channel's own ids, `value` is the button's.

    `key` names the click: the same in every delivery of it, and no other click's.
    """

    key: str
    user: str
    place: str
    value: str


@dataclass(frozen=True, slots=True)
class Hearing:
    """How the line stands. `failure` says what is wrong and `remedy` what to do; at first it is neither."""

    up: bool = False
    failure: str = ""
    remedy: str = ""


@runtime_checkable
class Hearer(Protocol):
    """A notifier whose capabilities say `buttons`. Closing the notifier closes its line."""

    def listen(self, keep: Callable[[Click], object]) -> None:
        """Open the line, and open it again whenever it breaks; returns at once and raises nothing.

        `keep` is called in another thread. Once it has returned the click counts as heard; when it raises, the channel
        is left to deliver the click again.
        """
        ...

    def hearing(self) -> Hearing:
        """How the line stands. No I/O."""
        ...

    def address_of(self, user: str) -> str:
        """The e-mail address of one of our own people, empty for guests, strangers, bots and who has none.

        Raises RetryableError when it cannot be looked up now, FatalError when somebody has to act first.
        """
        ...

    def whisper(self, user: str, place: str, text: str) -> WriteResult:
        """Tell one person something at this place that nobody else sees. A repeat does no harm: never UNKNOWN."""
        ...
