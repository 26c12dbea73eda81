"""The monthly report: what the store knows as episodes, the figures as pictures, pages and tables."""

from worker.report.episodes import Collected, collect
from worker.report.monthly import send_if_due
from worker.report.pages import as_csv, as_html, as_markdown

__all__ = ["Collected", "as_csv", "as_html", "as_markdown", "collect", "send_if_due"]
