"""ServiceL2Status objects in memory, behind the client's own methods, with watches that lag.

It does what an API server does to this kind: names from a prefix, a status that is dropped on
create, fields that cannot be changed, deletion by uid.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.fakes.object_api import merge
from typing_extensions import override

from ferrolb.kube import (
    ApiClient,
    ApiPath,
    Cache,
    ConflictError,
    InvalidError,
    L2StatusObject,
    NotFoundError,
    ObjectKey,
    decode_l2_status,
)

_FIXED = ("node", "serviceName", "serviceNamespace")


class L2StatusApi(ApiClient):
    """Give it to `L2StatusWriter`; add a cache for each program that watches."""

    def __init__(self, *, lag_s: float = 0.05) -> None:  # no connection is made
        self.objects: dict[str, dict[str, Any]] = {}
        self.requests: Counter[str] = Counter()
        self.failures: list[BaseException] = []
        self.caches: list[Cache[L2StatusObject]] = []
        self.is_defined = True
        self.most_of_one_service = 0
        self.last_at = 0.0
        self._lag_s = lag_s
        self._version = 100
        self._serial = 0

    def watch(self) -> Cache[L2StatusObject]:
        """Return a new cache that follows from now on."""
        cache: Cache[L2StatusObject] = Cache()
        self.caches.append(cache)
        return cache

    def seed(
        self, node: str, service: str, *, labels: dict[str, str | None] | None = None, **parts: Any
    ) -> str:
        """Put an object of a node, with a full status, into the cluster; return its name."""
        names = {
            "metallb.io/node": node,
            "metallb.io/service-name": service,
            "metallb.io/service-namespace": "default",
            **(labels or {}),
        }
        owners = parts.pop("owners", [])
        status = {"node": node, "serviceName": service, "serviceNamespace": "default", **parts}
        metadata = {
            "generateName": "l2-",
            "labels": {name: value for name, value in names.items() if value is not None},
            "ownerReferences": [{"uid": uid} for uid in owners],
        }
        obj = self._add({"metadata": metadata})
        obj["status"] = status
        self._tell(obj)
        return str(obj["metadata"]["name"])

    def edit(self, name: str, change: dict[str, Any]) -> None:
        """Change an object as an administrator does."""
        self._put(name, merge(self.objects[name], change))

    def remove(self, name: str) -> None:
        """Delete an object as an administrator does."""
        self._version += 1
        del self.objects[name]
        key, version = ObjectKey("metallb-system", name), str(self._version)
        self._later(lambda cache: cache.remove(key, version))

    def of(self, service: str) -> list[dict[str, Any]]:
        """Return the objects whose label names a Service."""
        return [
            obj
            for obj in self.objects.values()
            if obj["metadata"]["labels"].get("metallb.io/service-name") == service
        ]

    @override
    async def create(self, path: ApiPath, body: Any) -> bytes:
        await self._request("create")
        if not self.is_defined:
            raise NotFoundError("the resource is not defined", code=404)
        obj = self._add({name: value for name, value in body.items() if name != "status"})
        service = obj["metadata"]["labels"]["metallb.io/service-name"]
        self.most_of_one_service = max(self.most_of_one_service, len(self.of(service)))
        self._tell(obj)
        return json.dumps(obj).encode()

    @override
    async def patch(self, path: ApiPath, body: Any, **_: Any) -> bytes:
        is_status = path.endswith("/status")
        await self._request("status" if is_status else "metadata")
        name = path.removesuffix("/status").rsplit("/", 1)[1]
        old = self._existing(name, body["metadata"]["uid"])
        new = merge(
            old, {"status": body["status"]} if is_status else {"metadata": body["metadata"]}
        )
        before, after = old.get("status", {}), new.get("status", {})
        if any(field in before and before[field] != after.get(field) for field in _FIXED):
            raise InvalidError("Value is immutable", code=422)
        return json.dumps(self._put(name, new)).encode()

    @override
    async def delete(
        self,
        path: ApiPath,
        *,
        uid: str = "",
        resource_version: str = "",
        grace_s: int | None = None,
    ) -> bytes:
        await self._request("delete")
        name = path.rsplit("/", 1)[1]
        self._existing(name, uid)
        self.remove(name)
        return b"{}"

    async def _request(self, kind: str) -> None:
        self.requests[kind] += 1
        self.last_at = asyncio.get_running_loop().time()
        await asyncio.sleep(0.002)
        if self.failures:
            raise self.failures.pop(0)

    def _existing(self, name: str, uid: str) -> dict[str, Any]:
        if name not in self.objects:
            self.requests["missed"] += 1
            raise NotFoundError("not found", code=404)
        if self.objects[name]["metadata"]["uid"] != uid:
            raise ConflictError("the uid is another", code=409)
        return self.objects[name]

    def _add(self, content: dict[str, Any]) -> dict[str, Any]:
        self._serial += 1
        self._version += 1
        metadata = {
            **content["metadata"],
            "name": f"l2-{self._serial:05}",
            "namespace": "metallb-system",
            "uid": f"uid-{self._serial}",
            "resourceVersion": str(self._version),
        }
        obj = {**content, "metadata": metadata}
        self.objects[metadata["name"]] = obj
        return obj

    def _put(self, name: str, content: dict[str, Any]) -> dict[str, Any]:
        if content == self.objects[name]:
            return content
        self._version += 1
        metadata = {**content["metadata"], "resourceVersion": str(self._version)}
        self.objects[name] = {**content, "metadata": metadata}
        self._tell(self.objects[name])
        return self.objects[name]

    def _tell(self, obj: dict[str, Any]) -> None:
        decoded = decode_l2_status(json.dumps(obj).encode())
        self._later(lambda cache: cache.put(decoded))

    def _later(self, apply: Callable[[Cache[L2StatusObject]], object]) -> None:
        version = str(self._version)

        def deliver() -> None:
            for cache in self.caches:
                apply(cache)
                cache.advance(version)

        asyncio.get_running_loop().call_later(self._lag_s, deliver)
