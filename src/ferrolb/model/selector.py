"""Label selectors, as the Kubernetes API defines them (meta/v1 LabelSelector)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping


class Operator(StrEnum):
    """Operator of a match expression, spelled as in the API."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One match expression; `values` are sorted and free of duplicates, empty for (not) exists."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: "Mapping[str, str]") -> bool:
        """Tell whether `labels` satisfy it; NotIn and DoesNotExist hold where the key is absent."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels
            case _:
                assert_never(self.operator)

    @override
    def __str__(self) -> str:
        match self.operator:
            case Operator.IN:
                return f"{self.key} in ({','.join(self.values)})"
            case Operator.NOT_IN:
                return f"{self.key} notin ({','.join(self.values)})"
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case _:
                assert_never(self.operator)


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold (`matchLabels` are `In` with one value); empty matches all."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: "Mapping[str, str]") -> bool:
        """Tell whether `labels` satisfy every requirement."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    @override
    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)
