"""The ConfigurationState object: created, adopted, and written only when something changes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from tests.fakes.object_api import ObjectApi, Refusal, Seen, serve_objects

from ferrolb.config import Condition, unknown_condition
from ferrolb.kube import ApiClient, ConfigurationState, ServerError, StateIdentity

pytestmark = pytest.mark.anyio

COLLECTION = "/apis/metallb.io/v1beta1/namespaces/metallb-system/configurationstates"
OBJECT = COLLECTION + "/controller"
CONTROLLER = StateIdentity.for_controller(
    "metallb-system", owner_name="controller-abc", owner_uid="p-1"
)
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "controller-abc", "uid": "p-1"}
OK = Condition(type="poolReconcilerValid", is_true=True, reason="Reconciled")


def bad(text: str, kind: str = "poolReconcilerValid") -> Condition:
    return Condition(
        type=kind,
        is_true=False,
        reason="ConfigurationError",
        message=f"configuration error: {text}",
    )


BAD = bad('parsing pool "gold": no')


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Bench:
    def __init__(self, api: ObjectApi, client: ApiClient) -> None:
        self.api = api
        self.client = client
        self.now = 0.0
        self.state = self.restart()

    def restart(self, identity: StateIdentity = CONTROLLER) -> ConfigurationState:
        self.state = ConfigurationState(
            self.client,
            identity,
            wall=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now),
        )
        return self.state

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.api.objects[OBJECT]["status"]
        return status

    def writes(self) -> list[tuple[str, str]]:
        return self.api.requests("POST", "PUT", "PATCH", "DELETE")

    async def report(self, *conditions: Condition, manager: str = "poolReconciler") -> None:
        await self.state.report(manager, conditions)


@asynccontextmanager
async def bench_() -> AsyncIterator[Bench]:
    async with serve_objects() as (api, client):
        yield Bench(api, client)


def condition(status: str, reason: str, message: str = "", at: str = "00:00:00") -> dict[str, str]:
    return {
        "type": "poolReconcilerValid",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": f"2026-01-01T{at}Z",
    }


async def test_a_missing_object_is_created_with_labels_and_owner() -> None:
    async with bench_() as bench:
        assert await bench.state.ensure()
        assert bench.api.requests() == [
            ("GET", OBJECT),
            ("POST", COLLECTION),
            ("PATCH", OBJECT + "/status"),
        ]
        assert bench.status == {"result": "Unknown", "errorSummary": ""}
        assert bench.api.seen[1].body == {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "ConfigurationState",
            "metadata": {
                "namespace": "metallb-system",
                "name": "controller",
                "labels": {"metallb.io/component-type": "controller"},
                "ownerReferences": [OWNER],
            },
        }


async def test_an_object_that_is_there_is_left_alone() -> None:
    async with bench_() as bench:
        await bench.state.ensure()
        before = bench.writes()
        await bench.restart().ensure()
        assert bench.writes() == before


async def test_the_object_of_an_earlier_pod_is_adopted() -> None:
    async with bench_() as bench:
        await bench.state.ensure()
        later = StateIdentity.for_controller(
            "metallb-system", owner_name="controller-xyz", owner_uid="p-2"
        )
        await bench.restart(later).ensure()
        owner = {"apiVersion": "v1", "kind": "Pod", "name": "controller-xyz", "uid": "p-2"}
        assert bench.api.seen[-1].body == {"metadata": {"ownerReferences": [owner]}}
        assert bench.api.objects[OBJECT]["metadata"]["ownerReferences"] == [owner]


async def test_an_object_whose_owner_may_not_be_changed_is_written_all_the_same() -> None:
    async with bench_() as bench:
        await bench.state.ensure()
        later = StateIdentity.for_controller(
            "metallb-system", owner_name="controller-xyz", owner_uid="p-2"
        )
        text = "cannot set an ownerRef on a resource you can't delete"
        bench.api.refuse = lambda seen: (
            Refusal(403, "Forbidden", text)
            if (seen.method, seen.path) == ("PATCH", OBJECT)
            else None
        )
        state = bench.restart(later)
        assert await state.report("poolReconciler", [OK])
        assert bench.status["result"] == "Valid"
        assert bench.api.objects[OBJECT]["metadata"]["ownerReferences"] == [OWNER]


async def test_without_the_right_to_write_the_state_that_is_returned() -> None:
    async with bench_() as bench:
        bench.api.refuse = lambda seen: Refusal(403, "Forbidden")
        assert not await bench.state.report("poolReconciler", [OK])
        bench.api.refuse = lambda seen: None
        assert await bench.state.report("poolReconciler", [OK])


async def test_without_a_pod_there_is_no_owner_and_no_adoption() -> None:
    async with bench_() as bench:
        nobody = StateIdentity.for_controller("metallb-system")
        await bench.restart(nobody).ensure()
        before = bench.writes()
        assert "ownerReferences" not in bench.api.objects[OBJECT]["metadata"]
        bench.api.objects[OBJECT]["metadata"]["ownerReferences"] = [OWNER]
        await bench.restart(nobody).ensure()
        assert bench.writes() == before


async def test_an_object_created_by_another_at_the_same_time_is_used() -> None:
    async with bench_() as bench:

        def interfere(seen: Seen) -> None:
            if seen.method == "POST":
                bench.api.put(OBJECT, {"metadata": {"name": "controller"}})

        bench.api.before = interfere
        assert await bench.state.ensure()
        assert bench.api.requests()[:3] == [
            ("GET", OBJECT),
            ("POST", COLLECTION),
            ("GET", OBJECT),
        ]
        await bench.report(OK)
        assert bench.status["result"] == "Valid"


@pytest.mark.parametrize("node", ["node-1", "n" * 63])
def test_the_object_of_a_speaker_names_its_node(node: str) -> None:
    identity = StateIdentity.for_speaker("metallb-system", node=node)
    assert identity.name == f"speaker-{node}"
    assert identity.labels == {
        "metallb.io/component-type": "speaker",
        "metallb.io/node-name": node,
    }


def test_a_node_name_too_long_for_a_label_is_left_out_of_the_labels() -> None:
    identity = StateIdentity.for_speaker("metallb-system", node="n" * 64)
    assert identity.labels == {"metallb.io/component-type": "speaker"}


async def test_a_condition_is_applied_under_its_manager_and_summed_up() -> None:
    async with bench_() as bench:
        await bench.report(BAD)
        apply, summary = bench.api.seen[-2:]
        assert (apply.method, apply.path) == ("PATCH", OBJECT + "/status")
        assert apply.content_type == "application/apply-patch+yaml"
        assert apply.query == {"fieldManager": ["poolReconciler"], "force": ["true"]}
        message = 'configuration error: parsing pool "gold": no'
        found = condition("False", "ConfigurationError", message)
        assert apply.body == {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "ConfigurationState",
            "metadata": {"namespace": "metallb-system", "name": "controller"},
            "status": {"conditions": [found]},
        }
        assert (summary.method, summary.path) == ("PATCH", OBJECT + "/status")
        assert summary.content_type == "application/merge-patch+json"
        assert summary.body == {"status": {"result": "Invalid", "errorSummary": message}}
        assert bench.status == {
            "conditions": [found],
            "result": "Invalid",
            "errorSummary": message,
        }


async def test_a_valid_configuration_has_an_empty_summary() -> None:
    async with bench_() as bench:
        await bench.report(OK)
        assert bench.status == {
            "conditions": [condition("True", "Reconciled")],
            "result": "Valid",
            "errorSummary": "",
        }


async def test_the_same_finding_again_costs_no_request() -> None:
    async with bench_() as bench:
        await bench.report(BAD)
        before = len(bench.api.seen)
        bench.now += 60
        await bench.report(BAD)
        assert len(bench.api.seen) == before


async def test_the_same_finding_after_a_restart_costs_no_write() -> None:
    async with bench_() as bench:
        await bench.report(BAD)
        before = bench.writes()
        bench.now += 60
        bench.restart()
        await bench.report(BAD)
        assert bench.writes() == before


async def test_transition_time_moves_only_with_the_status() -> None:
    async with bench_() as bench:
        await bench.report(BAD)
        bench.now += 60
        await bench.report(bad("other"))
        (other,) = bench.status["conditions"]
        assert other == condition("False", "ConfigurationError", "configuration error: other")
        bench.now += 60
        await bench.report(OK)
        assert bench.status["conditions"] == [condition("True", "Reconciled", at="00:02:00")]


async def test_a_field_of_the_condition_that_is_not_ours_causes_no_write() -> None:
    async with bench_() as bench:
        await bench.report(OK)
        bench.status["conditions"][0]["observedGeneration"] = 3
        before = bench.writes()
        bench.restart()
        await bench.report(OK)
        assert bench.writes() == before


async def test_an_unknown_error_is_no_invalid_configuration() -> None:
    async with bench_() as bench:
        await bench.report(unknown_condition("poolReconcilerValid", "listing pools failed"))
        (found,) = bench.status["conditions"]
        assert found == condition("False", "UnknownError", "listing pools failed")
        assert (bench.status["result"], bench.status["errorSummary"]) == ("Valid", "")


async def test_conditions_of_several_managers_are_summed_up_together() -> None:
    async with bench_() as bench:
        await bench.report(BAD)
        second = bad("second", "configReconcilerValid")
        await bench.report(second, manager="configReconciler")
        third = Condition(type="third", is_true=True, reason="Reconciled")
        await bench.report(third, manager="third")
        first = 'configuration error: parsing pool "gold": no'
        assert bench.status["result"] == "Invalid"
        assert bench.status["errorSummary"] == f"{first}\nconfiguration error: second"
        await bench.report(OK)
        assert bench.status["errorSummary"] == "configuration error: second"


async def test_a_summary_that_was_not_written_is_written_at_the_next_report() -> None:
    async with bench_() as bench:
        await bench.state.ensure()
        bench.api.refuse = lambda seen: (
            Refusal(500) if seen.content_type.startswith("application/merge") else None
        )
        with pytest.raises(ServerError):
            await bench.report(BAD)
        bench.api.refuse = lambda seen: None
        await bench.report(BAD)
        assert bench.status["result"] == "Invalid"


async def test_a_deleted_object_is_created_again_by_the_next_report() -> None:
    async with bench_() as bench:
        await bench.report(BAD)
        bench.api.objects.clear()
        await bench.report(OK)
        assert bench.status["conditions"] == [condition("True", "Reconciled")]
        assert bench.status["result"] == "Valid"


async def test_after_forget_the_object_is_read_again() -> None:
    async with bench_() as bench:
        await bench.report(OK)
        bench.api.objects.clear()
        bench.state.forget()
        await bench.report(OK)
        assert bench.status["result"] == "Valid"


@pytest.mark.parametrize("refusal", [Refusal(404, "NotFound"), Refusal(403, "Forbidden")])
async def test_a_cluster_without_the_resource_or_the_right_is_said_once(refusal: Refusal) -> None:
    async with bench_() as bench:
        bench.api.refuse = lambda seen: refusal
        with structlog.testing.capture_logs() as logs:
            assert not await bench.state.ensure()
            await bench.report(OK)
            await bench.report(BAD)
        assert len(logs) == 1
        assert bench.api.objects == {}


@pytest.mark.parametrize("refusal", [Refusal(404, "NotFound"), Refusal(403, "Forbidden")])
async def test_a_status_that_may_not_be_written_keeps_nobody_from_work(refusal: Refusal) -> None:
    async with bench_() as bench:
        bench.api.refuse = lambda seen: refusal if seen.path.endswith("/status") else None
        with structlog.testing.capture_logs() as logs:
            await bench.report(OK)
            await bench.report(OK)
        assert len(logs) == 1


async def test_an_object_that_vanishes_and_cannot_be_created_is_given_up() -> None:
    async with bench_() as bench:
        await bench.state.ensure()
        bench.api.refuse = lambda seen: Refusal(404, "NotFound")
        with structlog.testing.capture_logs() as logs:
            await bench.report(OK)
        assert len(logs) == 1


async def test_a_failing_api_is_the_callers_business() -> None:
    async with bench_() as bench:
        bench.api.refuse = lambda seen: Refusal(500)
        with pytest.raises(ServerError):
            await bench.report(OK)
        bench.api.refuse = lambda seen: None
        await bench.report(OK)
        assert bench.status["result"] == "Valid"


@pytest.mark.parametrize(
    "content",
    [
        {"status": "nonsense"},
        {"status": {"conditions": "nonsense"}},
        {"status": {"conditions": ["nonsense", {"type": 5}]}},
        {"metadata": "nonsense"},
    ],
)
async def test_nonsense_in_the_object_is_overwritten_not_a_failure(content: dict[str, Any]) -> None:
    async with bench_() as bench:
        await bench.state.ensure()
        sent = {"metadata": {"ownerReferences": [OWNER]}, **content}
        answers = iter([sent])
        original = bench.api.answer
        bench.api.__dict__["answer"] = lambda seen: (
            (200, next(answers)) if seen.method == "GET" else original(seen)
        )
        bench.restart()
        await bench.report(OK)
        assert bench.status["result"] == "Valid"
