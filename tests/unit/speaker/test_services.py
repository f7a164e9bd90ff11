"""What a pass over a Service hands to the wire, and what users are told of it."""

import asyncio
import json
from dataclasses import replace
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import cast

import pytest
from tests.fakes.virtual_time import run_virtual

from ferrolb.announce import View
from ferrolb.kube import (
    SERVICES,
    AnnouncedServiceObject,
    ApiClient,
    Cache,
    EndpointIndex,
    EndpointSliceObject,
    ObjectKey,
    QueueDriver,
    Reflector,
    UnreachableError,
    decode_announced_service,
    decode_endpoint_slice,
)
from ferrolb.l2 import Announcer, ArpPacket, Interface, Reply, encode_arp
from ferrolb.model import (
    AddressEntry,
    InterfaceRule,
    L2Advertisement,
    MacAddress,
    Node,
    NodeName,
    Pool,
    PoolName,
    PoolSet,
    ServiceKey,
)
from ferrolb.speaker.services import Announced, Reports, ServiceAnnouncer, Wire
from ferrolb.telemetry import ClientMetrics, SpeakerMetrics, new_registry, render

NODE = NodeName("n1")
KEY = ServiceKey("default", "web")
IP = ip_address("192.0.2.1")
OTHER_IP = ip_address("192.0.2.2")


class Recorder:
    """Keeps what it is told."""

    def __init__(self):
        self.said = []
        self.subjects = []
        self.held = {}

    def record(self, subject, note):
        self.subjects.append(subject.uid)
        self.said.append(note.message)

    def hold(self, key, subject, note):
        self.held[key] = note.message

    def release(self, key):
        self.held.pop(key, None)


class World:
    """One node, one pool, one advertisement, one Service with an endpoint."""

    def __init__(self):
        self.services: Cache[AnnouncedServiceObject] = Cache()
        self.slices: Cache[EndpointSliceObject] = Cache()
        self.recorder = Recorder()
        self.touched: list[ServiceKey] = []
        self.reported: set[ServiceKey] = set()
        self.announcer = Announcer(refresh_s=0)
        self.endpoints = EndpointIndex(lambda _key: None)
        self.slices.subscribe(self.endpoints.on_change)
        self.registry = new_registry()
        self.now = 0.0
        self.wakes: list[float] = []
        self.passes = ServiceAnnouncer(
            node=NODE,
            services=self.services,
            endpoints=self.endpoints,
            wire=Wire(
                announcer=self.announcer,
                now=lambda: self.now,
                changed=lambda: self.wakes.append(self.now),
            ),
            reports=Reports(
                node=NODE,
                metrics=SpeakerMetrics(self.registry, node=NODE),
                client_metrics=ClientMetrics(self.registry),
                recorder=self.recorder,
                status_changed=self.touched.append,
                is_reported=self.reported.__contains__,
            ),
        )
        self.passes.interface_names = ("eth0", "eth1")
        self._version = 0
        self.set_slice()
        self.set_service()
        self.passes.view = view()

    def set_service(self, *ips, kind="LoadBalancer", name=KEY.name, uid="u-web", **spec):
        self._version += 1
        ingress = [{"ip": ip} for ip in ips or (str(IP),)]
        self.services.put(
            decode_announced_service(
                json.dumps(
                    {
                        "metadata": {
                            "namespace": KEY.namespace,
                            "name": name,
                            "uid": uid,
                            "resourceVersion": str(self._version),
                        },
                        "spec": {"type": kind, **spec},
                        "status": {"loadBalancer": {"ingress": ingress}},
                    }
                ).encode()
            )
        )

    def set_slice(self, *, ready=True):
        self._version += 1
        self.slices.put(
            decode_endpoint_slice(
                json.dumps(
                    {
                        "metadata": {
                            "namespace": KEY.namespace,
                            "name": "web-1",
                            "resourceVersion": str(self._version),
                            "labels": {"kubernetes.io/service-name": KEY.name},
                        },
                        "endpoints": [{"nodeName": NODE, "conditions": {"ready": ready}}],
                    }
                ).encode()
            )
        )

    def delete_service(self):
        self._version += 1
        self.services.remove(ObjectKey(*KEY), str(self._version))

    def run(self, key=KEY):
        return asyncio.run(self.passes.reconcile(key))

    def metrics(self):
        text = render(self.registry)[0].decode()
        return [line for line in text.splitlines() if line.startswith("metallb_speaker_announced{")]


def view(**changes):
    pool = Pool(
        name=PoolName("p"),
        entries=(AddressEntry(text="192.0.2.0/24", prefixes=(ip_network("192.0.2.0/24"),)),),
    )
    advertisement = L2Advertisement(name="a", nodes=frozenset({NODE}))
    return View(
        pools=PoolSet(pools=MappingProxyType({pool.name: pool})),
        advertisements={pool.name: (replace(advertisement, **changes),)},
        nodes={NODE: Node(name=NODE)},
    )


@pytest.fixture
def world():
    return World()


def test_first_announcement_is_told_once(world):
    world.run()
    assert world.announcer.addresses == {IP: 1}
    assert world.passes.announced == {
        KEY: Announced(addresses=(IP,), interfaces=InterfaceRule(), uid="u-web")
    }
    assert world.recorder.said == ['announcing from node "n1"']
    assert world.touched == [KEY]
    assert world.metrics() == [
        'metallb_speaker_announced{ip="192.0.2.1",node="n1",protocol="layer2",'
        'service="default/web"} 1.0'
    ]


