"""A whole run: where, when, with what, and what came out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.figures import Judgement, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is told about a run."""

    command: str
    date: str
    """Start, UTC."""
    took_s: float
    machine: Mapping[str, str | int | float]
    versions: Mapping[str, str]
    others_cores: float
    """How many cores other programs kept busy meanwhile, on average."""
    note: str
    left_out: Sequence[str]
    """What could not be measured here, and why."""
    results: Sequence[Result]
    goals: Sequence[Judgement]

    def to_json(self) -> dict[str, object]:
        """Return all of it as JSON values."""
        goals = [
            {
                "case": one.goal.case,
                "services": one.services,
                "server": one.server,
                "goal": one.goal.text,
                "limit": one.goal.limit,
                "value": one.value,
                "met": one.is_met,
            }
            for one in self.goals
        ]
        return {**asdict(self), "goals": goals}
