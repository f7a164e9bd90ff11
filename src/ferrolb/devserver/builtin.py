"""The built-in resources: which they are, and what each does differently."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery import table_format
from ferrolb.devserver.events import core_from_events, events_from_core
from ferrolb.devserver.leases import LeaseStrategy
from ferrolb.devserver.payloads import ConfigMapStrategy, SecretStrategy
from ferrolb.devserver.rbac_objects import BindingStrategy, RoleStrategy
from ferrolb.devserver.registry import ALL_VERBS, Names, Registry, ServedResource, Traits
from ferrolb.devserver.schemas import schema_for
from ferrolb.devserver.service_strategy import ServiceStrategy
from ferrolb.devserver.strategies import (
    EndpointSliceStrategy,
    EventStrategy,
    NamespaceStrategy,
    NodeStrategy,
    PodStrategy,
    Strategy,
    WorkloadStrategy,
)
from ferrolb.store import ResourceId

if TYPE_CHECKING:
    from ferrolb.devserver.ranges import ServiceRanges

EVENTS: Final = ResourceId("", "events")
NAMESPACES: Final = ResourceId("", "namespaces")
SERVICES: Final = ResourceId("", "services")
SECRETS: Final = ResourceId("", "secrets")
SERVICE_ACCOUNTS: Final = ResourceId("", "serviceaccounts")
CONFIG_MAPS: Final = ResourceId("", "configmaps")
NODES: Final = ResourceId("", "nodes")
PODS: Final = ResourceId("", "pods")
DEFINITIONS: Final = ResourceId("apiextensions.k8s.io", "customresourcedefinitions")

RBAC: Final = "rbac.authorization.k8s.io"
CLUSTER_ROLES: Final = ResourceId(RBAC, "clusterroles")
CLUSTER_ROLE_BINDINGS: Final = ResourceId(RBAC, "clusterrolebindings")
ROLES_AND_BINDINGS: Final = (
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    ResourceId(RBAC, "roles"),
    ResourceId(RBAC, "rolebindings"),
)

_NO_COLLECTION_DELETE: Final = tuple(verb for verb in ALL_VERBS if verb != "deletecollection")

_NO_GENERATION: Final = Traits(has_generation=False)
_WITH_STATUS: Final = Traits(has_status=True, has_generation=False)
_WORKLOAD: Final = Traits(has_status=True)
_UPSERTED: Final = Traits(has_generation=False, creates_on_update=True)


@dataclass(frozen=True, slots=True)
class _Builtin:
    group: str
    kind: str
    plural: str
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    is_namespaced: bool = True
    traits: Traits = _NO_GENERATION
    verbs: tuple[str, ...] = ALL_VERBS


_BUILTINS: Final = (
    _Builtin("", "ConfigMap", "configmaps", ("cm",)),
    _Builtin("", "Endpoints", "endpoints", ("ep",), traits=_UPSERTED),
    _Builtin("", "Event", "events", ("ev",), traits=_UPSERTED),
    _Builtin(
        "",
        "Namespace",
        "namespaces",
        ("ns",),
        is_namespaced=False,
        traits=_WITH_STATUS,
        verbs=_NO_COLLECTION_DELETE,
    ),
    _Builtin("", "Node", "nodes", ("no",), is_namespaced=False, traits=_WITH_STATUS),
    _Builtin("", "Pod", "pods", ("po",), ("all",), traits=_WORKLOAD),
    _Builtin("", "Secret", "secrets"),
    _Builtin(
        "",
        "ServiceAccount",
        SERVICE_ACCOUNTS.resource,
        ("sa",),
        traits=Traits(has_generation=False, has_token=True),
    ),
    _Builtin(
        "",
        "Service",
        "services",
        ("svc",),
        ("all",),
        traits=_WITH_STATUS,
    ),
    _Builtin(
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        categories=("api-extensions",),
        is_namespaced=False,
        traits=Traits(),
    ),
    _Builtin(
        DEFINITIONS.group,
        "CustomResourceDefinition",
        DEFINITIONS.resource,
        ("crd", "crds"),
        ("api-extensions",),
        is_namespaced=False,
        traits=_WORKLOAD,
    ),
    _Builtin("apps", "DaemonSet", "daemonsets", ("ds",), ("all",), traits=_WORKLOAD),
    _Builtin("apps", "Deployment", "deployments", ("deploy",), ("all",), traits=_WORKLOAD),
    _Builtin("apps", "ReplicaSet", "replicasets", ("rs",), ("all",), traits=_WORKLOAD),
    _Builtin("coordination.k8s.io", "Lease", "leases", traits=_UPSERTED),
    _Builtin(
        "discovery.k8s.io",
        "EndpointSlice",
        "endpointslices",
        traits=Traits(creates_on_update=True),
    ),
    _Builtin("events.k8s.io", "Event", "events", ("ev",), traits=_UPSERTED),
    _Builtin(RBAC, "ClusterRole", "clusterroles", is_namespaced=False, traits=_UPSERTED),
    _Builtin(
        RBAC, "ClusterRoleBinding", "clusterrolebindings", is_namespaced=False, traits=_UPSERTED
    ),
    _Builtin(RBAC, "Role", "roles", traits=_UPSERTED),
    _Builtin(RBAC, "RoleBinding", "rolebindings", traits=_UPSERTED),
)
"""All of them are served as v1 and stored as such."""


def register_builtins(
    registry: Registry, *, ranges: "ServiceRanges", definitions: Strategy
) -> None:
    """Serve the built-in resources; `definitions` is the strategy of custom ones' definitions."""
    strategies = {**_strategies(ranges), DEFINITIONS: definitions}
    for builtin in _BUILTINS:
        registry.put(_served(builtin, strategies))


