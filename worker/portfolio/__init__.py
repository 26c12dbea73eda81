"""A made-up portfolio of a B2B SaaS company in Indonesia, drawn from a seed: accounts, cases, disputes, their past."""

from worker.portfolio.build import Portfolio, Summary, build, draw
from worker.portfolio.leaving import Record

__all__ = ["Portfolio", "Record", "Summary", "build", "draw"]
