"""What a new cluster has: namespaces, our definitions, and the Service of the API itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ferrolb.crds import load_crds
from ferrolb.devserver.builtin import DEFINITIONS, NAMESPACES, SERVICES
from ferrolb.devserver.default_roles import default_roles
from ferrolb.devserver.statuses import Target, invalid
from ferrolb.devserver.strategies import member_of, metadata_of
from ferrolb.model import JsonObject
from ferrolb.store import NotFoundError, ObjectKey, ResourceId

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster
    from ferrolb.devserver.registry import ServedResource
    from ferrolb.model import IPNetwork

SEED_NAMESPACES: Final = (
    "default",
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "metallb-system",
)


async def seed(cluster: "Cluster", *, ranges: Sequence["IPNetwork"], port: int) -> None:
    """Create what is missing, and bring our definitions to this version's state."""
    for name in SEED_NAMESPACES:
        namespace: JsonObject = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name},
        }
        await _ensure(cluster, NAMESPACES, namespace)
    for definition in load_crds():
        await _ensure(cluster, DEFINITIONS, definition)
    await _ensure(cluster, SERVICES, _api_service(ranges, port))
    if cluster.authorizer.is_enforced:
        for storage, obj in default_roles():
            await _ensure(cluster, storage, obj)


def _api_service(ranges: Sequence["IPNetwork"], port: int) -> JsonObject:
    family = "IPv6" if ranges[0].version == 6 else "IPv4"
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": str(ranges[0][1]),
            "ipFamilyPolicy": "SingleStack",
            "ipFamilies": [family],
            "ports": [{"name": "https", "port": 443, "targetPort": port}],
        },
    }


async def _ensure(cluster: "Cluster", storage: ResourceId, obj: JsonObject) -> None:
    resource = cluster.registry.find(storage.group, "v1", storage.resource)
    if resource is None:
        return
    metadata = metadata_of(obj)
    key = ObjectKey(storage, str(metadata.get("namespace") or ""), str(metadata["name"]))
    try:
        stored = cluster.store.get(key)
    except NotFoundError:
        await _create(cluster, resource, key, obj)
    else:
        if storage == DEFINITIONS:
            spec = member_of(obj, "spec")
            await _update(cluster, resource, key, {**stored, "spec": spec})


async def _update(
    cluster: "Cluster", resource: "ServedResource", key: ObjectKey, stored: JsonObject
) -> None:
    wanted = resource.strategy.default(stored)
    prepared = resource.strategy.on_update(wanted, stored)
    write = cluster.store.update(key, prepared.obj)
    await cluster.committed(write.change)


async def _create(
    cluster: "Cluster", resource: "ServedResource", key: ObjectKey, obj: JsonObject
) -> None:
    prepared = resource.strategy.on_create(resource.strategy.default(obj))
    if prepared.errors:
        raise invalid(Target(resource=resource.kind, name=key.name), prepared.errors)
    write = cluster.store.create(
        key,
        prepared.obj,
        uid=cluster.new_uid(),
        now=cluster.now(),
        has_generation=resource.traits.has_generation,
    )
    await cluster.committed(write.change)
