"""The speaker program: builds its parts, starts them in order, supervises them."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ferrolb.announce import node_matters
from ferrolb.kube import (
    ApiError,
    ConfigError,
    EndpointIndex,
    EventRecorder,
    FailureCounter,
    L2StatusWriter,
    QueueDriver,
    RecorderSettings,
    Rights,
    connect,
    node_from,
)
from ferrolb.l2 import Announcer
from ferrolb.net import (
    FrameDriver,
    LinkMonitor,
    MissingCapabilityError,
    interface_names,
    interfaces_for,
    require_packet_sockets,
)
from ferrolb.rbac import Program
from ferrolb.runtime import (
    Health,
    StartupError,
    bind_socket,
    health_app,
    metrics_app,
    serve_http,
    settle,
)
from ferrolb.speaker.configuration import ConfigurationReconciler
from ferrolb.speaker.files import read_excluded
from ferrolb.speaker.l2_status import L2StatusReconciler
from ferrolb.speaker.membership import Members
from ferrolb.speaker.services import Reports, ServiceAnnouncer, Wire
from ferrolb.speaker.state import OwnPod, OwnState
from ferrolb.speaker.watches import Watches
from ferrolb.speaker.wire import WireObserver
from ferrolb.telemetry import ClientMetrics, SpeakerMetrics, get_logger, new_registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ferrolb.announce import View
    from ferrolb.kube import (
        AnnouncedServiceObject,
        ApiClient,
        Change,
        NodeObject,
        RawObject,
        RequeueAfter,
    )
    from ferrolb.model import InterfaceRule, IPAddress, Json, ServiceKey
    from ferrolb.net import Link
    from ferrolb.speaker.options import SpeakerOptions

COMPONENT: Final = "metallb-speaker"
"""Source of the events, as users see it in `kubectl describe`."""

_CONFIGURATION: Final = "configuration"
"""Pools and advertisements are one configuration, so one key."""

_NODES: Final = "nodes"
_MEMBERS: Final = "members"
"""Step of the start: who the other speakers are."""

_FRAMES: Final = "packet sockets"
_HEALTH_S: Final = 1.0
"""How often the probes' view of the sockets is renewed; kubelet asks every 10 s."""

HANDOVER_S: Final = 1.0
"""Longest time that a speaker which leaves goes on answering until its successors do. MetalLB's
manifests grant 2 s in all (C-12)."""


async def run_speaker(options: "SpeakerOptions") -> None:
    """Run until cancelled, then hand over.

    Raises:
        StartupError: there is no usable cluster configuration, a port is taken, a file is
            unreadable, or packets may not be sent.
    """
    rights = Rights(Program.SPEAKER)
    try:
        require_packet_sockets()
        client = connect(options.kubeconfig, rights=rights)
    except (ConfigError, MissingCapabilityError) as error:
        raise StartupError(str(error)) from error
    async with client:
        get_logger().info(
            "starting",
            server=client.server,
            node=options.node_name,
            namespace=options.namespace,
            lb_class=options.lb_class,
        )
        await _Speaker(client, options, rights).run()


