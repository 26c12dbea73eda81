"""Takes the hosts out of an npm lock file: where a package comes from is a machine's own setting, its hash is ours."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(path: Path) -> None:
    lock = json.loads(path.read_text(encoding="utf-8"))
    for package in lock["packages"].values():
        package.pop("funding", None)
        package.pop("resolved", None)
    path.write_text(f"{json.dumps(lock, indent=2)}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
