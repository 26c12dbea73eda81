"""How the commands end, for cron, systemd and scripts."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command.

    OK: all done. FINDINGS: something was found that somebody should act on, or the work failed. CONFIGURATION: the
    command line or a file of the configuration is wrong. HELD: a brake holds the writes until somebody confirms.
    BUSY: another worker already runs on this store. LEFTOVERS: done, but dead letters or quarantined records wait.
    """

    OK = 0
    FINDINGS = 1
    CONFIGURATION = 2
    HELD = 3
    BUSY = 4
    LEFTOVERS = 5
