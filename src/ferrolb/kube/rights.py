"""What the roles refuse: each missing right is said once, and remembered until it is granted."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from ferrolb.rbac import Program, Right, effect_of, is_spare, right_of, stands_for
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from ferrolb.kube.errors import ApiError

MAX_MISSING: Final = 256
"""Rights remembered: several times those that all programs have. More would mean a server that
refuses paths nobody asked for; a larger number only makes that harder to read."""

_IS_FORBIDDEN: Final = " is forbidden: User "
_CANNOT: Final = " cannot "
"""Both stand in each refusal by authorization, and in none by admission."""


def refused_right(method: str, url: str, error: "ApiError") -> Right | None:
    """Return the right that was missing; None where something else refused the request."""
    if _IS_FORBIDDEN not in error.message or _CANNOT not in error.message:
        return None
    return _right(method, url)


def _right(method: str, url: str) -> Right | None:
    parts = urlsplit(url)
    return right_of(method, parts.path, dict(parse_qsl(parts.query)))


class Rights:
    """The rights that one program misses now.

    A right that there is a way to do without is not told of: who goes that way says so.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._log = get_logger()
        self._missing: dict[Right, None] = {}
        self._changed: list[Callable[[], None]] = []

    @property
    def missing(self) -> tuple[Right, ...]:
        """What is to be granted, in the order in which it was missed."""
        return tuple(self._missing)

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever `missing` has changed."""
        self._changed.append(changed)

    def lines(self) -> list[str]:
        """Return for each missing right a line that says what to add where, and why."""
        return [self._line(right) for right in self._missing]

    def on_refused(self, right: Right) -> None:
        """Take note of a request that was refused for want of this right."""
        wanted = stands_for(self._program, right)
        if (
            is_spare(self._program, right)
            or wanted in self._missing
            or len(self._missing) >= MAX_MISSING
        ):
            return
        self._missing[wanted] = None
        self._log.error(
            "a right is missing",
            verb=wanted.verb,
            group=wanted.group,
            resource=wanted.resource,
            scope=wanted.scope,
            add=wanted.yaml_rule,
            to=wanted.role_kind,
            effect=effect_of(self._program, wanted),
        )
        self._tell()

    def on_granted(self, method: str, url: str) -> None:
        """Take note of a request that succeeded."""
        if not self._missing:
            return
        right = _right(method, url)
        if right is None:
            return
        wanted = stands_for(self._program, right)
        if wanted in self._missing:
            del self._missing[wanted]
            self._log.info(
                "a right is there again",
                verb=wanted.verb,
                group=wanted.group,
                resource=wanted.resource,
                scope=wanted.scope,
            )
            self._tell()

    def _line(self, right: Right) -> str:
        effect = effect_of(self._program, right)
        return f"{right.role_kind} ({right.scope}) lacks: {right.yaml_rule}" + (
            f" # {effect}" if effect else ""
        )

    def _tell(self) -> None:
        for changed in self._changed:
            changed()
