"""Status writes against real HTTP: the exact requests, conflicts, and roles without `patch`."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from tests.fakes.object_api import ObjectApi, Refusal, Seen, serve_objects

from ferrolb.kube import (
    ApiClient,
    BadAnswerError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RawObject,
    ServerError,
    ServiceObject,
    decode_raw,
    decode_service,
)
from ferrolb.kube.status import PoolCounters, StatusWriter, service_patch
from ferrolb.model import IPAddress, PoolName
from ferrolb.telemetry import ClientMetrics

pytestmark = pytest.mark.anyio

SERVICE = "/api/v1/namespaces/shop/services/web"
POOL = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/gold"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ANNOTATION = "metallb.io/ip-allocated-from-pool"
COUNTERS = PoolCounters(assigned_ipv4=1, assigned_ipv6=2, available_ipv4=3, available_ipv6=4)
COUNTERS_JSON = {"assignedIPv4": 1, "assignedIPv6": 2, "availableIPv4": 3, "availableIPv6": 4}
NO_PATCH = Refusal(403, "Forbidden", "cannot patch resource services/status")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def addresses(*texts: str) -> tuple[IPAddress, ...]:
    return tuple(ip_address(text) for text in texts)


def service(*entries: dict[str, Any], annotations: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "namespace": "shop",
            "name": "web",
            "annotations": annotations or {},
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": {"type": "LoadBalancer", "unknownToUs": {"a": [1, 2.5, None]}},
        "status": {
            "loadBalancer": {"ingress": list(entries)},
            "conditions": [{"type": "Other", "status": "True"}],
        },
    }


def encode(content: object) -> bytes:
    return json.dumps(content).encode()


class Bench:
    def __init__(self, api: ObjectApi, client: ApiClient) -> None:
        self.api = api
        self.registry = CollectorRegistry()
        self.writer = StatusWriter(client, metrics=ClientMetrics(self.registry))

    def writes(self, resource: str, outcome: str) -> float | None:
        labels = {"resource": resource, "outcome": outcome}
        return self.registry.get_sample_value("ferrolb_api_writes_total", labels)

    def add_service(self, content: dict[str, Any]) -> ServiceObject:
        return decode_service(encode(self.api.put(SERVICE, content)))

    def add_pool(self, **parts: Any) -> RawObject:
        metadata = {"namespace": "metallb-system", "name": "gold"}
        return decode_raw(encode(self.api.put(POOL, {"metadata": metadata, **parts})))


@asynccontextmanager
async def bench_() -> AsyncIterator[Bench]:
    async with serve_objects() as (api, client):
        yield Bench(api, client)


def refuse(*methods: str, code: Refusal = NO_PATCH) -> Callable[[Seen], Refusal | None]:
    return lambda seen: code if seen.method in methods else None


async def test_c27_an_address_given_is_one_merge_patch_on_the_status() -> None:
    async with bench_() as bench:
        obj = bench.add_service(service())
        written = await bench.writer.write_service(
            obj, addresses("192.0.2.1", "2001:db8::1"), PoolName("gold")
        )
        (seen,) = bench.api.seen
        assert (seen.method, seen.path, seen.query) == ("PATCH", SERVICE + "/status", {})
        assert seen.content_type == "application/merge-patch+json"
        assert seen.body == {
            "metadata": {
                "resourceVersion": obj.metadata.resourceVersion,
                "annotations": {ANNOTATION: "gold"},
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}]}},
        }
        assert written.ingress == ({"ip": "192.0.2.1"}, {"ip": "2001:db8::1"})
        assert written.metadata.resourceVersion != obj.metadata.resourceVersion
        assert bench.writes("services", "ok") == 1


async def test_an_address_taken_leaves_no_ingress_and_no_annotation() -> None:
    async with bench_() as bench:
        obj = bench.add_service(
            service({"ip": "192.0.2.1"}, annotations={ANNOTATION: "gold", "mine": "x"})
        )
        written = await bench.writer.write_service(obj, (), None)
        stored = bench.api.objects[SERVICE]
        assert stored["status"] == {
            "loadBalancer": {},
            "conditions": [{"type": "Other", "status": "True"}],
        }
        assert stored["metadata"]["annotations"] == {"mine": "x"}
        assert written.ingress == ()


def test_entries_that_stay_are_sent_back_whole_and_the_others_go() -> None:
    kept = {"ip": "2001:DB8::1", "ipMode": "Proxy", "ports": [{"port": 80, "protocol": "TCP"}]}
    obj = decode_service(
        encode(service({"ip": "192.0.2.9"}, kept, {"hostname": "h"}, {"ip": "junk"}, {"ip": 5}))
    )
    patch = service_patch(obj, addresses("192.0.2.1", "2001:db8::1"), None)
    assert patch["status"] == {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, kept]}}


@pytest.mark.parametrize("pool", [PoolName("gold"), None])
def test_an_annotation_that_stands_is_not_sent(pool: PoolName | None) -> None:
    annotations = {ANNOTATION: str(pool)} if pool is not None else None
    obj = decode_service(encode(service(annotations=annotations)))
    assert service_patch(obj, (), pool)["metadata"] == {"resourceVersion": ""}


async def test_a_service_changed_meanwhile_is_a_conflict() -> None:
    async with bench_() as bench:
        obj = bench.add_service(service())
        bench.add_service(service())
        before = copy.deepcopy(bench.api.objects)
        with pytest.raises(ConflictError):
            await bench.writer.write_service(obj, addresses("192.0.2.1"), PoolName("gold"))
        assert bench.api.objects == before
        assert bench.writes("services", "conflict") == 1


async def test_a_deleted_service_is_not_found() -> None:
    async with bench_() as bench:
        obj = decode_service(encode(service()))
        with pytest.raises(NotFoundError):
            await bench.writer.write_service(obj, (), None)
        assert bench.writes("services", "error") == 1


async def test_an_answer_that_is_no_service_is_told_as_such() -> None:
    async with bench_() as bench:
        obj = bench.add_service({"metadata": {"namespace": "shop", "name": "web"}})
        bench.api.objects[SERVICE]["spec"] = {"type": 7}
        with pytest.raises(BadAnswerError):
            await bench.writer.write_service(obj, (), None)


async def test_c01_without_the_right_to_patch_the_whole_object_is_replaced() -> None:
    async with bench_() as bench:
        bench.api.refuse = refuse("PATCH")
        content = service({"ip": "192.0.2.9"}, annotations={"mine": "x"})
        obj = bench.add_service(content)
        with structlog.testing.capture_logs() as logs:
            written = await bench.writer.write_service(
                obj, addresses("192.0.2.1"), PoolName("gold")
            )
        assert bench.api.requests() == [
            ("PATCH", SERVICE + "/status"),
            ("POST", REVIEWS),
            ("GET", SERVICE),
            ("PUT", SERVICE + "/status"),
        ]
        assert bench.api.seen[1].body["spec"] == {
            "resourceAttributes": {
                "verb": "patch",
                "group": "",
                "resource": "services",
                "subresource": "status",
                "namespace": "shop",
            }
        }
        expected = copy.deepcopy(content)
        expected["metadata"]["annotations"][ANNOTATION] = "gold"
        expected["metadata"]["resourceVersion"] = obj.metadata.resourceVersion
        expected["status"]["loadBalancer"]["ingress"] = [{"ip": "192.0.2.1"}]
        assert bench.api.seen[3].body == expected
        assert written.ingress == ({"ip": "192.0.2.1"},)
        assert [log["resource"] for log in logs] == ["services/status"]


async def test_c01_the_fallback_is_for_good_and_said_once() -> None:
    async with bench_() as bench:
        bench.api.refuse = refuse("PATCH")
        obj = bench.add_service(service())
        with structlog.testing.capture_logs() as logs:
            obj = await bench.writer.write_service(obj, addresses("192.0.2.1"), PoolName("gold"))
            obj = await bench.writer.write_service(obj, (), None)
        assert bench.api.requests()[4:] == [("GET", SERVICE), ("PUT", SERVICE + "/status")]
        stored = bench.api.objects[SERVICE]
        assert stored["status"]["loadBalancer"] == {}
        assert stored["metadata"]["annotations"] == {}
        assert len(logs) == 1


async def test_writes_that_are_refused_together_say_it_once() -> None:
    async with bench_() as bench:
        bench.api.refuse = refuse("PATCH")
        objs = []
        for name in ("a", "b"):
            content = service()
            content["metadata"]["name"] = name
            path = SERVICE.replace("web", name)
            objs.append(decode_service(encode(bench.api.put(path, content))))
        pair = [bench.writer.write_service(obj, (), None) for obj in objs]
        with structlog.testing.capture_logs() as logs:
            await asyncio.gather(*pair)
        assert len(bench.api.requests("POST")) == 2
        assert len(logs) == 1


async def test_the_fallback_of_services_does_not_concern_pools() -> None:
    async with bench_() as bench:
        bench.api.refuse = refuse("PATCH")
        await bench.writer.write_service(bench.add_service(service()), (), None)
        bench.api.refuse = refuse()
        await bench.writer.write_pool(bench.add_pool(), COUNTERS)
        assert bench.api.requests()[4:] == [("PATCH", POOL + "/status")]


async def test_the_fallback_does_not_overwrite_a_change_of_somebody_else() -> None:
    async with bench_() as bench:
        bench.api.refuse = refuse("PATCH")
        obj = bench.add_service(service())
        bench.add_service(service())
        with pytest.raises(ConflictError):
            await bench.writer.write_service(obj, addresses("192.0.2.1"), PoolName("gold"))
        assert bench.api.requests("PUT") == []


async def test_a_change_between_read_and_replace_is_a_conflict() -> None:
    async with bench_() as bench:
        bench.api.refuse = refuse("PATCH")
        obj = bench.add_service(service())

        def interfere(seen: Seen) -> None:
            if seen.method == "PUT":
                bench.add_service(service({"hostname": "theirs"}))

        bench.api.before = interfere
        with pytest.raises(ConflictError):
            await bench.writer.write_service(obj, (), None)
        assert bench.api.objects[SERVICE]["status"]["loadBalancer"]["ingress"] == [
            {"hostname": "theirs"}
        ]


async def test_c21_a_refusal_by_admission_is_no_reason_to_fall_back() -> None:
    async with bench_() as bench:
        bench.api.refuse = refuse("PATCH", code=Refusal(403, "Forbidden", "denied the request"))
        bench.api.may_patch = True
        obj = bench.add_service(service())
        for _ in range(2):
            with pytest.raises(ForbiddenError, match="denied the request"):
                await bench.writer.write_service(obj, (), None)
        assert bench.api.requests() == [("PATCH", SERVICE + "/status"), ("POST", REVIEWS)] * 2
        assert bench.writes("services", "error") == 2


async def test_c21_where_rights_cannot_be_asked_replacing_is_tried_but_not_settled_for() -> None:
    async with bench_() as bench:
        bench.api.refuse = refuse("PATCH", "POST")
        obj = bench.add_service(service())
        for _ in range(2):
            obj = await bench.writer.write_service(obj, (), None)
        assert [method for method, _ in bench.api.requests()] == ["PATCH", "POST", "GET", "PUT"] * 2


async def test_a_failing_question_for_rights_settles_nothing() -> None:
    async with bench_() as bench:
        obj = bench.add_service(service())
        bench.api.refuse = lambda seen: {"PATCH": NO_PATCH, "POST": Refusal(500)}.get(seen.method)
        with pytest.raises(ServerError):
            await bench.writer.write_service(obj, (), None)
        bench.api.refuse = refuse()
        await bench.writer.write_service(obj, (), None)
        assert bench.api.requests("GET", "PUT") == []


async def test_pool_counters_are_one_merge_patch() -> None:
    async with bench_() as bench:
        pool = bench.add_pool(spec={"addresses": ["192.0.2.0/24"]}, status={"assignedIPv4": 9})
        written = await bench.writer.write_pool(pool, COUNTERS)
        (seen,) = bench.api.seen
        assert (seen.method, seen.path) == ("PATCH", POOL + "/status")
        assert seen.body == {"status": COUNTERS_JSON}
        assert written is not None
        assert written.content["status"] == COUNTERS_JSON
        assert written.content["spec"] == {"addresses": ["192.0.2.0/24"]}
        assert bench.writes("ipaddresspools", "ok") == 1


async def test_pool_counters_that_stand_are_not_written() -> None:
    async with bench_() as bench:
        pool = bench.add_pool(status=COUNTERS_JSON)
        assert await bench.writer.write_pool(pool, COUNTERS) is pool
        assert bench.api.seen == []


async def test_counters_of_zero_are_written_where_none_stand() -> None:
    async with bench_() as bench:
        written = await bench.writer.write_pool(bench.add_pool(), PoolCounters())
        assert written is not None
        assert written.content["status"] == dict.fromkeys(COUNTERS_JSON, 0)


async def test_a_pool_that_is_gone_is_ignored() -> None:
    async with bench_() as bench:
        pool = bench.add_pool()
        bench.api.objects.clear()
        assert await bench.writer.write_pool(pool, COUNTERS) is None


async def test_pools_fall_back_too() -> None:
    async with bench_() as bench:
        bench.api.refuse = refuse("PATCH")
        pool = bench.add_pool(spec={"addresses": []})
        written = await bench.writer.write_pool(pool, COUNTERS)
        assert written is not None
        assert written.content["status"] == COUNTERS_JSON
        review = bench.api.seen[1].body["spec"]["resourceAttributes"]
        assert (review["group"], review["resource"]) == ("metallb.io", "ipaddresspools")


async def test_an_answer_that_is_no_pool_is_told_as_such() -> None:
    async with bench_() as bench:
        pool = bench.add_pool()
        bench.api.objects[POOL]["metadata"]["labels"] = 7
        with pytest.raises(BadAnswerError):
            await bench.writer.write_pool(pool, COUNTERS)


def test_a_service_without_any_status_is_emptied_the_same_way() -> None:
    assert service_patch(decode_service(b"{}"), (), None) == {
        "metadata": {"resourceVersion": ""},
        "status": {"loadBalancer": {"ingress": None}},
    }


async def test_where_nothing_is_granted_one_refusal_answers_for_all() -> None:
    async with bench_() as bench:
        denied = 'services "web" is forbidden: User "u" cannot {} resource "services/status"'
        bench.api.refuse = lambda seen: (
            Refusal(403, "Forbidden", denied.format(seen.method))
            if seen.method in ("PATCH", "PUT")
            else None
        )
        obj = bench.add_service(service())
        with structlog.testing.capture_logs() as logs:
            for _ in range(5):
                with pytest.raises(ForbiddenError) as caught:
                    await bench.writer.write_service(obj, addresses("192.0.2.1"), None)
                assert caught.value.right is not None
            assert len(bench.api.requests("PATCH", "PUT")) == 2
        # that nothing is written by update from now on would not be true
        assert logs == []


async def test_c01_an_update_that_is_refused_later_brings_the_patch_back() -> None:
    async with bench_() as bench:
        bench.api.refuse = refuse("PATCH")
        obj = await bench.writer.write_service(bench.add_service(service()), (), None)
        bench.api.refuse = refuse("PUT")
        with pytest.raises(ForbiddenError):
            await bench.writer.write_service(obj, addresses("192.0.2.1"), None)
        await bench.writer.write_service(obj, addresses("192.0.2.1"), None)
        assert bench.api.requests()[-1] == ("PATCH", SERVICE + "/status")
