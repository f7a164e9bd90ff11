"""What measurements need in a lab's API: a pool, an advertisement, Services with addresses."""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from ferrolb.kube import (
    IP_ADDRESS_POOLS,
    L2_ADVERTISEMENTS,
    SERVICES,
    ApiClient,
    connect,
    parse_object,
)
from ferrolb.lab.errors import LabError
from ferrolb.model import IPAddress, JsonObject
from ferrolb.runtime import DEFAULT_NAMESPACE

SERVICE: Final = "measured"
IPV4: Final = IPv4Address("203.0.113.5")
IPV6: Final = IPv6Address("fd00:100::5")
_NAMESPACE: Final = "default"
_POOL: Final = ("203.0.113.0/24", "fd00:100::/64")
_ADDRESS_S: Final = 20.0
_POLL_S: Final = 0.05


def prepare(kubeconfig: Path) -> None:
    """Create pool, advertisement and one Service of both families; wait for its addresses.

    Raises:
        LabError: it has none after `_ADDRESS_S`.
    """
    asyncio.run(_prepare(kubeconfig))


async def change_services(kubeconfig: Path, *, rate: float, end: asyncio.Event) -> int:
    """Change one Service so many times a second until `end` is set; return how many changes."""
    loop = asyncio.get_running_loop()
    changes = 0
    async with connect(kubeconfig) as client:
        start = loop.time()
        while not end.is_set():
            changes += 1
            patch: JsonObject = {"metadata": {"annotations": {"ferrolb.io/change": str(changes)}}}
            await client.patch(SERVICES.path(_NAMESPACE, SERVICE), patch)
            await asyncio.sleep(max(0.0, start + changes / rate - loop.time()))
    return changes


async def _prepare(kubeconfig: Path) -> None:
    async with connect(kubeconfig) as client:
        await client.create(IP_ADDRESS_POOLS.path(DEFAULT_NAMESPACE), _pool())
        await client.create(L2_ADVERTISEMENTS.path(DEFAULT_NAMESPACE), _advertisement())
        await client.create(SERVICES.path(_NAMESPACE), _service())
        end = asyncio.get_running_loop().time() + _ADDRESS_S
        while set(await _addresses(client)) != {IPV4, IPV6}:
            if asyncio.get_running_loop().time() > end:
                raise LabError(f"Service {SERVICE} got no address within {_ADDRESS_S:.0f} s")
            await asyncio.sleep(_POLL_S)


async def _addresses(client: ApiClient) -> Sequence[IPAddress]:
    service = parse_object(await client.get(SERVICES.path(_NAMESPACE, SERVICE)))
    status = service.get("status")
    balancer = status.get("loadBalancer") if isinstance(status, dict) else None
    entries = balancer.get("ingress") if isinstance(balancer, dict) else None
    return [
        ip_address(str(one["ip"]))
        for one in (entries if isinstance(entries, list) else [])
        if isinstance(one, dict)
    ]


def _pool() -> JsonObject:
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": "measured", "namespace": DEFAULT_NAMESPACE},
        "spec": {"addresses": [*_POOL]},
    }


def _advertisement() -> JsonObject:
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "L2Advertisement",
        "metadata": {"name": "measured", "namespace": DEFAULT_NAMESPACE},
        "spec": {},
    }


def _service() -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": SERVICE,
            "namespace": _NAMESPACE,
            "annotations": {"metallb.io/loadBalancerIPs": f"{IPV4},{IPV6}"},
        },
        "spec": {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": False,
            "ipFamilyPolicy": "RequireDualStack",
            "selector": {"app": SERVICE},
            "ports": [{"port": 80, "targetPort": 8080}],
        },
    }
