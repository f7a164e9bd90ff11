"""Status writes: one merge patch of our own fields, or, where roles lack `patch`, GET and PUT.

MetalLB's roles grant only `update` on the status of Services and pools. A patch that is refused
for want of rights makes the writer read the whole object and replace its status instead, for that
resource and for good (C-1, C-21); the whole, so that nothing unknown to us is lost.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ferrolb.kube.client import parse_object
from ferrolb.kube.convert import allocated_from
from ferrolb.kube.errors import (
    ApiError,
    BadAnswerError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
)
from ferrolb.kube.objects import decode_raw, decode_service
from ferrolb.kube.resource import IP_ADDRESS_POOLS, SELF_SUBJECT_ACCESS_REVIEWS, SERVICES
from ferrolb.model import Annotation, parse_address
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ferrolb.kube.client import ApiClient
    from ferrolb.kube.objects import ObjectMeta, RawObject, ServiceObject
    from ferrolb.kube.resource import Resource
    from ferrolb.model import IPAddress, Json, JsonObject, PoolName
    from ferrolb.telemetry import ClientMetrics

_STATUS: Final = "status"

REFUSED_RETRY_S: Final = 10.0
"""Seconds for which a refusal by the roles answers for every object of the resource: thousands of
Services would otherwise ask, again and again, what one answer tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCounters:
    """`status` of an IPAddressPool."""

    assigned_ipv4: int = 0
    assigned_ipv6: int = 0
    available_ipv4: int = 0
    available_ipv6: int = 0

    def to_json(self) -> "JsonObject":
        """Return the status as the API spells it."""
        return {
            "assignedIPv4": self.assigned_ipv4,
            "assignedIPv6": self.assigned_ipv6,
            "availableIPv4": self.available_ipv4,
            "availableIPv6": self.available_ipv6,
        }


