"""A person at Tryton's own web page, in headless Chromium."""

from __future__ import annotations

import os
import re
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


@contextmanager
def browser(zone: str = "Asia/Jakarta") -> Iterator[Page]:
    """An empty page, as wide as a laptop's screen, in the zone where the people are."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        context = chromium.new_context(
            viewport={"width": 1440, "height": 900}, timezone_id=zone, locale="en-GB", device_scale_factor=1
        )
        context.set_default_timeout(30_000)
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
        page.locator("#login-login").fill(login)
        page.get_by_role("button", name=re.compile("log ?in", re.IGNORECASE)).last.click()
        page.locator("input[type=password]:visible").last.fill(password)
        page.keyboard.press("Enter")
        expect(page.locator("#menu")).to_be_visible()

    def open_list(self, menu: str, entry: str) -> None:
        """By the menu, as people do."""
        self.page.locator("#menu").get_by_text(menu, exact=True).first.dblclick()
        self.page.locator("#menu").get_by_text(entry, exact=True).first.dblclick()

    def field(self, label: str) -> Locator:
        """A field of the open form by what its label says."""
        return self.page.get_by_label(label, exact=True).first

    def screenshot(self, path: Path) -> None:
        self.page.screenshot(path=path)
