"""The pages in a real browser: nothing breaks without scripts, nothing runs over at any width, and axe finds no fault.

Run by `make test-pages`, which brings Chromium where there is none.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from tests.core.test_report import in_months
from tests.status.conftest import demo, served, settings, store
from worker.core.episodes import Month
from worker.core.report import report
from worker.report import as_html

__all__ = ["demo", "settings", "store"]

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SIZES = {"phone": (360, 740), "desk": (1280, 900), "wall": (3840, 2160)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(params=["status", "report"])
def address(request: pytest.FixtureRequest, settings, store, tmp_path: Path) -> Iterator[str]:
    if request.param == "status":
        with served(settings, store) as page:
            yield page.address
        return
    now = datetime(2026, 12, 2, tzinfo=UTC)
    told = report(in_months(9, 8, 9, 7, 5, 6), Month(2026, 11), lambda month: 120, now, ["PT 1: put off 4 times"])
    file = tmp_path / "report.html"
    file.write_text(as_html(told, now, "0123456789ab"), encoding="utf-8")
    yield file.as_uri()


@pytest.mark.parametrize("size", SIZES)
def test_it_fits_every_screen_without_scripts(browser: Browser, address: str, size: str) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, java_script_enabled=False)
    page = context.new_page()
    page.goto(address)

    assert page.locator("h1").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, address: str, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme, bypass_csp=True)
    page.goto(address)
    found = Axe().run(page)
    page.close()

    assert found.violations_count == 0, found.generate_report()