class StatusWriter:
    """Writes the statuses that the controller owns. Errors of the API are the caller's."""

    def __init__(self, client: "ApiClient", *, metrics: "ClientMetrics") -> None:
        self._client = client
        self._metrics = metrics
        self._log = get_logger()
        self._without_patch: set[Resource] = set()
        self._refusals: dict[Resource, tuple[float, ForbiddenError]] = {}

    async def write_service(
        self, obj: "ServiceObject", addresses: "Sequence[IPAddress]", pool: "PoolName | None"
    ) -> "ServiceObject":
        """Make the status hold `addresses`, and the annotation name `pool`; return the new state.

        Raises:
            ConflictError: the Service changed since `obj` was read; look again.
            ApiError: any other failure, by status.
        """
        answer = await self._write(SERVICES, obj.metadata, service_patch(obj, addresses, pool))
        try:
            return decode_service(answer)
        except msgspec.DecodeError as error:
            raise BadAnswerError(f"the Service written cannot be read: {error}") from error

    async def write_pool(self, pool: "RawObject", counters: PoolCounters) -> "RawObject | None":
        """Make the status hold the counters; return the new state, None if the pool is gone.

        Nothing is written where they stand already.

        Raises:
            ApiError: the write failed.
        """
        status = counters.to_json()
        if pool.content.get(_STATUS) == status:
            return pool
        try:
            answer = await self._write(IP_ADDRESS_POOLS, pool.metadata, {_STATUS: status})
        except NotFoundError:
            return None
        try:
            return decode_raw(answer)
        except msgspec.DecodeError as error:
            raise BadAnswerError(f"the pool written cannot be read: {error}") from error

    async def _write(self, resource: "Resource", meta: "ObjectMeta", change: "JsonObject") -> bytes:
        self._check_refusal(resource)
        outcome = "error"
        try:
            answer = await self._patch_or_replace(resource, meta, change)
            outcome = "ok"
        except ForbiddenError as refusal:
            if refusal.right is not None:
                until = asyncio.get_running_loop().time() + REFUSED_RETRY_S
                self._refusals[resource] = (until, refusal)
            raise
        except ConflictError:
            outcome = "conflict"
            raise
        finally:
            self._metrics.writes.labels(resource=resource.plural, outcome=outcome).inc()
        return answer

    def _check_refusal(self, resource: "Resource") -> None:
        until, refusal = self._refusals.get(resource, (0.0, None))
        if refusal is None:
            return
        if asyncio.get_running_loop().time() < until:
            again = ForbiddenError(refusal.message, code=refusal.code, reason=refusal.reason)
            again.right = refusal.right
            raise again
        del self._refusals[resource]

    async def _patch_or_replace(
        self, resource: "Resource", meta: "ObjectMeta", change: "JsonObject"
    ) -> bytes:
        if resource in self._without_patch:
            try:
                return await self._replace(resource, meta, change)
            except ForbiddenError:
                # the roles have changed, and may now grant what they did not
                self._without_patch.discard(resource)
                raise
        path = resource.path(meta.namespace, meta.name, _STATUS)
        try:
            return await self._client.patch(path, change)
        except ForbiddenError as refusal:
            return await self._on_forbidden(resource, meta, change, refusal)

    async def _on_forbidden(
        self, resource: "Resource", meta: "ObjectMeta", change: "JsonObject", refusal: ApiError
    ) -> bytes:
        try:
            may_patch = await self._may_patch(resource, meta.namespace)
        except ForbiddenError:
            # Nobody tells whose refusal it was: replacing is tried, but not settled for.
            return await self._replace(resource, meta, change)
        if may_patch:
            raise refusal
        answer = await self._replace(resource, meta, change)
        if resource not in self._without_patch:
            self._without_patch.add(resource)
            self._log.warning(
                "the roles do not grant patch, status is written by update from now on",
                resource=f"{resource.plural}/{_STATUS}",
            )
        return answer

    async def _may_patch(self, resource: "Resource", namespace: str) -> bool:
        review: JsonObject = {
            "apiVersion": SELF_SUBJECT_ACCESS_REVIEWS.api_version,
            "kind": SELF_SUBJECT_ACCESS_REVIEWS.kind,
            "spec": {
                "resourceAttributes": {
                    "verb": "patch",
                    "group": resource.group,
                    "resource": resource.plural,
                    "subresource": _STATUS,
                    "namespace": namespace,
                }
            },
        }
        path = SELF_SUBJECT_ACCESS_REVIEWS.path()
        answer = parse_object(await self._client.create(path, review))
        status = answer.get(_STATUS)
        return isinstance(status, dict) and status.get("allowed") is True

    async def _replace(
        self, resource: "Resource", meta: "ObjectMeta", change: "JsonObject"
    ) -> bytes:
        current = parse_object(await self._client.get(resource.path(meta.namespace, meta.name)))
        if _version(change) not in (None, _version(current)):
            raise ConflictError(
                f"{resource.plural} {meta.namespace}/{meta.name} changed since it was read",
                code=409,
            )
        path = resource.path(meta.namespace, meta.name, _STATUS)
        return await self._client.update(path, _merged(current, change))


def service_patch(
    obj: "ServiceObject", addresses: "Sequence[IPAddress]", pool: "PoolName | None"
) -> "JsonObject":
    """Return the merge patch that makes the Service hold `addresses` from `pool` (C-27).

    An entry that stands for one of the addresses already is sent back as it came, with `ipMode`
    and `ports`; every other entry goes.
    """
    metadata: JsonObject = {"resourceVersion": obj.metadata.resourceVersion}
    if allocated_from(obj) != pool:
        metadata["annotations"] = {Annotation.IP_ALLOCATED_FROM_POOL.stable: pool}
    # In a merge patch an empty list would stay as an empty list; null takes the field away.
    ingress = [_entry(obj, address) for address in addresses] or None
    return {"metadata": metadata, _STATUS: {"loadBalancer": {"ingress": ingress}}}


def _entry(obj: "ServiceObject", address: "IPAddress") -> "Json":
    for entry in obj.ingress:
        ip = entry.get("ip")
        if isinstance(ip, str) and parse_address(ip) == address:
            return entry
    return {"ip": str(address)}


def _version(content: "JsonObject") -> "Json":
    metadata = content.get("metadata")
    return metadata.get("resourceVersion") if isinstance(metadata, dict) else None


def _merged(content: "JsonObject", change: "JsonObject") -> "JsonObject":
    """Do what the API server does with a JSON merge patch (RFC 7386).

    `apimachinery` has this for the development server, at the price of loading all of it.
    """
    result = dict(content)
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            old = result.get(name)
            result[name] = _merged(old if isinstance(old, dict) else {}, value)
        else:
            result[name] = value
    return result
