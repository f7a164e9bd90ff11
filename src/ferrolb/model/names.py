"""Names of things, each a type of its own so that two of them cannot be mixed."""

from dataclasses import dataclass
from typing import NamedTuple, NewType

from typing_extensions import override

Namespace = NewType("Namespace", str)
NodeName = NewType("NodeName", str)
PoolName = NewType("PoolName", str)


class ServiceKey(NamedTuple):
    """Identifies a Service; sorts by namespace, then name; prints `<namespace>/<name>`."""

    namespace: str
    name: str

    @override
    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """Identifies any API object: `kind` as in the API, `namespace` empty when cluster-scoped."""

    kind: str
    namespace: str
    name: str

    @override
    def __str__(self) -> str:
        return (
            f"{self.kind} {self.namespace}/{self.name}"
            if self.namespace
            else f"{self.kind} {self.name}"
        )
