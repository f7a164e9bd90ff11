"""API objects as the lab reads them: Pods and Services with the fields that backends depend on."""

import msgspec

from ferrolb.kube import ObjectMeta


class LabMeta(ObjectMeta, frozen=True, gc=False):
    """Metadata with what says that an object is going."""

    deletionTimestamp: str | None = None  # noqa: N815 - the API's name


class ContainerPort(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One port of a container."""

    container_port: int = 0
    name: str = ""
    protocol: str = "TCP"


class Container(msgspec.Struct, frozen=True, gc=False):
    """One container of a Pod."""

    name: str = ""
    ports: tuple[ContainerPort, ...] | None = None


class PodSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Where a Pod runs and what it listens on."""

    node_name: str = ""
    host_network: bool = False
    containers: tuple[Container, ...] | None = None


class Condition(msgspec.Struct, frozen=True, gc=False):
    """One condition."""

    type: str = ""
    status: str = ""


class PodAddress(msgspec.Struct, frozen=True, gc=False):
    """One address of a Pod."""

    ip: str = ""


class PodStatus(msgspec.Struct, frozen=True, gc=False):
    """What a kubelet writes of a Pod."""

    pod_ips: tuple[PodAddress, ...] | None = msgspec.field(default=None, name="podIPs")
    conditions: tuple[Condition, ...] | None = None


class PodObject(msgspec.Struct, frozen=True, gc=False):
    """One Pod."""

    metadata: LabMeta = LabMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def ips(self) -> tuple[str, ...]:
        """The Pod's addresses, none before it runs."""
        return tuple(one.ip for one in self.status.pod_ips or ())

    @property
    def is_ready(self) -> bool:
        """Whether its condition `Ready` is true and it is not going."""
        return self.metadata.deletionTimestamp is None and any(
            one.type == "Ready" and one.status == "True" for one in self.status.conditions or ()
        )

    @property
    def ports(self) -> tuple[ContainerPort, ...]:
        """The ports of all containers."""
        return tuple(
            port for container in self.spec.containers or () for port in container.ports or ()
        )


class ServicePort(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One port of a Service."""

    port: int = 0
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str | None = None


class ServiceSpec(msgspec.Struct, frozen=True, gc=False):
    """What serving a Service depends on."""

    selector: dict[str, str] | None = None
    ports: tuple[ServicePort, ...] | None = None
    cluster_ips: tuple[str, ...] | None = msgspec.field(default=None, name="clusterIPs")
    ip_families: tuple[str, ...] | None = msgspec.field(default=None, name="ipFamilies")
    external_traffic_policy: str = msgspec.field(default="", name="externalTrafficPolicy")


class Ingress(msgspec.Struct, frozen=True, gc=False):
    """One address that a load balancer gave."""

    ip: str = ""


class LoadBalancer(msgspec.Struct, frozen=True, gc=False):
    """`status.loadBalancer`."""

    ingress: tuple[Ingress, ...] | None = None


class ServiceStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A Service's status."""

    load_balancer: LoadBalancer = LoadBalancer()


class ServiceObject(msgspec.Struct, frozen=True, gc=False):
    """One Service."""

    metadata: LabMeta = LabMeta()
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class Conditions(msgspec.Struct, frozen=True, gc=False):
    """Whether an endpoint may be used; null and absent mean that nothing is said."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One endpoint of a slice."""

    addresses: tuple[str, ...] | None = None
    conditions: Conditions | None = None
    node_name: str | None = None


class EndpointPort(msgspec.Struct, frozen=True, gc=False):
    """One port of a slice's endpoints."""

    port: int | None = None
    name: str | None = None
    protocol: str | None = None


class SliceObject(msgspec.Struct, frozen=True, gc=False, rename={"address_type": "addressType"}):
    """One EndpointSlice."""

    metadata: LabMeta = LabMeta()
    address_type: str = ""
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None


_pods = msgspec.json.Decoder(PodObject)
_services = msgspec.json.Decoder(ServiceObject)
_slices = msgspec.json.Decoder(SliceObject)


def decode_pod(data: bytes | msgspec.Raw) -> PodObject:
    """Decode one Pod.

    Raises:
        msgspec.DecodeError: not JSON, or a field has a type that the API does not allow.
    """
    return _pods.decode(data)


def decode_service(data: bytes | msgspec.Raw) -> ServiceObject:
    """Decode one Service.

    Raises:
        msgspec.DecodeError: as for a Pod.
    """
    return _services.decode(data)


def decode_slice(data: bytes | msgspec.Raw) -> SliceObject:
    """Decode one EndpointSlice.

    Raises:
        msgspec.DecodeError: as for a Pod.
    """
    return _slices.decode(data)
