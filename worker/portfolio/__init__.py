"""A made-up portfolio of a B2B SaaS company in Indonesia, drawn from a seed: accounts, cases, disputes, their past."""

from worker.portfolio.build import Summary, build

__all__ = ["Summary", "build"]
