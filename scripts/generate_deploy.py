"""Writes `deploy/crds/` from the package's definitions; with `--check` only compares.

Ends with 1 when `--check` finds a difference.
"""

import sys
from pathlib import Path
from typing import Final

from ferrolb.crds import crd_names, crd_text

CRDS: Final = Path(__file__).resolve().parent.parent / "deploy" / "crds"


def wanted() -> dict[Path, str]:
    """Return what every generated file must hold."""
    return {CRDS / f"{name}.yaml": crd_text(name) for name in crd_names()}


def differences() -> list[Path]:
    """Return the files that are missing, stale or superfluous, sorted."""
    texts = wanted()
    there = {path: path.read_text(encoding="utf-8") for path in CRDS.glob("*.yaml")}
    return sorted(
        path for path in texts.keys() | there.keys() if texts.get(path) != there.get(path)
    )


def write() -> None:
    """Write what is missing or stale, and remove what is superfluous."""
    texts = wanted()
    CRDS.mkdir(parents=True, exist_ok=True)
    for path in differences():
        if path in texts:
            path.write_text(texts[path], encoding="utf-8")
        else:
            path.unlink()


def main(arguments: list[str]) -> int:
    """Run, and return the exit status."""
    if arguments != ["--check"]:
        write()
        return 0
    stale = differences()
    for path in stale:
        sys.stderr.write(f"{path}: differs from the package's definition\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
