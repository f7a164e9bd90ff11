"""Custom resources as the API has them, in short; and their parsing in one call."""

from typing import TYPE_CHECKING

from ferrolb.config import AcceptedPools, PoolConfig, PoolObjects, parse_pools
from ferrolb.model import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ferrolb.model import Json, JsonObject

NAMESPACE = "metallb-system"


def pool_object(
    name: str = "pool", *addresses: "Json", age: int = 0, **spec: "Json"
) -> "JsonObject":
    """Make an IPAddressPool; an object of a higher `age` (up to 99) is older."""
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": _metadata(name, age),
        "spec": {"addresses": list(addresses), **spec},
    }


def legacy_object(
    name: str = "pool",
    *addresses: "Json",
    age: int = 0,
    protocol: "Json" = "layer2",
    **spec: "Json",
) -> "JsonObject":
    """Make an AddressPool."""
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "AddressPool",
        "metadata": _metadata(name, age),
        "spec": {"addresses": list(addresses), "protocol": protocol, **spec},
    }


def community_object(name: str = "community", age: int = 0, **aliases: "Json") -> "JsonObject":
    """Make a Community of aliases and their values."""
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "Community",
        "metadata": _metadata(name, age),
        "spec": {"communities": [{"name": key, "value": aliases[key]} for key in aliases]},
    }


def parse(
    *pools: "Json",
    legacy: "Iterable[Json]" = (),
    communities: "Iterable[Json]" = (),
    namespaces: "Mapping[str, Mapping[str, str]] | None" = None,
    after: PoolConfig | None = None,
) -> PoolConfig:
    """Parse these objects, `after` an earlier parse or at start."""
    return parse_pools(
        PoolObjects(
            pools=pools,
            legacy_pools=tuple(legacy),
            communities=tuple(communities),
            namespaces={Namespace(name): labels for name, labels in (namespaces or {}).items()},
        ),
        accepted=after.accepted if after else AcceptedPools(),
    )


def messages(config: PoolConfig) -> list[str]:
    """Return the texts of all errors."""
    return [error.message for error in config.errors]


def paths(config: PoolConfig) -> list[tuple[str, str]]:
    """Return (object name, field path) of all errors."""
    return [(error.object.name, error.path) for error in config.errors]


def prefixes(config: PoolConfig) -> dict[str, list[str]]:
    """Return the prefixes of each pool in force."""
    return {
        name: [str(prefix) for prefix in pool.prefixes] for name, pool in config.pools.pools.items()
    }


def _metadata(name: str, age: int) -> "JsonObject":
    return {
        "name": name,
        "namespace": NAMESPACE,
        "creationTimestamp": f"2026-01-01T00:00:{99 - age:02}Z",
        "generation": 1,
    }