def test_w06_pass_that_changes_nothing_sends_and_says_nothing(world):
    world.run()
    world.now = 100.0
    world.announcer.frames_to_send(now=world.now)
    said, touched = list(world.recorder.said), list(world.touched)
    world.set_service()
    world.run()
    assert (world.recorder.said, world.touched) == (said, touched)
    assert world.wakes == [0.0]
    assert world.announcer.frames_to_send(now=200.0) == []


def test_w13_service_with_an_unusable_status_keeps_no_other_from_being_announced(world):
    bad = ServiceKey(KEY.namespace, "bad")
    world.set_service("not-an-address", name="bad")
    assert world.run(bad) is None
    world.run()
    assert world.passes.announced.keys() == {KEY}
    assert world.announcer.addresses == {IP: 1}


def test_d03_c03_event_has_no_protocol(world):
    world.run()
    assert world.recorder.said == ['announcing from node "n1"']


def test_c10_event_is_held_while_announced(world):
    world.run()
    assert list(world.recorder.held.values()) == ['announcing from node "n1"']
    world.delete_service()
    world.run()
    assert world.recorder.held == {}


def test_announcement_that_an_earlier_run_reported_is_no_news(world):
    world.reported.add(KEY)
    world.run()
    assert world.recorder.said == []
    assert list(world.recorder.held.values()) == ['announcing from node "n1"']
    assert world.metrics() != []


def test_r33_metric_goes_with_the_announcement(world):
    world.run()
    world.delete_service()
    world.run()
    assert world.metrics() == []
    assert world.announcer.addresses == {}
    assert world.touched == [KEY, KEY]


def test_service_made_again_under_its_name_is_told_of_its_own(world):
    world.run()
    world.set_service(uid="u-web-2")
    world.run()
    assert world.recorder.subjects == ["u-web", "u-web-2"]


def test_nothing_happens_before_the_view_is_known(world):
    world.passes.view = None
    world.run()
    assert world.announcer.addresses == {}
    world.delete_service()
    world.run()
    assert world.touched == []


def test_changed_address_moves_everything_along(world):
    world.run()
    world.set_service(str(OTHER_IP))
    world.run()
    assert world.announcer.addresses == {OTHER_IP: 1}
    [series] = world.metrics()
    assert 'ip="192.0.2.2"' in series
    assert world.recorder.said == ['announcing from node "n1"']
    assert world.touched == [KEY, KEY]


def test_lost_endpoint_withdraws(world):
    world.run()
    world.set_slice(ready=False)
    world.run()
    assert world.announcer.addresses == {}


def test_w14_class_that_is_not_ours_any_more_withdraws(world):
    world.run()
    world.set_service(loadBalancerClass="other")
    world.run()
    assert world.announcer.addresses == {}
    assert world.metrics() == []


def test_w11_unknown_interface_is_not_announced_and_said_once(world):
    world.passes.view = view(interfaces=frozenset({"eth9"}))
    world.run()
    world.run()
    assert world.announcer.addresses == {}
    assert world.passes.announced == {}
    assert world.metrics() == []
    assert world.touched == []
    assert world.recorder.said == [
        'the interfaces specified by LB IP "192.0.2.1" doesn\'t exist in assigned node "n1" '
        'with protocol "layer2"'
    ]


def test_w11_rule_that_turns_unusable_withdraws_what_was_announced(world):
    world.run()
    world.passes.view = view(interfaces=frozenset({"eth9"}))
    world.run()
    assert world.announcer.addresses == {}
    assert world.metrics() == []
    assert [message[:14] for message in world.recorder.held.values()] == ["the interfaces"]


def test_w11_interface_that_appears_ends_the_failure(world):
    world.passes.view = view(interfaces=frozenset({"eth9"}))
    world.run()
    world.passes.interface_names = ("eth0", "eth9")
    world.run()
    assert world.announcer.addresses == {IP: 1}
    assert list(world.recorder.held.values()) == ['announcing from node "n1"']


def test_failure_ends_when_another_node_is_elected(world):
    world.passes.view = view(interfaces=frozenset({"eth9"}))
    world.run()
    world.passes.view = view(nodes=frozenset({NodeName("n2")}))
    world.run()
    assert world.recorder.held == {}


class GoneApi:
    """An API server that nobody reaches."""

    def __init__(self):
        self.asked = 0

    async def list_page(self, *_):
        self.asked += 1
        raise UnreachableError("gone")


def test_k1_api_that_is_gone_for_an_hour_changes_nothing(world):
    world.run()
    mac = MacAddress(b"\x02\x00\x00\x00\x00\x01")
    port = Interface(index=1, name="eth0", mac=mac, link_local=None, has_arp=True, has_ndp=False)
    world.announcer.set_interfaces({1: port}, now=0.0)
    api = GoneApi()

    async def hour():
        reflector = Reflector(
            cast("ApiClient", api), SERVICES, world.services, decode=decode_announced_service
        )
        driver = QueueDriver("services", world.passes.reconcile)
        world.services.subscribe(lambda change: driver.add(change.key))
        tasks = [asyncio.create_task(reflector.run()), asyncio.create_task(driver.run())]
        await asyncio.sleep(3600)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    run_virtual(hour())
    assert api.asked > 60
    assert world.announcer.addresses == {IP: 1}
    assert list(world.recorder.held.values()) == ['announcing from node "n1"']
    assert world.touched == [KEY]
    question = encode_arp(
        ArpPacket(
            destination=b"\xff" * 6,
            source=b"\x02\x00\x00\x00\x00\x02",
            operation=1,
            sender_mac=b"\x02\x00\x00\x00\x00\x02",
            sender_ip=ip_address("192.0.2.9").packed,
            target_mac=b"\x00" * 6,
            target_ip=IP.packed,
        )
    )
    assert isinstance(world.announcer.on_frame(1, question, now=3600.0), Reply)