def _strategies(ranges: "ServiceRanges") -> dict[ResourceId, Strategy]:
    workload = WorkloadStrategy(has_replicas=True)
    return {
        SERVICES: ServiceStrategy(ranges),
        NAMESPACES: NamespaceStrategy(),
        NODES: NodeStrategy(),
        PODS: PodStrategy(),
        SECRETS: SecretStrategy(),
        CONFIG_MAPS: ConfigMapStrategy(),
        EVENTS: EventStrategy(),
        ResourceId("apps", "deployments"): workload,
        ResourceId("apps", "replicasets"): workload,
        ResourceId("apps", "daemonsets"): WorkloadStrategy(has_replicas=False),
        ResourceId("discovery.k8s.io", "endpointslices"): EndpointSliceStrategy(),
        ResourceId("coordination.k8s.io", "leases"): LeaseStrategy(),
        CLUSTER_ROLES: RoleStrategy(is_namespaced=False),
        CLUSTER_ROLE_BINDINGS: BindingStrategy(is_namespaced=False),
        ResourceId(RBAC, "roles"): RoleStrategy(is_namespaced=True),
        ResourceId(RBAC, "rolebindings"): BindingStrategy(is_namespaced=True),
    }


def _served(builtin: _Builtin, strategies: Mapping[ResourceId, Strategy]) -> ServedResource:
    is_new_event = (builtin.group, builtin.kind) == ("events.k8s.io", "Event")
    storage = EVENTS if is_new_event else ResourceId(builtin.group, builtin.plural)
    return ServedResource(
        group=builtin.group,
        version="v1",
        names=Names(
            kind=builtin.kind,
            plural=builtin.plural,
            singular=builtin.kind.lower(),
            short=builtin.short,
            categories=builtin.categories,
        ),
        is_namespaced=builtin.is_namespaced,
        storage=storage,
        storage_api_version=f"{storage.group}/v1" if storage.group else "v1",
        table=table_format(builtin.group, builtin.kind),
        strategy=strategies.get(storage) or _DEFAULTS[builtin.traits.has_status],
        schema=schema_for(builtin.group, "v1", builtin.kind),
        traits=builtin.traits,
        deprecation=_DEPRECATIONS.get(builtin.kind, ""),
        verbs=builtin.verbs,
        to_storage=core_from_events if is_new_event else None,
        from_storage=events_from_core if is_new_event else None,
    )


_DEPRECATIONS: Final = {
    "Endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
}
"""What every request on such a kind is told."""

_DEFAULTS: Final = {False: Strategy(), True: Strategy(has_status=True)}
