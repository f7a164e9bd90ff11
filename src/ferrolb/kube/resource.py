"""Which resources of the API we talk to, and where they are found."""

from dataclasses import dataclass
from typing import Final, NewType
from urllib.parse import quote

ApiPath = NewType("ApiPath", str)
"""The path of a collection, an object or a subresource below the server's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of the API: `group` is empty for the core group, `plural` as in the path."""

    group: str = ""
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`apiVersion` as it stands in objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> ApiPath:
        """Return the path of an object, or without `name` of the collection.

        Without `namespace` it is the collection of all namespaces.

        Raises:
            ValueError: namespace, name and subresource do not name one thing of this resource.
        """
        self._check(namespace, name, subresource)
        parts = ["apis" if self.group else "api", self.api_version]
        if namespace is not None:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name is not None:
            parts.append(quote(name, safe=""))
        if subresource is not None:
            parts.append(subresource)
        return ApiPath("/" + "/".join(parts))

    def _check(self, namespace: str | None, name: str | None, subresource: str | None) -> None:
        if namespace is not None and not self.namespaced:
            raise ValueError(f"{self.plural} are not namespaced, got namespace {namespace!r}")
        if name is not None and namespace is None and self.namespaced:
            raise ValueError(f"{self.plural} are namespaced, {name!r} needs a namespace")
        if subresource is not None and name is None:
            raise ValueError(f"subresource {subresource!r} of {self.plural} needs a name")
        # an empty segment would address the collection instead of the object
        if name == "" or namespace == "":
            raise ValueError(f"empty name or namespace for {self.plural}")


def _metallb(plural: str, kind: str, version: str = "v1beta1") -> Resource:
    return Resource(group="metallb.io", version=version, plural=plural, kind=kind)


SERVICES: Final = Resource(version="v1", plural="services", kind="Service")
NAMESPACES: Final = Resource(version="v1", plural="namespaces", kind="Namespace", namespaced=False)
NODES: Final = Resource(version="v1", plural="nodes", kind="Node", namespaced=False)
SECRETS: Final = Resource(version="v1", plural="secrets", kind="Secret")
CONFIG_MAPS: Final = Resource(version="v1", plural="configmaps", kind="ConfigMap")
EVENTS: Final = Resource(version="v1", plural="events", kind="Event")
PODS: Final = Resource(version="v1", plural="pods", kind="Pod")
DEPLOYMENTS: Final = Resource(group="apps", version="v1", plural="deployments", kind="Deployment")
ENDPOINT_SLICES: Final = Resource(
    group="discovery.k8s.io", version="v1", plural="endpointslices", kind="EndpointSlice"
)
LEASES: Final = Resource(group="coordination.k8s.io", version="v1", plural="leases", kind="Lease")
SELF_SUBJECT_ACCESS_REVIEWS: Final = Resource(
    group="authorization.k8s.io",
    version="v1",
    plural="selfsubjectaccessreviews",
    kind="SelfSubjectAccessReview",
    namespaced=False,
)

IP_ADDRESS_POOLS: Final = _metallb("ipaddresspools", "IPAddressPool")
ADDRESS_POOLS: Final = _metallb("addresspools", "AddressPool")
"""The form before IPAddressPool; its CRD may be absent (controller.md 2.11)."""
COMMUNITIES: Final = _metallb("communities", "Community")
L2_ADVERTISEMENTS: Final = _metallb("l2advertisements", "L2Advertisement")
BGP_ADVERTISEMENTS: Final = _metallb("bgpadvertisements", "BGPAdvertisement")
BGP_PEERS: Final = _metallb("bgppeers", "BGPPeer", "v1beta2")
BFD_PROFILES: Final = _metallb("bfdprofiles", "BFDProfile")
CONFIGURATION_STATES: Final = _metallb("configurationstates", "ConfigurationState")
SERVICE_L2_STATUSES: Final = _metallb("servicel2statuses", "ServiceL2Status")
SERVICE_BGP_STATUSES: Final = _metallb("servicebgpstatuses", "ServiceBGPStatus")
