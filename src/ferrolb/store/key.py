"""What an object is stored under."""

from dataclasses import dataclass

from typing_extensions import override


@dataclass(frozen=True, slots=True, order=True)
class ResourceId:
    """Identifies a resource, whatever the version it is served in; `group` is empty for core."""

    group: str
    resource: str

    @override
    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """Identifies one object; `namespace` is empty for a cluster-scoped resource."""

    resource: ResourceId
    namespace: str
    name: str

    @override
    def __str__(self) -> str:
        return f"{self.resource} {self.namespace}/{self.name}".replace(" /", " ")
