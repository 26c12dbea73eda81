"""A made-up portfolio of a B2B SaaS company in Indonesia, drawn from a seed: accounts, cases, disputes, their past."""

from worker.portfolio.build import Portfolio, Record, Summary, build, draw

__all__ = ["Portfolio", "Record", "Summary", "build", "draw"]
