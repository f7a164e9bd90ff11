"""The passes over ServiceL2Status, two nodes on one API in memory, on a clock that jumps."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry
from tests.fakes.l2_status_api import L2StatusApi
from tests.fakes.virtual_time import run_virtual
from typing_extensions import override

from ferrolb.kube import (
    ForbiddenError,
    L2StatusWriter,
    PodOwner,
    ServerError,
    UnreachableError,
)
from ferrolb.model import InterfaceRule, NodeName, ServiceKey
from ferrolb.rbac import Right
from ferrolb.speaker.l2_status import (
    BURST,
    MAX_WRITES,
    PATIENCE_S,
    RETRY_S,
    WRITES_PER_S,
    L2StatusReconciler,
)
from ferrolb.telemetry import ClientMetrics

WEB = ServiceKey("default", "web")
ALL = InterfaceRule()


class Speaker:
    def __init__(self, api, name):
        self.name = name
        self.announced: dict[ServiceKey, InterfaceRule] = {}
        self.reconciler = L2StatusReconciler(
            node=NodeName(name),
            statuses=api.watch(),
            writer=L2StatusWriter(
                api, namespace="metallb-system", metrics=ClientMetrics(CollectorRegistry())
            ),
            announced=self.announced.get,
        )
        self.reconciler.owner = PodOwner(f"pod-{name}", f"uid-pod-{name}")

    def announce(self, *keys, rule=ALL):
        for key in keys:
            self.announced[key] = rule
            self.reconciler.touch(key)

    def withdraw(self, *keys):
        for key in keys:
            del self.announced[key]
            self.reconciler.touch(key)


@asynccontextmanager
async def running(*speakers):
    tasks = [asyncio.create_task(speaker.reconciler.run()) for speaker in speakers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_announcing_is_one_create_and_one_status_write():
    async def story():
        api = L2StatusApi()
        a = Speaker(api, "node-a")
        a.announce(WEB, rule=InterfaceRule(frozenset(("eth1", "eth0"))))
        async with running(a):
            await asyncio.sleep(60)
        assert api.requests == {"create": 1, "status": 1}
        (obj,) = api.of("web")
        assert obj["metadata"]["generateName"] == "l2-"
        assert obj["metadata"]["labels"] == {
            "metallb.io/node": "node-a",
            "metallb.io/service-name": "web",
            "metallb.io/service-namespace": "default",
        }
        assert obj["metadata"]["ownerReferences"] == [
            {"apiVersion": "v1", "kind": "Pod", "name": "pod-node-a", "uid": "uid-pod-node-a"}
        ]
        assert obj["status"] == {
            "node": "node-a",
            "serviceName": "web",
            "serviceNamespace": "default",
            "interfaces": [{"name": "eth0"}, {"name": "eth1"}],
        }
        assert a.reconciler.is_reported(WEB)

    run_virtual(story())


def test_the_same_again_writes_nothing():
    async def story():
        api = L2StatusApi()
        a = Speaker(api, "node-a")
        a.announce(WEB)
        async with running(a):
            await asyncio.sleep(10)
            api.requests.clear()
            for _ in range(20):
                a.announce(WEB)
                await asyncio.sleep(1)
        assert not api.requests

    run_virtual(story())


def test_c36_other_interfaces_are_one_patch_and_all_of_them_take_the_field_away():
    async def story():
        api = L2StatusApi()
        a = Speaker(api, "node-a")
        a.announce(WEB, rule=InterfaceRule(frozenset(("eth0",))))
        async with running(a):
            await asyncio.sleep(10)
            api.requests.clear()
            a.announce(WEB)
            await asyncio.sleep(10)
        assert api.requests == {"status": 1}
        assert "interfaces" not in api.of("web")[0]["status"]

    run_virtual(story())


def test_c36_a_change_of_owner_is_one_delete_one_create_one_status_write():
    async def story():
        api = L2StatusApi()
        a, b = Speaker(api, "node-a"), Speaker(api, "node-b")
        a.announce(WEB)
        async with running(a, b):
            await asyncio.sleep(10)
            api.requests.clear()
            b.announce(WEB)
            a.withdraw(WEB)
            await asyncio.sleep(PATIENCE_S / 2)
            assert api.requests == {"delete": 1, "create": 1, "status": 1}
            await asyncio.sleep(60)
        assert api.requests == {"delete": 1, "create": 1, "status": 1}
        assert [obj["status"]["node"] for obj in api.of("web")] == ["node-b"]
        assert api.most_of_one_service == 1

    run_virtual(story())


def test_c36_the_object_of_a_dead_owner_goes_after_the_patience():
    async def story():
        api = L2StatusApi()
        b = Speaker(api, "node-b")
        api.seed("node-a", "web")
        await asyncio.sleep(1)
        b.announce(WEB)
        async with running(b):
            await asyncio.sleep(PATIENCE_S * 0.9)
            assert not api.requests
            await asyncio.sleep(PATIENCE_S * 0.2)
        assert api.requests == {"delete": 1, "create": 1, "status": 1}
        assert [obj["status"]["node"] for obj in api.of("web")] == ["node-b"]

    run_virtual(story())


def test_c36_seven_hundred_moves_at_once_need_three_writes_each_at_a_bounded_rate():
    keys = [ServiceKey("default", f"s{number}") for number in range(700)]

    async def story():
        api = L2StatusApi()
        a, b, c = (Speaker(api, f"node-{name}") for name in "abc")
        a.announce(*keys)
        async with running(a, b, c):
            await asyncio.sleep(60)
            api.requests.clear()
            start = asyncio.get_running_loop().time()
            b.announce(*keys[:350])
            c.announce(*keys[350:])
            a.withdraw(*keys)
            await asyncio.sleep(60)
        took_s = api.last_at - start
        assert api.requests["create"] == api.requests["status"] == 700
        assert 700 <= api.requests["delete"] <= 705
        assert api.most_of_one_service == 1
        # each of the three nodes has 700 writes; two of them wait for the third at times
        assert (700 - BURST) / WRITES_PER_S <= took_s <= 1.25 * 700 / WRITES_PER_S

    run_virtual(story())


def test_r29_the_object_goes_with_the_announcement_and_comes_back_with_it():
    async def story():
        api = L2StatusApi()
        a = Speaker(api, "node-a")
        async with running(a):
            a.announce(WEB)
            await asyncio.sleep(5)
            assert len(api.of("web")) == 1
            a.withdraw(WEB)
            await asyncio.sleep(5)
            assert not api.of("web")
            assert not a.reconciler.is_reported(WEB)
            a.announce(WEB)
            await asyncio.sleep(5)
        assert len(api.of("web")) == 1
        assert api.requests == {"create": 2, "status": 2, "delete": 1}

    run_virtual(story())


def test_r29_a_service_not_announced_here_has_no_object_of_this_node():
    async def story():
        api = L2StatusApi()
        a = Speaker(api, "node-a")
        a.reconciler.touch(WEB)
        async with running(a):
            await asyncio.sleep(5)
        assert not api.requests

    run_virtual(story())


def test_own_leftovers_are_deleted_at_start_and_true_ones_adopted():
    async def story():
        api = L2StatusApi()
        a = Speaker(api, "node-a")
        api.seed("node-a", "gone")
        kept = api.seed("node-a", "web", owners=["uid-pod-before"])
        api.seed("node-b", "mail")
        await asyncio.sleep(1)
        a.announce(WEB)
        async with running(a):
            await asyncio.sleep(10)
        assert not api.of("gone")
        assert [obj["metadata"]["name"] for obj in api.of("web")] == [kept]
        assert api.of("web")[0]["metadata"]["ownerReferences"][0]["uid"] == "uid-pod-node-a"
        assert len(api.of("mail")) == 1
        assert api.requests == {"delete": 1, "metadata": 1}

    run_virtual(story())


@pytest.mark.parametrize(
    ("edit", "writes"),
    [
        ({"status": {"interfaces": [{"name": "eth9"}]}}, {"status": 1}),
        ({"status": None}, {"status": 1}),
        ({"metadata": {"ownerReferences": []}}, {"metadata": 1}),
        ({"metadata": {"labels": {"metallb.io/node": None}}}, {"metadata": 1}),
        # as if another Service's: it is wrong there, and missing here
        (
            {"metadata": {"labels": {"metallb.io/service-name": "mail"}}},
            {"delete": 1, "create": 1, "status": 1},
        ),
    ],
)
def test_what_others_change_is_put_right(edit, writes):
    async def story():
        api = L2StatusApi()
        a = Speaker(api, "node-a")
        a.announce(WEB)
        async with running(a):
            await asyncio.sleep(5)
            api.requests.clear()
            (obj,) = api.of("web")
            true = {**obj, "metadata": {**obj["metadata"], "resourceVersion": ""}}
            api.edit(obj["metadata"]["name"], edit)
            await asyncio.sleep(5)
            assert api.requests == writes
            (obj,) = api.of("web")
            assert obj["status"] == true["status"]
            assert obj["metadata"]["labels"] == true["metadata"]["labels"]
            assert obj["metadata"]["ownerReferences"] == true["metadata"]["ownerReferences"]
            assert not api.of("mail")

    run_virtual(story())


def test_what_others_delete_is_made_again_and_what_they_add_goes():
    async def story():
        api = L2StatusApi()
        a = Speaker(api, "node-a")
        a.announce(WEB)
        async with running(a):
            await asyncio.sleep(5)
            api.remove(api.of("web")[0]["metadata"]["name"])
            await asyncio.sleep(5)
            assert len(api.of("web")) == 1
            api.seed("node-a", "web")
            api.seed("node-b", "web")
            await asyncio.sleep(5)
        assert [obj["status"]["node"] for obj in api.of("web")] == ["node-a"]

    run_virtual(story())


def test_two_nodes_that_both_announce_undo_each_other_slowly():
    async def story():
        api = L2StatusApi()
        a, b = Speaker(api, "node-a"), Speaker(api, "node-b")
        a.announce(WEB)
        b.announce(WEB)
        async with running(a, b):
            await asyncio.sleep(60)
        # each makes one change of owner, three writes, in each PATIENCE_S
        assert api.requests.total() <= 6 * 60 / PATIENCE_S

    run_virtual(story())


def test_an_object_gone_under_the_pass_is_no_error():
    async def story():
        api = L2StatusApi(lag_s=5.0)
        a = Speaker(api, "node-a")
        for service in ("web", "mail"):
            api.seed("node-a", service, interfaces=[{"name": "eth9"}])
        await asyncio.sleep(6)
        a.announce(WEB)
        for service in ("web", "mail"):
            api.remove(api.of(service)[0]["metadata"]["name"])
        async with running(a):
            await asyncio.sleep(60)
        # the patches and the delete of what was gone, and what stands in for it
        assert api.requests["missed"] == 2
        assert api.requests["create"] == 1
        assert len(api.of("web")) == 1
        assert not api.of("mail")

    run_virtual(story())


def test_a_failed_write_is_tried_again():
    async def story():
        api = L2StatusApi()
        api.failures = [ServerError("busy", code=500), UnreachableError("no answer")]
        a = Speaker(api, "node-a")
        a.announce(WEB)
        async with running(a):
            await asyncio.sleep(60)
        assert api.of("web")[0]["status"]["node"] == "node-a"
        assert api.requests == {"create": 3, "status": 1}

    run_virtual(story())


def test_a_node_whose_roles_do_not_allow_it_asks_seldom():
    async def story():
        api = L2StatusApi()
        refusal = ForbiddenError("no")
        refusal.right = Right(group="metallb.io", resource="servicel2statuses", verb="create")
        api.failures = [refusal, refusal]
        a = Speaker(api, "node-a")
        a.announce(WEB)
        async with running(a):
            await asyncio.sleep(RETRY_S * 1.5)
            assert api.requests == {"create": 2}
            await asyncio.sleep(RETRY_S)
        assert api.of("web")[0]["status"]["node"] == "node-a"

    run_virtual(story())


def test_a_cluster_without_the_resource_is_asked_seldom():
    async def story():
        api = L2StatusApi()
        api.is_defined = False
        a = Speaker(api, "node-a")
        a.announce(WEB)
        async with running(a):
            await asyncio.sleep(RETRY_S * 2.5)
            assert api.requests == {"create": 3}
            api.is_defined = True
            await asyncio.sleep(RETRY_S)
        assert len(api.of("web")) == 1

    run_virtual(story())


def test_something_that_undoes_every_write_is_not_fought_without_end():
    class Stubborn(L2StatusApi):
        """Admission takes every owner away."""

        @override
        def _put(self, name, content):
            metadata = {**content["metadata"], "ownerReferences": []}
            return super()._put(name, {**content, "metadata": metadata})

    async def story():
        api = Stubborn()
        a = Speaker(api, "node-a")
        a.announce(WEB)
        async with running(a):
            await asyncio.sleep(RETRY_S * 9.5)
        assert api.requests.total() <= 10 * MAX_WRITES

    run_virtual(story())
