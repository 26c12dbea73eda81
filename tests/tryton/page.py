"""A person at Tryton's own web page, in headless Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

_CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"),
    *("--disable-component-update", "--no-first-run", "--disable-sync", "--no-proxy-server"),
]

_READING = 1500
"""Milliseconds that a person at least looks before the next move."""


@contextmanager
def browser(zone: str = "Asia/Jakarta") -> Iterator[Page]:
    """An empty page, as wide as a laptop's screen, in the zone where the people are."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        context = chromium.new_context(
            viewport={"width": 1440, "height": 900}, timezone_id=zone, locale="en-GB", device_scale_factor=1
        )
        context.set_default_timeout(15_000)
        try:
            yield context.new_page()
        finally:
            context.close()
            chromium.close()


class Person:
    """Somebody who logged in."""

    def __init__(self, page: Page, url: str, database: str, login: str, password: str) -> None:
        self.page = page
        page.goto(f"{url}/#{database}")
        databases = page.locator("#database:visible")
        databases.wait_for()
        if databases.evaluate("each => each.tagName") == "SELECT":  # the server has more than one
            databases.select_option(database)
        page.get_by_label("User name").fill(login)
        page.keyboard.press("Enter")
        page.locator("input[type=password]:visible").last.fill(password)
        page.keyboard.press("Enter")
        expect(page.locator("#menu")).to_be_visible()

    def open_list(self, menu: str, entry: str) -> None:
        """By the menu, as people do."""
        shown = self.page.locator("#menu")
        shown.get_by_text(menu, exact=True).first.click()
        shown.get_by_text(entry, exact=True).first.click()

    def open_record(self, name: str) -> None:
        """A double click on a line of the open list; then she reads, while the page fills its selections: until it has,
        it would save them as empty.
        """
        self.page.locator("#tabcontent .tab-pane.active tbody tr", has_text=name).first.dblclick()
        expect(self.field("Name")).to_have_value(name)
        self.page.wait_for_timeout(_READING)

    def field(self, label: str) -> Locator:
        """A field of the open form by what its label says."""
        return self._tab().get_by_label(f"{label}:", exact=True).first

    def _tab(self) -> Locator:
        return self.page.locator("#tabcontent > .tab-pane.active")

    def choose(self, label: str, words: str) -> None:
        """One of the words of a selection."""
        self.field(label).select_option(label=words)
        self.page.wait_for_timeout(_READING)

    def chosen(self, label: str) -> str:
        """What a selection shows."""
        return str(self.field(label).evaluate("each => each.selectedOptions[0].textContent"))

    def press(self, title: str) -> None:
        """A button by its name or by what it says when pointed at."""
        self._tab().get_by_role("button", name=title, exact=True).first.click()

    def open_tab(self, name: str) -> None:
        """A tab of the open form."""
        self._tab().get_by_role("tab", name=name, exact=True).first.click()

    def screenshot(self, path: Path) -> None:
        """What she sees."""
        self.page.screenshot(path=path)
