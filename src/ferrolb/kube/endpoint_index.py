"""Objects of a cache by the Service they belong to, and the endpoints of each Service."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from ferrolb.kube.cache import ApiObject, key_of
from ferrolb.kube.speaker_objects import endpoints_from
from ferrolb.model import ServiceKey

if TYPE_CHECKING:
    from ferrolb.kube.cache import Change
    from ferrolb.kube.speaker_objects import EndpointSliceObject
    from ferrolb.model import Endpoints

T = TypeVar("T", bound=ApiObject)


class ServiceIndex(Generic[T]):
    """Groups objects by Service; `service_of` gives None for those that belong to none."""

    def __init__(self, service_of: Callable[[T], ServiceKey | None]) -> None:
        self._service_of = service_of
        # no key of _groups has an empty group
        self._groups: dict[ServiceKey, tuple[T, ...]] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def get(self, key: ServiceKey) -> tuple[T, ...]:
        """Return the objects of one Service, in no order."""
        return self._groups.get(key, ())

    def apply(self, change: "Change[T]") -> tuple[ServiceKey, ...]:
        """Follow a change of the cache; return the Services whose group it touched."""
        old = None if change.old is None else self._service_of(change.old)
        new = None if change.new is None else self._service_of(change.new)
        if old is not None:
            self._set(old, tuple(one for one in self.get(old) if key_of(one) != change.key))
        if new is not None and change.new is not None:
            self._set(new, (*self.get(new), change.new))
        return tuple(key for key in dict.fromkeys((old, new)) if key is not None)

    def _set(self, key: ServiceKey, group: tuple[T, ...]) -> None:
        if group:
            self._groups[key] = group
        else:
            self._groups.pop(key, None)


class EndpointIndex:
    """The merged endpoints of each Service. Subscribe `on_change` to the cache of slices."""

    def __init__(self, changed: Callable[[ServiceKey], None]) -> None:
        self._changed = changed
        self._slices: ServiceIndex[EndpointSliceObject] = ServiceIndex(lambda one: one.key)

    def endpoints(self, key: ServiceKey) -> "Endpoints":
        """Return what all slices of a Service say together."""
        return endpoints_from(self._slices.get(key))

    def on_change(self, change: "Change[EndpointSliceObject]") -> None:
        """Follow the cache; `changed` is called where the endpoints differ from before."""
        keys = {one.key for one in (change.old, change.new) if one is not None and one.key}
        before = {key: self.endpoints(key) for key in keys if key is not None}
        for key in self._slices.apply(change):
            if self.endpoints(key) != before[key]:
                self._changed(key)
