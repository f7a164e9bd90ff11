"""Writes what is generated below `deploy/`, and the tables of `docs/rbac.md`.

Definitions of custom resources come from the package, roles and tables from its table of rights.
With `--check` it only compares, and ends with 1 when there is a difference.
"""

import re
import sys
from pathlib import Path
from typing import Final

from ferrolb.crds import crd_names, crd_text
from ferrolb.rbac import Program, markdown_table, roles_manifest

ROOT: Final = Path(__file__).resolve().parent.parent
CRDS: Final = ROOT / "deploy" / "crds"
ROLES: Final = ROOT / "deploy" / "rbac"
RIGHTS: Final = ROOT / "docs" / "rbac.md"

_TABLE: Final = "(<!-- rights of the {} -->\n)(?:\\|.*\n)*"
"""A line that says whose table follows, and the table."""


def wanted() -> dict[Path, str]:
    """Return what every generated file must hold."""
    texts = {CRDS / f"{name}.yaml": crd_text(name) for name in crd_names()}
    texts |= {ROLES / f"{program}.yaml": roles_manifest(program) for program in Program}
    if RIGHTS.exists():
        texts[RIGHTS] = _with_tables(RIGHTS.read_text(encoding="utf-8"))
    return texts


def _with_tables(text: str) -> str:
    for program in Program:
        table = markdown_table(program)
        text = re.sub(_TABLE.format(program), lambda found, new=table: found[1] + new, text)
    return text


def differences() -> list[Path]:
    """Return the files that are missing, stale or superfluous, sorted."""
    texts = wanted()
    found = [*CRDS.glob("*.yaml"), *ROLES.glob("*.yaml"), *RIGHTS.parent.glob(RIGHTS.name)]
    there = {path: path.read_text(encoding="utf-8") for path in found}
    return sorted(
        path for path in texts.keys() | there.keys() if texts.get(path) != there.get(path)
    )


def write() -> None:
    """Write what is missing or stale, and remove what is superfluous."""
    texts = wanted()
    for folder in (CRDS, ROLES):
        folder.mkdir(parents=True, exist_ok=True)
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
        sys.stderr.write(f"{path}: is not what `make deploy` writes\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
