"""Requests for ServiceL2Status: what exactly is sent, and what comes of each answer."""

import json

import pytest
from prometheus_client import CollectorRegistry
from tests.fakes.api_server import Answer, FakeApi, status

from ferrolb.kube import (
    Access,
    AlreadyExistsError,
    ApiClient,
    BadAnswerError,
    ForbiddenError,
    InvalidError,
    L2StatusContent,
    L2StatusLabels,
    L2StatusWriter,
    PodOwner,
    decode_l2_status,
)
from ferrolb.model import ServiceKey
from ferrolb.telemetry import ClientMetrics

pytestmark = pytest.mark.anyio

PATH = "/apis/metallb.io/v1beta1/namespaces/metallb-system/servicel2statuses"
LABELS = L2StatusLabels(node="node-a", service="web", namespace="shop")
OWNER = PodOwner("speaker-1", "uid-pod")
LABELS_JSON = {
    "metallb.io/node": "node-a",
    "metallb.io/service-name": "web",
    "metallb.io/service-namespace": "shop",
}
OWNERS_JSON = [{"apiVersion": "v1", "kind": "Pod", "name": "speaker-1", "uid": "uid-pod"}]
CONTENT = {
    "metadata": {
        "name": "l2-abcde",
        "namespace": "metallb-system",
        "uid": "uid-1",
        "resourceVersion": "7",
        "labels": {**LABELS_JSON, "other": "one"},
        "ownerReferences": OWNERS_JSON,
    },
    "status": {
        "node": "node-a",
        "serviceName": "web",
        "serviceNamespace": "shop",
        "interfaces": [{"name": "eth0"}, {"name": "eth1"}],
    },
}
BODY = json.dumps(CONTENT).encode()
OBJ = decode_l2_status(BODY)


class Bench:
    def __init__(self, api):
        self.api = api
        self.registry = CollectorRegistry()
        self.client = ApiClient(Access(server=api.url))
        self.writer = L2StatusWriter(
            self.client, namespace="metallb-system", metrics=ClientMetrics(self.registry)
        )

    @property
    def asked(self):
        (seen,) = self.api.requests
        return seen.method, seen.path, json.loads(seen.body)

    def counted(self, outcome):
        labels = {"resource": "servicel2statuses", "outcome": outcome}
        return self.registry.get_sample_value("ferrolb_api_writes_total", labels)


@pytest.fixture
async def bench(api: FakeApi):
    one = Bench(api)
    async with one.client:
        yield one


def test_decoding_keeps_identity_labels_owners_and_status():
    assert OBJ.key == ServiceKey("shop", "web")
    assert OBJ.labels == LABELS
    assert OBJ.owners == ("uid-pod",)
    assert OBJ.status == L2StatusContent("node-a", "web", "shop", ("eth0", "eth1"))
    assert OBJ.status.key == ServiceKey("shop", "web")


@pytest.mark.parametrize("missing", LABELS_JSON)
def test_an_object_without_one_of_the_labels_belongs_to_no_service(missing):
    labels = {name: value for name, value in LABELS_JSON.items() if name != missing}
    found = decode_l2_status(json.dumps({"metadata": {"name": "x", "labels": labels}}).encode())
    assert (found.labels, found.key) == (None, None)


def test_an_object_just_created_has_no_status():
    found = decode_l2_status(b'{"metadata":{"name":"x"}}')
    assert (found.labels, found.owners, found.status) == (None, (), L2StatusContent())


async def test_create_leaves_the_name_to_the_server_and_the_status_to_the_next_request(bench):
    bench.api.answer_next("write", Answer(status=201, body=BODY))
    assert await bench.writer.create(LABELS, OWNER) == OBJ
    assert bench.asked == (
        "POST",
        PATH,
        {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "ServiceL2Status",
            "metadata": {
                "generateName": "l2-",
                "namespace": "metallb-system",
                "labels": LABELS_JSON,
                "ownerReferences": OWNERS_JSON,
            },
        },
    )
    assert bench.counted("ok") == 1


async def test_without_a_pod_there_is_no_owner(bench):
    bench.api.answer_next("write", Answer(status=201, body=BODY))
    await bench.writer.create(LABELS, None)
    assert "ownerReferences" not in bench.asked[2]["metadata"]


async def test_the_status_is_a_merge_patch_of_that_very_object(bench):
    bench.api.answer_next("write", Answer(body=BODY))
    wanted = L2StatusContent("node-a", "web", "shop", ("eth0", "eth1"))
    assert await bench.writer.patch_status(OBJ, wanted) == OBJ
    assert bench.asked == (
        "PATCH",
        f"{PATH}/l2-abcde/status",
        {"metadata": {"uid": "uid-1"}, "status": CONTENT["status"]},
    )


async def test_all_interfaces_take_the_list_away(bench):
    bench.api.answer_next("write", Answer(body=BODY))
    await bench.writer.patch_status(OBJ, L2StatusContent("node-a", "web", "shop"))
    assert bench.asked[2]["status"]["interfaces"] is None


async def test_labels_and_owner_are_one_merge_patch(bench):
    bench.api.answer_next("write", Answer(body=BODY))
    assert await bench.writer.patch_metadata(OBJ, LABELS, OWNER) == OBJ
    assert bench.asked == (
        "PATCH",
        f"{PATH}/l2-abcde",
        {"metadata": {"uid": "uid-1", "labels": LABELS_JSON, "ownerReferences": OWNERS_JSON}},
    )


async def test_delete_names_the_uid(bench):
    assert await bench.writer.delete(OBJ) is True
    method, path, body = bench.asked
    assert (method, path) == ("DELETE", f"{PATH}/l2-abcde")
    assert body["preconditions"] == {"uid": "uid-1"}
    assert bench.counted("ok") == 1


@pytest.mark.parametrize("answer", [status(404, "NotFound"), status(409, "Conflict")])
async def test_gone_is_a_value(bench, answer):
    bench.api.answer_next("write", answer, answer, answer, answer)
    assert await bench.writer.delete(OBJ) is False
    assert await bench.writer.patch_status(OBJ, OBJ.status) is None
    assert await bench.writer.patch_metadata(OBJ, LABELS, OWNER) is None
    assert await bench.writer.create(LABELS, OWNER) is None
    assert bench.counted("gone") == 4


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (status(403, "Forbidden"), ForbiddenError),
        (status(409, "AlreadyExists"), AlreadyExistsError),
        (status(422, "Invalid", "Value is immutable"), InvalidError),
        (Answer(body=b"[]"), BadAnswerError),
    ],
)
async def test_other_failures_are_raised(bench, answer, error):
    bench.api.answer_next("write", answer)
    with pytest.raises(error):
        await bench.writer.create(LABELS, OWNER)
