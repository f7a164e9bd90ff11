"""What clients read to learn which resources there are: legacy and aggregated discovery."""

import base64
import hashlib
from functools import lru_cache
from typing import Final

from ferrolb.devserver.registry import TOKEN_REQUEST, Registry, ServedResource, version_rank
from ferrolb.model import Json, JsonObject

DISCOVERY_GROUP: Final = "apidiscovery.k8s.io"
AGGREGATED_VERSIONS: Final = ("v2", "v2beta1")
AGGREGATED_KIND: Final = "APIGroupDiscoveryList"

GROUP_ORDER: Final = (
    "",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "rbac.authorization.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
)
"""The order in which a real server has its groups; all others come after them, by name."""

CUSTOM_VERBS: Final = (
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
)
"""Verbs of custom resources in the order in which they are shown."""

MAX_ACCEPT_ENTRIES: Final = 32
"""Media types read from one header; kubectl sends three."""


@lru_cache(maxsize=64)
def aggregated_version(accept: str) -> str | None:
    """Return the version in which a client asks for aggregated discovery; None: the legacy form.

    Plain JSON before it does not change that: a real server looks for this form first.
    """
    for entry in accept.split(",", MAX_ACCEPT_ENTRIES)[:MAX_ACCEPT_ENTRIES]:
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        given = dict(parameter.partition("=")[::2] for parameter in parameters)
        if media_type == "application/json" and _is_aggregated(given):
            return given["v"]
    return None


def aggregated_media_type(version: str) -> str:
    """Return the Content-Type of an aggregated document."""
    return f"application/json;g={DISCOVERY_GROUP};v={version};as={AGGREGATED_KIND}"


def _is_aggregated(given: dict[str, str]) -> bool:
    return (
        given.get("g") == DISCOVERY_GROUP
        and given.get("as") == AGGREGATED_KIND
        and given.get("v") in AGGREGATED_VERSIONS
    )


def core_versions(address: str) -> JsonObject:
    """Return the legacy document of `/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_list(registry: Registry) -> JsonObject:
    """Return the legacy document of `/apis`."""
    groups = registry.groups()
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, groups[name]) for name in sorted(groups, key=_group_rank) if name],
    }


def group_document(registry: Registry, group: str) -> JsonObject | None:
    """Return the legacy document of one group, None if it is not served."""
    versions = registry.groups().get(group)
    if not versions or not group:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions)}


def resource_list(registry: Registry, group: str, version: str) -> JsonObject | None:
    """Return the legacy document of one group version, None if it is not served."""
    served = registry.of_version(group, version)
    if not served:
        return None
    entries: list[Json] = []
    for resource in sorted(served, key=lambda one: one.plural):
        entries.append(_entry(resource))
        entries += [
            {
                "name": f"{resource.plural}/{name}",
                "singularName": "",
                "namespaced": resource.is_namespaced,
                **(_foreign_kind(name) or {"kind": resource.kind}),
                "verbs": list(verbs),
            }
            for name, verbs in resource.subresources.items()
        ]
    return {
        "kind": "APIResourceList",
        **({"apiVersion": "v1"} if group else {}),
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": entries,
    }


def aggregated(registry: Registry, version: str, *, is_core: bool) -> JsonObject:
    """Return all groups with their resources: the core group alone, or all others."""
    groups = registry.groups()
    return {
        "kind": AGGREGATED_KIND,
        "apiVersion": f"{DISCOVERY_GROUP}/{version}",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": name} if name else {},
                "versions": [
                    {
                        "version": each,
                        "resources": [
                            _aggregated_entry(resource)
                            for resource in sorted(
                                registry.of_version(name, each), key=lambda one: one.plural
                            )
                        ],
                        "freshness": "Current",
                    }
                    for each in groups[name]
                ],
            }
            for name in sorted(groups, key=_group_rank)
            if bool(name) is not is_core
        ],
    }


def _group_rank(name: str) -> tuple[int, str]:
    """Order groups: the built-in ones first, so that `get events` means the core kind."""
    if name in GROUP_ORDER:
        return (GROUP_ORDER.index(name), name)
    return (len(GROUP_ORDER), name)


def _group(name: str, versions: list[str]) -> JsonObject:
    entries: list[JsonObject] = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for version in sorted(versions, key=version_rank)
    ]
    return {"name": name, "versions": [*entries], "preferredVersion": entries[0]}


def _entry(resource: ServedResource) -> JsonObject:
    entry: JsonObject = {
        "name": resource.plural,
        "singularName": resource.names.singular,
        "namespaced": resource.is_namespaced,
        "kind": resource.kind,
        "verbs": _verbs(resource),
    }
    if resource.names.short:
        entry["shortNames"] = list(resource.names.short)
    if resource.names.categories:
        entry["categories"] = list(resource.names.categories)
    if "list" in resource.verbs:
        entry["storageVersionHash"] = _storage_hash(resource)
    return entry


def _verbs(resource: ServedResource) -> list[Json]:
    if not resource.traits.is_custom:
        return list(resource.verbs)
    return [verb for verb in CUSTOM_VERBS if verb in resource.verbs]


def _aggregated_entry(resource: ServedResource) -> JsonObject:
    # Built-in kinds leave it to the group and version around them.
    is_custom = resource.traits.is_custom
    kind: JsonObject = {
        "group": resource.group if is_custom else "",
        "version": resource.version if is_custom else "",
        "kind": resource.kind,
    }
    entry: JsonObject = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.is_namespaced else "Cluster",
        "singularResource": resource.names.singular,
        "verbs": _verbs(resource),
    }
    if resource.names.short:
        entry["shortNames"] = list(resource.names.short)
    if resource.names.categories:
        entry["categories"] = list(resource.names.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": _foreign_kind(name) or kind,
                "verbs": list(verbs),
            }
            for name, verbs in resource.subresources.items()
        ]
    return entry


def _foreign_kind(subresource: str) -> JsonObject:
    """Return what a subresource takes if that is of another group; otherwise nothing."""
    if subresource != "token":
        return {}
    group, version, kind = TOKEN_REQUEST
    return {"group": group, "version": version, "kind": kind}


def _storage_hash(resource: ServedResource) -> str:

    identity = f"{resource.storage}/{resource.storage_api_version}/{resource.kind}"
    return base64.b64encode(hashlib.sha256(identity.encode()).digest()[:8]).decode()
