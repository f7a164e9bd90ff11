"""Puts what is measured into a lab's API: a pool, an advertisement, a Service with addresses.

`python -m ferrolb.lab.staging prepare KUBECONFIG` does that once; `change KUBECONFIG RATE` changes
the Service so many times a second until SIGTERM, and prints how often it did.
"""

import asyncio
import signal
import sys
from collections.abc import Sequence
from ipaddress import ip_address
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
from ferrolb.lab.scenery import IPV4, IPV6, SERVICE
from ferrolb.model import IPAddress, JsonObject
from ferrolb.runtime import DEFAULT_NAMESPACE

_NAMESPACE: Final = "default"
_POOL: Final = ("203.0.113.0/24", "fd00:100::/64")
_ADDRESS_S: Final = 15.0
_POLL_S: Final = 0.05


async def _change(kubeconfig: Path, rate: float) -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    changes = 0
    async with connect(kubeconfig) as client:
        start = loop.time()
        while not end.is_set():
            changes += 1
            patch: JsonObject = {"metadata": {"annotations": {"ferrolb.io/change": str(changes)}}}
            await client.patch(SERVICES.path(_NAMESPACE, SERVICE), patch)
            await asyncio.sleep(max(0.0, start + changes / rate - loop.time()))
    sys.stdout.write(f"{changes}\n")


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


def main(words: Sequence[str]) -> None:
    """Carry out one command."""
    kubeconfig = Path(words[1])
    if words[0] == "prepare":
        asyncio.run(_prepare(kubeconfig))
    else:
        asyncio.run(_change(kubeconfig, float(words[2])))


if __name__ == "__main__":
    main(sys.argv[1:])
