"""What every program does with its watches: start them, count for them, wait for their lists."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from ferrolb.kube.cache import ApiObject, Cache
from ferrolb.kube.errors import ConflictError
from ferrolb.kube.reflector import Reflector, ReflectorOptions

if TYPE_CHECKING:
    import msgspec

    from ferrolb.kube.client import ApiClient
    from ferrolb.kube.resource import Resource
    from ferrolb.telemetry import ClientMetrics

T = TypeVar("T", bound=ApiObject)


class Follower:
    """Starts reflectors as tasks of one group."""

    def __init__(
        self, client: "ApiClient", group: asyncio.TaskGroup, *, metrics: "ClientMetrics"
    ) -> None:
        self._client = client
        self._group = group
        self._observer = _Observer(metrics)

    def follow(
        self,
        resource: "Resource",
        cache: Cache[T],
        decode: "Callable[[msgspec.Raw], T]",
        options: ReflectorOptions,
    ) -> None:
        """Keep `cache` equal to what the API holds of `resource`."""
        reflector = Reflector(
            self._client, resource, cache, decode=decode, options=options, observer=self._observer
        )
        self._group.create_task(reflector.run(), name=f"reflector {resource.plural}")


async def wait_for_lists(steps: Mapping[str, asyncio.Event], done: Callable[[str], None]) -> None:
    """Wait until each event is set; call `done` with the name of each as it is."""

    async def wait(name: str, event: asyncio.Event) -> None:
        await event.wait()
        done(name)

    async with asyncio.TaskGroup() as group:
        for name, event in steps.items():
            group.create_task(wait(name, event))


class FailureCounter:
    """A queue's observer that counts passes that raised."""

    def __init__(self, metrics: "ClientMetrics") -> None:
        self._metrics = metrics

    def worked(self) -> None:
        """Passes are counted by the reconcilers, which know what is one."""

    def failed(self, error: BaseException) -> None:
        """Count a failed pass; a conflict is no failure, the object had just changed."""
        if not isinstance(error, ConflictError):
            self._metrics.update_errors.inc()


class _Observer:
    """Counts for the reflectors."""

    def __init__(self, metrics: "ClientMetrics") -> None:
        self._metrics = metrics

    def relisted(self, resource: "Resource") -> None:
        self._metrics.relists.labels(resource.plural).inc()

    def undecodable(self, resource: "Resource") -> None:
        self._metrics.undecodable.labels(resource.plural).inc()