class _Speaker:
    """The parts of one speaker and how they hang together.

    Sockets and gossip are the ground; everything that needs the API stands on it. At the end
    nothing is decided any more, the gossip is told, and the sockets answer until the successors do.
    """

    def __init__(self, client: "ApiClient", options: "SpeakerOptions", rights: Rights) -> None:
        self._client = client
        self._options = options
        self._rights = rights
        self._registry = new_registry()
        self._client_metrics = ClientMetrics(self._registry)
        self._metrics = SpeakerMetrics(self._registry, node=options.node_name)
        self._health = Health(remarks=rights.lines)
        self._excluded = read_excluded(options.exclude_file)
        self._announcer = Announcer(refresh_s=float(options.refresh_s))
        self._links: Mapping[int, Link] = {}
        self._link_monitor = LinkMonitor(self._on_links)
        observer = WireObserver(self._metrics, claimed=self._on_claimed)
        self._frames = FrameDriver(self._announcer, observer)
        self._is_leaving = False
        self._silent = asyncio.Event()
        self._members = self._make_members()
        self._watches = Watches()
        self._pod = OwnPod(client, namespace=options.namespace, name=options.pod_name)
        state = OwnState(client, options, self._pod, rights)
        counter = FailureCounter(self._client_metrics)
        self._service_queue = QueueDriver[tuple[str, str]](
            "services", self._reconcile_service, observer=counter
        )
        self._recorder = EventRecorder(
            client,
            RecorderSettings(component=COMPONENT, instance=options.pod_name),
            metrics=self._client_metrics,
            turn=self._service_queue.idle,  # frames first, words later
        )
        self._statuses = L2StatusReconciler(
            node=options.node_name,
            statuses=self._watches.l2_statuses,
            writer=L2StatusWriter(
                client, namespace=options.namespace, metrics=self._client_metrics
            ),
            announced=self._announced_through,
            observer=counter,
        )
        self._endpoints = EndpointIndex(self._service_queue.add)
        self._services = ServiceAnnouncer(
            node=options.node_name,
            services=self._watches.services,
            endpoints=self._endpoints,
            wire=Wire(
                announcer=self._announcer,
                now=asyncio.get_running_loop().time,
                changed=self._frames.wake,
            ),
            reports=Reports(
                node=options.node_name,
                metrics=self._metrics,
                client_metrics=self._client_metrics,
                recorder=self._recorder,
                status_changed=self._statuses.touch,
                is_reported=self._statuses.is_reported,
            ),
        )
        self._configuration = ConfigurationReconciler(
            options=options,
            watches=self._watches,
            state=state,
            metrics=self._client_metrics,
            put_in_force=self._put_in_force,
        )
        self._state = state
        self._config_queue = QueueDriver[str](
            "configuration", self._reconcile_configuration, observer=counter
        )

    async def run(self) -> None:
        """Run until cancelled; then hand over what is announced here."""
        async with asyncio.TaskGroup() as ground:
            tasks = [
                ground.create_task(self._link_monitor.run(), name="links"),
                ground.create_task(self._frames.run(), name="frames"),
            ]
            if self._members is not None:
                tasks.append(ground.create_task(self._members.run(), name="gossip"))
            work = ground.create_task(self._work(), name="work")
            try:
                # not `await work`: that would wait for its end before the others are told
                await asyncio.wait({work})
            finally:
                self._is_leaving = True
                work.cancel()
                await self._hand_over()
                await asyncio.wait({work})
                for task in tasks:
                    task.cancel()

    async def _work(self) -> None:
        """Start in order: probes, watches, membership, configuration, and only then the passes."""
        async with asyncio.TaskGroup() as group:
            self._serve(group)
            self._watches.start(
                group,
                self._client,
                namespace=self._options.namespace,
                state_name=OwnState.name_for(self._options.node_name),
                metrics=self._client_metrics,
            )
            self._watches.slices.subscribe(self._endpoints.on_change)
            if self._members is not None:
                group.create_task(self._members.find(), name="peers")
            await self._watches.synced(self._health.done)
            if self._members is not None:
                await self._members.joined.wait()
                self._configuration.set_members(self._members.names)
            self._health.done(_MEMBERS)
            self._configuration.load()
            settle()  # nobody is answered yet
            self._subscribe()
            self._config_queue.add(_CONFIGURATION)
            group.create_task(self._config_queue.run())
            group.create_task(self._service_queue.run())
            group.create_task(self._recorder.run(), name="events")
            group.create_task(self._report(), name="statuses")
            group.create_task(self._watch_frames(), name="frames' health")
            get_logger().info(
                "started", services=len(self._watches.services), nodes=len(self._watches.nodes)
            )

    async def _report(self) -> None:
        """Keep the ServiceL2Status objects true, from the first complete round of passes on."""
        await self._service_queue.idle.wait()
        try:
            self._statuses.owner = await self._pod.owner()
        except ApiError as error:
            get_logger().warning("own pod cannot be read", error=str(error))
        await self._statuses.run()

    async def _watch_frames(self) -> None:
        """Let readiness say which sockets are missing, as long as they are."""
        while True:
            health = self._frames.health
            if health.is_ok:
                self._health.recovered(_FRAMES)
            else:
                failures = [
                    f"{one.interface} {one.kind.value}: {one.error}" for one in health.sockets
                ]
                if health.groups:
                    failures.append(f"{health.groups} multicast groups not joined")
                self._health.failing(_FRAMES, "; ".join(failures))
            await asyncio.sleep(_HEALTH_S)

    async def _hand_over(self) -> None:
        """Leave the gossip, and answer until the successors do, or for a second."""
        if self._members is None or len(self._members.names) <= 1:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(HANDOVER_S):
                await self._members.leave()
                if self._announcer.addresses:
                    await self._silent.wait()

    def _make_members(self) -> Members | None:
        gossip = self._options.gossip
        if gossip is None:
            get_logger().info("no gossip: a speaker is expected to run on every node")
            return None
        members = Members(
            self._client,
            self._options,
            gossip,
            changed=self._on_members,
            merged=self._on_merged,
        )
        self._metrics.follow_gossip(members=members.count, drops=members.drops)
        return members

    def _serve(self, group: asyncio.TaskGroup) -> None:
        options = self._options
        for step in (*self._watches.steps(), _MEMBERS):
            self._health.wait_for(step)
        self._health.started()
        if options.health_probe_port:
            listener = bind_socket(options.health_probe_host, options.health_probe_port)
            group.create_task(serve_http(health_app(self._health), listener), name="health")
        if options.port:
            listener = bind_socket(options.metrics_host, options.port)
            group.create_task(serve_http(metrics_app(self._registry), listener), name="metrics")

    def _subscribe(self) -> None:
        watches = self._watches
        watches.services.subscribe(self._on_service)
        watches.nodes.subscribe(self._on_node)
        for cache in (
            watches.pools,
            watches.legacy_pools,
            watches.communities,
            watches.l2_advertisements,
        ):
            cache.subscribe(self._on_configuration)
        watches.own_state.subscribe(lambda change: self._state.on_change(change, self._reload))
        self._rights.subscribe(self._reload)

    def _on_service(self, change: "Change[AnnouncedServiceObject]") -> None:
        self._service_queue.add(change.key)

    def _on_node(self, change: "Change[NodeObject]") -> None:
        old = None if change.old is None else node_from(change.old)
        new = None if change.new is None else node_from(change.new)
        if not node_matters(old, new):
            return
        self._config_queue.add(_NODES)
        if self._members is not None and change.key.name == self._options.node_name:
            self._members.rejoin()

    def _on_configuration(self, change: "Change[RawObject]") -> None:
        """Load again unless only the status or the metadata of an object changed."""
        old, new = change.old, change.new
        is_there = old is not None and new is not None and old is not new
        if not is_there or _decisive(old) != _decisive(new):
            self._reload()

    def _reload(self) -> None:
        self._config_queue.add(_CONFIGURATION)

    def _put_in_force(self, view: "View") -> None:
        self._services.view = view
        self._wake_all()

    def _wake_all(self) -> None:
        for key in {*self._watches.services.keys(), *self._services.announced}:
            self._service_queue.add(key)

    def _on_members(self) -> None:
        if self._members is None or self._is_leaving:
            return
        self._configuration.set_members(self._members.names)

    def _on_merged(self) -> None:
        """Win back clients that asked the other half."""
        if not self._is_leaving:
            self._announcer.reassert(now=asyncio.get_running_loop().time())
            self._frames.wake()

    def _on_links(self, links: "Mapping[int, Link]") -> None:
        self._links = links
        self._services.interface_names = interface_names(links, self._excluded)
        self._frames.set_interfaces(interfaces_for(links, self._excluded))
        self._wake_all()

    def _on_claimed(self, ip: "IPAddress") -> None:
        """While leaving, fall silent for an address as soon as its next owner speaks."""
        if not self._is_leaving:
            return
        for key, announced in self._services.announced.items():
            if ip in announced.addresses:
                self._announcer.withdraw(key, now=asyncio.get_running_loop().time())
        if not self._announcer.addresses:
            self._silent.set()

    async def _reconcile_configuration(self, key: str) -> "RequeueAfter | None":
        if key == _NODES:
            self._configuration.nodes_changed()
            return None
        return await self._configuration.reconcile(key)

    async def _reconcile_service(self, key: tuple[str, str]) -> "RequeueAfter | None":
        if self._is_leaving:
            return None
        return await self._services.reconcile(key)

    def _announced_through(self, key: "ServiceKey") -> "InterfaceRule | None":
        announced = self._services.announced.get(key)
        return None if announced is None else announced.interfaces


def _decisive(obj: "RawObject | None") -> tuple["Json", "Json"]:
    """Return what the configuration depends on: advertisements select pools by their labels."""
    if obj is None:
        return None, None
    labels = obj.metadata.labels
    return obj.content.get("spec"), dict(labels) if labels else None
