"""The controller program: builds its parts, starts them in order, supervises them."""

import asyncio
from typing import TYPE_CHECKING, Final

from ferrolb.controller.coverage import CoverageReporter
from ferrolb.controller.memberlist import MemberlistSecret
from ferrolb.controller.pool_status import PoolStatusReconciler, PoolStatusTrigger
from ferrolb.controller.pools import PoolReconciler
from ferrolb.controller.services import ServiceReconciler
from ferrolb.controller.signals import Signals
from ferrolb.controller.state import OwnState
from ferrolb.controller.watches import Watches
from ferrolb.converge import Engine
from ferrolb.kube import (
    ApiError,
    ConfigError,
    EventRecorder,
    FailureCounter,
    QueueDriver,
    RecorderSettings,
    RequeueAfter,
    Rights,
    StatusWriter,
    connect,
    service_from,
)
from ferrolb.rbac import Program
from ferrolb.runtime import (
    Health,
    StartupError,
    bind_socket,
    health_app,
    metrics_app,
    serve_http,
)
from ferrolb.telemetry import (
    ClientMetrics,
    PoolSample,
    PoolSamples,
    get_logger,
    new_registry,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ferrolb.controller.options import ControllerOptions
    from ferrolb.kube import ApiClient, Change, NamespaceObject, RawObject
    from ferrolb.model import ServiceKey

COMPONENT: Final = "metallb-controller"
"""Source of the events, as users see it in `kubectl describe` (REQ-7)."""

_POOLS_KEY: Final = "configuration"
"""Pools, communities and namespaces are one configuration, so one key."""


async def run_controller(options: "ControllerOptions") -> None:
    """Run until cancelled.

    Raises:
        StartupError: there is no usable cluster configuration, a port is taken, or the memberlist
            secret cannot be made.
    """
    rights = Rights(Program.CONTROLLER)
    try:
        client = connect(options.kubeconfig, rights=rights)
    except ConfigError as error:
        raise StartupError(str(error)) from error
    async with client:
        get_logger().info(
            "starting", server=client.server, namespace=options.namespace, lb_class=options.lb_class
        )
        await _Controller(client, options, rights).run()


class _Controller:
    """The parts of one controller and how they hang together."""

    def __init__(self, client: "ApiClient", options: "ControllerOptions", rights: Rights) -> None:
        self._client = client
        self._options = options
        self._rights = rights
        self._registry = new_registry()
        self._metrics = ClientMetrics(self._registry)
        self._metrics.leader_election.set(0)
        self._health = Health(remarks=rights.lines)
        self._watches = Watches()
        self._engine = Engine(lb_class=options.lb_class)
        self._registry.register(PoolSamples(self._samples))
        writer = StatusWriter(client, metrics=self._metrics)
        self._state = OwnState(client, options, rights)
        pool_status = PoolStatusReconciler(
            namespace=options.namespace,
            pools=self._watches.pools,
            engine=self._engine,
            writer=writer,
        )
        observer = FailureCounter(self._metrics)
        self._service_queue = QueueDriver[tuple[str, str]](
            "services", self._reconcile_service, observer=observer
        )
        self._recorder = EventRecorder(
            client,
            RecorderSettings(component=COMPONENT, instance=options.pod_name),
            metrics=self._metrics,
            turn=self._service_queue.idle,  # addresses first, words later
        )
        self._pool_status = QueueDriver("pool status", pool_status.reconcile, observer=observer)
        self._trigger = PoolStatusTrigger(self._pool_status)
        signals = Signals(wake=self._wake, pools_touched=self._trigger.touched)
        self._services = ServiceReconciler(
            services=self._watches.services,
            engine=self._engine,
            writer=writer,
            recorder=self._recorder,
            metrics=self._metrics,
            signals=signals,
        )
        self._coverage = CoverageReporter(
            watches=self._watches,
            recorder=self._recorder,
            lb_class=options.lb_class,
            turn=self._service_queue.idle,
        )
        self._pools = PoolReconciler(
            watches=self._watches,
            engine=self._engine,
            state=self._state,
            metrics=self._metrics,
            signals=signals,
            in_force=self._coverage.set_pools,
        )
        self._pool_queue = QueueDriver[str]("pools", self._pools.reconcile, observer=observer)

    async def run(self) -> None:
        """Start in order: probes, watches, configuration, adoption, and only then the passes."""
        async with asyncio.TaskGroup() as group:
            self._serve(group)
            group.create_task(self._recorder.run(), name="events")
            self._watches.start(
                group, self._client, namespace=self._options.namespace, metrics=self._metrics
            )
            await self._watches.synced(self._health.done)
            await self._prepare_namespace(group)
            # A later issue elects a leader here: standby replicas follow, but decide nothing.
            self._pools.load()
            self._engine.adopt(service_from(obj) for obj in self._watches.services.values())
            self._subscribe()
            self._enqueue_all()
            for driver in (self._pool_queue, self._service_queue, self._pool_status):
                group.create_task(driver.run())
            group.create_task(self._coverage.run(), name="coverage")
            get_logger().info(
                "started", services=len(self._watches.services), pools=len(self._watches.pools)
            )

    async def _reconcile_service(self, key: tuple[str, str]) -> RequeueAfter | None:
        return await self._services.reconcile(key)

    def _serve(self, group: asyncio.TaskGroup) -> None:
        options = self._options
        for step in self._watches.steps():
            self._health.wait_for(step)
        self._health.started()
        if options.health_probe_port:
            listener = bind_socket(options.health_probe_host, options.health_probe_port)
            group.create_task(serve_http(health_app(self._health), listener), name="health")
        if options.port:
            listener = bind_socket(options.metrics_host, options.port)
            group.create_task(serve_http(metrics_app(self._registry), listener), name="metrics")

    async def _prepare_namespace(self, group: asyncio.TaskGroup) -> None:
        options = self._options
        if not options.ml_secret_name:
            return
        secret = MemberlistSecret(
            self._client,
            namespace=options.namespace,
            name=options.ml_secret_name,
            deployment=options.deployment,
        )
        try:
            is_there = await secret.ensure()
        except ApiError as error:
            raise StartupError(f"cannot create the memberlist secret: {error}") from error
        if not is_there:
            group.create_task(secret.insist(self._health), name="memberlist secret")

    def _subscribe(self) -> None:
        watches = self._watches
        watches.services.subscribe(self._services.on_change)
        watches.namespaces.subscribe(self._on_namespace)
        watches.pools.subscribe(self._on_configuration)
        watches.pools.subscribe(self._trigger.changed)
        watches.legacy_pools.subscribe(self._on_configuration)
        watches.communities.subscribe(self._on_configuration)
        self._coverage.subscribe()
        watches.own_state.subscribe(lambda change: self._state.on_change(change, self._reload))
        self._rights.subscribe(self._reload)

    def _enqueue_all(self) -> None:
        self._pool_queue.add(_POOLS_KEY)
        for name in self._watches.pools:
            self._pool_status.add(name.name)
        self._wake(sorted(self._watches.services.keys()))

    def _on_namespace(self, change: "Change[NamespaceObject]") -> None:
        before = None if change.old is None else change.old.metadata.labels or {}
        after = None if change.new is None else change.new.metadata.labels or {}
        if before != after:
            self._reload()

    def _on_configuration(self, change: "Change[RawObject]") -> None:
        """Load again unless only the status or the metadata of an object changed."""
        before = None if change.old is None else change.old.content.get("spec")
        after = None if change.new is None else change.new.content.get("spec")
        is_unreadable = change.old is change.new
        if change.old is None or change.new is None or before != after or is_unreadable:
            self._reload()

    def _reload(self) -> None:
        self._pool_queue.add(_POOLS_KEY)

    def _wake(self, keys: "Iterable[ServiceKey | tuple[str, str]]") -> None:
        for key in keys:
            self._service_queue.add((key[0], key[1]))

    def _samples(self) -> list[PoolSample]:
        return [
            PoolSample(
                pool=name,
                total=usage.capacity,
                ipv4_total=usage.capacity_ipv4,
                ipv6_total=usage.capacity_ipv6,
                in_use=usage.assigned,
                ipv4_in_use=usage.assigned_ipv4,
                ipv6_in_use=usage.assigned_ipv6,
                services=usage.services,
            )
            for name, usage in self._engine.usage().items()
        ]
