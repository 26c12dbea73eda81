"""The phrase book at work on cases, each text read once."""

from __future__ import annotations

from collections import OrderedDict

from worker.core.book import PhraseBook
from worker.core.model import Case, TextHit
from worker.core.phrases import case_hits

_REMEMBERED = 4096


class CachedDetector:
    """Finds phrases; remembers the last few thousand texts, since an account is decided many times."""

    def __init__(self, book: PhraseBook) -> None:
        self._book = book
        self._seen: OrderedDict[tuple[object, ...], tuple[TextHit, ...]] = OrderedDict()

    def hits(self, case: Case) -> tuple[TextHit, ...]:
        """The phrases of one case's customer-written text."""
        key = (case.id, case.subject, case.text, case.author, case.channel, case.reporter_title)
        if key not in self._seen:
            self._seen[key] = case_hits(self._book, case, case.ref)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        self._seen.move_to_end(key)
        return self._seen[key]
