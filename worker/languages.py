"""The languages that texts are written in, and an account's own among them."""

from __future__ import annotations

from worker.core.model import Account

SPEAKS = {"id": "id", "in": "id", "indonesian": "id", "indonesia": "id", "bahasa": "id", "en": "en", "english": "en"}
"""What CRMs call a language, and what the templates do."""


def language_of(account: Account) -> str:
    """The account's language as the templates name it, empty where it is not one of theirs."""
    word = account.language.strip().casefold().replace("_", "-").split("-")[0].split(" ")[0]
    return SPEAKS.get(word, "")
