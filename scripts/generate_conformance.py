"""Write docs/conformance.md from the names of the tests: generate_conformance.py [--check].

A test that pins a rule carries its id at the start of its name: `test_s07_...` is about S-7,
`test_req19_s04_...` about REQ-19 and S-4. Every rule has a test, or a line below that says which
later capability brings it.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parent.parent
_DOCUMENT: Final = _ROOT / "docs" / "conformance.md"
_ID: Final = re.compile(r"(req|s|d|c|r|w|l|k)(\d+)")

_SECTIONS: Final[tuple[tuple[str, str, tuple[int, ...]], ...]] = (
    ("REQ", "Requirement, OpenShift documentation chapter 33.9", tuple(range(1, 28))),
    ("D", "Where the requirement differs from MetalLB", tuple(range(1, 9))),
    (
        "S",
        "Scenario rules of MetalLB's controller",
        (
            *range(1, 19),
            *range(20, 32),
            *range(40, 48),
            *range(50, 61),
            *range(70, 73),
            *range(80, 96),
            *range(100, 109),
            *range(110, 115),
        ),
    ),
    ("C", "Decisions of the project", tuple(range(1, 38))),
    ("R", "Rules of MetalLB's layer 2 tests (layer2.md section 14)", tuple(range(1, 35))),
    (
        "W",
        "Weak points of MetalLB's layer 2 mode, done better (section 15)",
        (*range(5, 10), *range(11, 15), 16),
    ),
    ("L", "Invariants of layer 2", (1, 2, 3)),
    ("K", "Invariants of an API outage", (1,)),
)

_BGP: Final = "later: BGP"
_WEBHOOKS: Final = "later: webhooks"
_LEASE: Final = "later: leader election"

_LATER: Final[dict[str, str]] = {
    "REQ-21": "later: installation by manifests and operator",
    "S-93": _BGP,
    "S-94": _BGP,
    **{f"S-{number}": _WEBHOOKS for number in (95, *range(100, 107), 108)},
    "C-2": _LEASE,
    "C-5": _BGP,
    "C-6": "later: fast failover",
    "C-8": _BGP,
    "C-9": _BGP,
    "C-19": _LEASE,
    "C-22": "later: fast failover",
    "R-24": "its layer 2 half; the BGP half comes with BGP",
}
"""Rules, or the rest of a rule, that need what is not there yet."""


def main(arguments: list[str]) -> int:
    """Write the document, or with `--check` compare it; return the exit status."""
    tests = _tests_by_id()
    missing = [name for name in _ids() if name not in tests and name not in _LATER]
    unknown = sorted(tests.keys() - set(_ids()))
    for name in missing:
        sys.stderr.write(f"error: no test names {name}, and it is not listed as later\n")
    for name in unknown:
        sys.stderr.write(f"error: {tests[name][0]} names {name}, which is no rule\n")
    if missing or unknown:
        return 1
    text = _render(tests)
    if "--check" not in arguments:
        _DOCUMENT.write_text(text, encoding="utf-8")
        return 0
    if not _DOCUMENT.exists() or _DOCUMENT.read_text(encoding="utf-8") != text:
        sys.stderr.write("error: docs/conformance.md is out of date: run `make docs`\n")
        return 1
    return 0


def _ids() -> Iterator[str]:
    for prefix, _, numbers in _SECTIONS:
        for number in numbers:
            yield f"{prefix}-{number}"


def _tests_by_id() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in sorted((_ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for name in _ids_in(node.name):
                    found.setdefault(name, []).append(
                        f"{file.relative_to(_ROOT).as_posix()}::{node.name}"
                    )
    return found


def _ids_in(test: str) -> Iterator[str]:
    """Yield the ids that a test's name begins with."""
    first, *words = test.split("_")
    for word in words if first == "test" else []:
        match = _ID.fullmatch(word)
        if match is None:
            return
        yield f"{match[1].upper()}-{int(match[2])}"


def _render(tests: dict[str, list[str]]) -> str:
    lines = [
        "# Conformance",
        "",
        "Which test pins which rule. Made from the tests' names by `make docs`; `make check` fails",
        "when a rule has neither a test nor a later capability to bring it.",
    ]
    for prefix, title, numbers in _SECTIONS:
        lines += ["", f"## {title}", "", "| rule | test |", "|---|---|"]
        for number in numbers:
            name = f"{prefix}-{number}"
            cells = [f"`{test}`" for test in tests.get(name, [])]
            if name in _LATER:
                cells.append(_LATER[name])
            lines.append(f"| {name} | {'<br>'.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
