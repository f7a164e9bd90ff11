"""Labs for tests: fresh, owned by the test's process, skipped where the machine cannot run them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.api_server import Kind, wanted_kind

from ferrolb.lab import Lab, LabOptions, check_machine

StartLab = Callable[..., Lab]

collect_ignore = [] if wanted_kind() is Kind.REAL else ["test_real.py"]
"""What needs the real programs is asked for by name: `FERROLB_TEST_API=real`."""


@pytest.fixture(scope="session", autouse=True)
def _machine():
    """Skip where there are no namespaces to be had; the reason says what to do about it."""
    problems = check_machine()
    if problems:
        pytest.skip("; ".join(f"{one.text}: {one.advice}" for one in problems))


@pytest.fixture(scope="module")
def start_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartLab]:
    """Start labs by `LabOptions` fields; all of them end with the module's tests."""
    with ExitStack() as stack:

        def start(**fields):
            root = tmp_path_factory.mktemp("lab")
            return stack.enter_context(Lab.up(LabOptions(root=root, **fields)))

        yield start


@pytest.fixture(scope="module")
def quiet_lab(start_lab: StartLab) -> Lab:
    """Two nodes without speakers: nobody but the test answers for an address."""
    return start_lab(name="quiet", nodes=2, has_speakers=False)
