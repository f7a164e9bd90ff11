"""The service proxy of a lab: what stands where a cluster has kube-proxy."""

import asyncio
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Protocol

from ferrolb.kube import Cache, ObjectKey
from ferrolb.lab.errors import LabError
from ferrolb.lab.namespaces import must_run
from ferrolb.lab.objects import ServiceObject, SliceObject
from ferrolb.lab.proxy_rules import ProxyEndpoint, ProxyPort, ProxyService, proxy_rules
from ferrolb.lab.slices import SERVICE_LABEL
from ferrolb.lab.topology import NodeHost
from ferrolb.model import IPAddress
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from ferrolb.kube import Change

_SHARE: Final = 4.0
"""After a round the proxies rest this many times as long: at most a fifth of one processor."""
_RETRY_S: Final = 1.0


class ServiceProxy(Protocol):
    """Lets one node serve Services; a cluster's own proxy may take its place."""

    async def program(self, services: Sequence[ProxyService]) -> None:
        """Make the node serve these Services and no others."""


class NftProxy:
    """The lab's own: one nftables table a node, written as one transaction when it changes."""

    def __init__(self, node: NodeHost) -> None:
        self._node = node
        self._written = ""

    async def program(self, services: Sequence[ProxyService]) -> None:
        """Write the table.

        Raises:
            LabError: `nft` refused it; what was there stays in force.
        """
        text = proxy_rules(services, self._node)
        if text != self._written:
            await must_run(self._node.name, ["nft", "-f", "-"], stdin=text)
            self._written = text


class ProxyKeeper:
    """Follows Services and EndpointSlices and programs every node's proxy."""

    def __init__(
        self,
        proxies: Mapping[str, ServiceProxy],
        *,
        services: Cache[ServiceObject],
        slices: Cache[SliceObject],
    ) -> None:
        self._proxies = proxies
        self._services = services
        self._slices = slices
        # by Service: names of its slices
        self._slices_of: dict[ObjectKey, set[ObjectKey]] = {}
        self._wanted: dict[ObjectKey, ProxyService] = {}
        self._dirty = asyncio.Event()
        self._dirty.set()

    def start(self) -> None:
        """Look at everything there is, and at every change from now on."""
        self._services.subscribe(lambda change: self._look(change.key))
        self._slices.subscribe(self._on_slice)
        for key, one in [(key, self._slices.get(key)) for key in self._slices]:
            if one is not None:
                self._note(key, one)
        for key in list(self._services):
            self._look(key)

    async def run(self) -> None:
        """Program until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            began = loop.time()
            try:
                services = list(self._wanted.values())
                await asyncio.gather(*(one.program(services) for one in self._proxies.values()))
            except LabError as error:
                get_logger().error("cannot program the service proxy", error=str(error))
                self._dirty.set()
                await asyncio.sleep(_RETRY_S)
            await asyncio.sleep((loop.time() - began) * _SHARE)

    def _on_slice(self, change: "Change[SliceObject]") -> None:
        if change.old is not None:
            owner = _owner(change.key, change.old)
            self._slices_of.get(owner, set()).discard(change.key)
            self._look(owner)
        if change.new is not None:
            self._look(self._note(change.key, change.new))

    def _note(self, key: ObjectKey, one: SliceObject) -> ObjectKey:
        owner = _owner(key, one)
        self._slices_of.setdefault(owner, set()).add(key)
        return owner

    def _look(self, key: ObjectKey) -> None:
        """Work out what a Service needs now; nothing is programmed if that is as it was."""
        service = self._services.get(key)
        before = self._wanted.get(key)
        if service is None:
            self._wanted.pop(key, None)
            after = None
        else:
            found = (self._slices.get(one) for one in sorted(self._slices_of.get(key, ())))
            after = proxy_service(service, [one for one in found if one is not None])
            self._wanted[key] = after
        if after != before:
            self._dirty.set()


def proxy_service(service: ServiceObject, slices: Sequence[SliceObject]) -> ProxyService:
    """Return what a proxy needs to know of a Service and its slices."""
    spec = service.spec
    return ProxyService(
        name=f"{service.metadata.namespace}/{service.metadata.name}",
        internal=_addresses(spec.cluster_ips or ()),
        external=_addresses([one.ip for one in service.status.load_balancer.ingress or ()]),
        is_local=spec.external_traffic_policy == "Local",
        ports=tuple(
            ProxyPort(
                protocol=port.protocol, port=port.port, endpoints=_endpoints(port.name, slices)
            )
            for port in spec.ports or ()
        ),
    )


def _endpoints(port: str, slices: Sequence[SliceObject]) -> tuple[ProxyEndpoint, ...]:
    """Return the endpoints of a port, in the slices' order; a slice names ports as the Service."""
    found: list[ProxyEndpoint] = []
    for one in slices:
        numbers = [each.port for each in one.ports or () if (each.name or "") == port]
        for endpoint in one.endpoints or ():
            conditions = endpoint.conditions
            # nothing said means ready
            if not numbers or not numbers[0] or (conditions and conditions.ready is False):
                continue
            found += [
                ProxyEndpoint(address, numbers[0], endpoint.node_name or "")
                for address in _addresses(endpoint.addresses or ())
            ]
    return tuple(found)


def _addresses(texts: Sequence[str]) -> tuple[IPAddress, ...]:
    """Read addresses; what is none (`None` of a headless Service, a host name) is left out."""
    found: list[IPAddress] = []
    for text in texts:
        try:
            found.append(ip_address(text))
        except ValueError:
            continue
    return tuple(found)


def _owner(key: ObjectKey, one: SliceObject) -> ObjectKey:
    return ObjectKey(key.namespace, (one.metadata.labels or {}).get(SERVICE_LABEL, ""))
