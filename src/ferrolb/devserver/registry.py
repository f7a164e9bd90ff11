"""Which resources are served, in which versions; custom ones come and go while it runs."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ferrolb.model import JsonObject
from ferrolb.store import ResourceId

if TYPE_CHECKING:
    from ferrolb.apimachinery import SchemaView, TableFormat
    from ferrolb.devserver.strategies import Strategy

ALL_VERBS: Final = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)
STATUS_VERBS: Final = ("get", "patch", "update")

TOKEN_REQUEST: Final = ("authentication.k8s.io", "v1", "TokenRequest")
"""Group, version and kind of what `/token` takes, unlike other subresources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """How a kind is called."""

    kind: str
    plural: str
    singular: str
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    list_kind: str = ""

    @property
    def of_list(self) -> str:
        """The kind of a list of these."""
        return self.list_kind or f"{self.kind}List"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a kind does differently from others."""

    has_status: bool = False
    """Whether `/status` is served, and status and the rest are written apart."""
    has_token: bool = False
    """Whether `/token` is served, where tokens are asked for."""
    has_generation: bool = True
    creates_on_update: bool = False
    """Whether a PUT, or a patch that is no apply, may make an object that is not there."""
    needs_version_on_update: bool = False
    """Whether a PUT must say which resourceVersion it replaces, as custom resources ask."""
    is_custom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedResource:
    """A resource in one of the versions it is served in."""

    group: str
    version: str
    names: Names
    is_namespaced: bool
    storage: ResourceId
    storage_api_version: str
    """The apiVersion that objects are stored with, whatever version they were written in."""
    table: "TableFormat"
    strategy: "Strategy"
    schema: "SchemaView | None" = None
    """None: any object of the kind is accepted as it is."""
    traits: Traits = Traits()
    verbs: tuple[str, ...] = ALL_VERBS
    selectable_fields: tuple[str, ...] = ()
    """Fields that field selectors may name, beside metadata.name and metadata.namespace."""
    deprecation: str = ""
    """Warning that every request on a deprecated version earns; empty: it is not deprecated."""
    to_storage: Callable[[JsonObject], JsonObject] | None = None
    from_storage: Callable[[JsonObject], JsonObject] | None = None
    """Conversions, where versions differ in more than the apiVersion."""

    @property
    def api_version(self) -> str:
        """The apiVersion of objects as served here."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def is_stored_version(self) -> bool:
        """Whether stored objects are served here as they are."""
        return self.api_version == self.storage_api_version and self.from_storage is None

    @property
    def plural(self) -> str:
        """The plural, as in URLs."""
        return self.names.plural

    @property
    def kind(self) -> str:
        """The kind of an object."""
        return self.names.kind

    @property
    def subresources(self) -> Mapping[str, tuple[str, ...]]:
        """Subresources that are served, with their verbs."""
        served: dict[str, tuple[str, ...]] = {}
        if self.traits.has_status:
            served["status"] = STATUS_VERBS
        if self.traits.has_token:
            served["token"] = ("create",)
        return served

    def verbs_at(self, subresource: str) -> tuple[str, ...]:
        """Return the verbs of a subresource, or of the resource itself where it is empty."""
        return self.subresources[subresource] if subresource else self.verbs

    def incoming(self, obj: JsonObject) -> JsonObject:
        """Return an object of this version as it is stored."""
        converted = obj if self.to_storage is None else self.to_storage(obj)
        return {**converted, "apiVersion": self.storage_api_version}

    def outgoing(self, obj: JsonObject) -> JsonObject:
        """Return a stored object as this version shows it."""
        if self.is_stored_version:
            return obj
        converted = obj if self.from_storage is None else self.from_storage(obj)
        return {**converted, "apiVersion": self.api_version}


@dataclass(slots=True)
class Registry:
    """All served resources; `generation` counts changes, for who keeps documents made of it."""

    _served: dict[tuple[str, str, str], ServedResource] = field(default_factory=dict)
    generation: int = 0

    def put(self, resource: ServedResource) -> None:
        """Serve a resource, in place of an earlier one of the same group, version and plural."""
        self._served[resource.group, resource.version, resource.plural] = resource
        self.generation += 1

    def remove(self, storage: ResourceId) -> None:
        """Stop serving a resource in all its versions."""
        gone = [place for place, served in self._served.items() if served.storage == storage]
        for place in gone:
            del self._served[place]
        self.generation += 1

    def replace(self, storage: ResourceId, resources: Iterable[ServedResource]) -> None:
        """Serve a resource in these versions and no others."""
        self.remove(storage)
        for resource in resources:
            self.put(resource)

    def find(self, group: str, version: str, plural: str) -> ServedResource | None:
        """Return what is served under these names, None if nothing is."""
        return self._served.get((group, version, plural))

    def resources(self) -> Iterator[ServedResource]:
        """Return all served resources, in the order they were put."""
        return iter(tuple(self._served.values()))

    def groups(self) -> dict[str, list[str]]:
        """Return the versions of each group, the preferred first; the core group is empty."""
        found: dict[str, list[str]] = {}
        for resource in self._served.values():
            versions = found.setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        return {group: sorted(versions, key=version_rank) for group, versions in found.items()}

    def of_version(self, group: str, version: str) -> list[ServedResource]:
        """Return the resources of one group version."""
        return [
            resource
            for resource in self._served.values()
            if (resource.group, resource.version) == (group, version)
        ]

    def builtin_groups(self) -> frozenset[str]:
        """Return the groups with a resource that no definition has brought."""
        return frozenset(
            resource.group for resource in self._served.values() if not resource.traits.is_custom
        )

    def stored(self) -> list[ServedResource]:
        """Return each stored resource once, in one of its versions."""
        return list({resource.storage: resource for resource in self._served.values()}.values())


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Order versions as the API prefers them: v2, v1, v1beta2, v1alpha1, others by name."""
    stages = {"": 0, "beta": 1, "alpha": 2}
    rest = version.removeprefix("v")
    major = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    tail = rest[len(major) :]
    stage = tail.rstrip("0123456789")
    minor = tail[len(stage) :]
    is_known = version.startswith("v") and major and stage in stages and bool(stage) == bool(minor)
    if not is_known:
        return (9, 0, 0, version)
    return (stages[stage], -int(major), -int(minor or 0), version)
