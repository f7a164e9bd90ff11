from datetime import UTC, datetime

import pytest

from ferrolb.apimachinery import table_format
from ferrolb.apimachinery.columns import FORMATS
from ferrolb.model import Json, JsonObject

NOW = datetime(2026, 3, 10, 12, 0, 0, tzinfo=UTC)
META: JsonObject = {"name": "web", "creationTimestamp": "2026-03-10T11:59:00Z"}


def shown(group: str, kind: str, obj: JsonObject) -> dict[str, Json]:
    """Return the cells by column name."""
    layout = table_format(group, kind)
    cells = layout.cells({"metadata": META, **obj}, NOW)
    assert len(cells) == len(layout.columns)
    return dict(zip([column.name for column in layout.columns], cells, strict=True))


def service(spec: JsonObject, *ingress: JsonObject) -> dict[str, Json]:
    status: JsonObject = {"loadBalancer": {"ingress": [*ingress]}}
    return shown("", "Service", {"spec": spec, "status": status})


def test_service_with_an_address():
    cells = service(
        {
            "type": "LoadBalancer",
            "clusterIP": "10.96.0.10",
            "ports": [
                {"port": 80, "nodePort": 30550, "protocol": "TCP"},
                {"port": 53, "protocol": "UDP"},
            ],
            "selector": {"tier": "front", "app": "web"},
        },
        {"ip": "192.168.100.5"},
    )
    assert cells == {
        "Name": "web",
        "Type": "LoadBalancer",
        "Cluster-IP": "10.96.0.10",
        "External-IP": "192.168.100.5",
        "Port(s)": "80:30550/TCP,53/UDP",
        "Age": "60s",
        "Selector": "app=web,tier=front",
    }


@pytest.mark.parametrize(
    ("spec", "ingress", "external"),
    [
        ({"type": "LoadBalancer"}, [], "<pending>"),
        ({"type": "LoadBalancer"}, [{"hostname": "lb.example"}, {}], "lb.example"),
        ({"type": "LoadBalancer"}, [{"ip": "fc00::1"}, {"ip": "10.0.0.1"}], "10.0.0.1,fc00::1"),
        (
            {"type": "LoadBalancer", "externalIPs": ["1.1.1.1"]},
            [{"ip": "9.9.9.9"}],
            "9.9.9.9,1.1.1.1",
        ),
        ({"type": "ClusterIP"}, [], "<none>"),
        ({"type": "NodePort", "externalIPs": ["1.1.1.1", "2.2.2.2"]}, [], "1.1.1.1,2.2.2.2"),
        ({"type": "ExternalName", "externalName": "example.com"}, [], "example.com"),
        ({}, [], "<unknown>"),
    ],
)
def test_external_address_of_a_service(spec, ingress, external):
    assert service(spec, *ingress)["External-IP"] == external


def test_service_without_anything():
    cells = service({"type": "ClusterIP"})
    assert (cells["Cluster-IP"], cells["Port(s)"], cells["Selector"]) == ("<none>",) * 3


@pytest.mark.parametrize(
    ("subsets", "text"),
    [
        ([], "<none>"),
        ([{"addresses": [{"ip": "10.0.0.1"}, {"ip": "fc00::1"}], "ports": [{"port": 80}]}],
         "10.0.0.1:80,[fc00::1]:80"),
        ([{"addresses": [{"ip": "10.0.0.1"}]}], "10.0.0.1"),
        ([{"addresses": [{"ip": f"10.0.0.{n}"} for n in range(5)], "ports": [{"port": 1}]}],
         "10.0.0.0:1,10.0.0.1:1,10.0.0.2:1 + 2 more..."),
    ],
)  # fmt: skip
def test_endpoints(subsets, text):
    assert shown("", "Endpoints", {"subsets": subsets})["Endpoints"] == text


def test_endpoint_slice():
    cells = shown(
        "discovery.k8s.io",
        "EndpointSlice",
        {
            "addressType": "IPv4",
            "ports": [{"port": 8080}, {"name": "dns"}, {}],
            "endpoints": [{"addresses": ["10.244.0.50"]}, {"addresses": ["10.244.0.51"]}],
        },
    )
    assert (cells["AddressType"], cells["Ports"], cells["Endpoints"]) == (
        "IPv4",
        "8080,dns,*",
        "10.244.0.50,10.244.0.51",
    )
    empty = shown("discovery.k8s.io", "EndpointSlice", {})
    assert (empty["Ports"], empty["Endpoints"]) == ("<unset>", "<unset>")


def test_event():
    cells = shown(
        "",
        "Event",
        {
            "type": "Normal",
            "reason": "IPAllocated",
            "message": ' Assigned IP ["10.0.0.1"]\n',
            "involvedObject": {"kind": "Service", "name": "web", "fieldPath": "spec"},
            "source": {"component": "metallb-controller", "host": "n1"},
            "firstTimestamp": "2026-03-10T11:00:00Z",
            "lastTimestamp": "2026-03-10T11:58:00Z",
            "count": 3,
        },
    )
    assert cells == {
        "Last Seen": "2m",
        "Type": "Normal",
        "Reason": "IPAllocated",
        "Object": "service/web",
        "Subobject": "spec",
        "Source": "metallb-controller, n1",
        "Message": 'Assigned IP ["10.0.0.1"]',
        "First Seen": "60m",
        "Count": 3,
        "Name": "web",
    }


def test_event_written_in_the_newer_way():
    cells = shown(
        "events.k8s.io",
        "Event",
        {
            "eventTime": "2026-03-10T11:00:00.000000Z",
            "note": "note",
            "regarding": {"kind": "Node"},
            "reportingController": "c",
            "series": {"count": 4, "lastObservedTime": "2026-03-10T11:59:30.000000Z"},
        },
    )
    assert (cells["Last Seen"], cells["First Seen"], cells["Count"]) == ("30s", "60m", 5)
    assert (cells["Object"], cells["Message"], cells["Source"]) == ("node", "note", "c")


def test_event_without_count_happened_once():
    cells = shown("", "Event", {"eventTime": "2026-03-10T11:00:00.000000Z"})
    assert (cells["Last Seen"], cells["Count"]) == ("60m", 1)


@pytest.mark.parametrize(
    ("group", "kind", "obj", "column", "cell"),
    [
        ("", "Namespace", {"status": {"phase": "Active"}}, "Status", "Active"),
        ("", "Secret", {"type": "Opaque", "data": {"a": "", "b": ""}}, "Data", 2),
        ("", "Secret", {"type": "Opaque"}, "Type", "Opaque"),
        ("", "ConfigMap", {"data": {"a": ""}, "binaryData": {"b": ""}}, "Data", 2),
        ("", "ServiceAccount", {"secrets": [{}]}, "Secrets", 1),
        ("coordination.k8s.io", "Lease", {"spec": {"holderIdentity": "a"}}, "Holder", "a"),
        (
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            {},
            "Created At",
            "2026-03-10T11:59:00Z",
        ),
        ("example.com", "Unknown", {}, "Age", "60s"),
    ],
)
def test_small_kinds(group, kind, obj, column, cell):
    assert shown(group, kind, obj)[column] == cell


@pytest.mark.parametrize("value", [{}, [], "text", 3, None, True])
def test_every_kind_survives_an_object_with_nothing_right(value):
    assert len(FORMATS) == 15
    names = ("spec", "status", "ports", "subsets", "metadata", "series", "source", "type")
    obj: JsonObject = dict.fromkeys(names, value)
    for (group, kind), layout in FORMATS.items():
        assert len(layout.cells(obj, NOW)) == len(layout.columns), (group, kind)


def test_deployment_and_daemon_set():
    template: JsonObject = {
        "spec": {
            "containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "i:2"}],
            "nodeSelector": {"os": "linux"},
        }
    }
    selector: JsonObject = {
        "matchLabels": {"b": "1"},
        "matchExpressions": [
            {"key": "a", "operator": "In", "values": ["y", "x"]},
            {"key": "c", "operator": "NotIn", "values": ["z"]},
            {"key": "d", "operator": "Exists"},
            {"key": "e", "operator": "DoesNotExist"},
        ],
    }
    cells = shown(
        "apps",
        "Deployment",
        {
            "spec": {"replicas": 3, "template": template, "selector": selector},
            "status": {"readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2},
        },
    )
    assert [*cells.values()][1:4] == ["2/3", 1, 2]
    assert (cells["Containers"], cells["Images"]) == ("a,b", "i:1,i:2")
    assert cells["Selector"] == "a in (x,y),b=1,c notin (z),d,!e"
    cells = shown(
        "apps",
        "DaemonSet",
        {
            "spec": {"template": template},
            "status": {"desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberReady": 2},
        },
    )
    assert [*cells.values()][1:7] == [3, 3, 2, 0, 0, "os=linux"]
    assert cells["Selector"] == "<none>"


def test_node():
    cells = shown(
        "",
        "Node",
        {
            "metadata": {
                **META,
                "labels": {
                    "node-role.kubernetes.io/control-plane": "",
                    "node-role.kubernetes.io/": "",
                    "kubernetes.io/role": "edge",
                },
            },
            "spec": {"unschedulable": True},
            "status": {
                "conditions": [
                    {"type": "MemoryPressure", "status": "False"},
                    {"type": "Ready", "status": "True"},
                ],
                "addresses": [{"type": "InternalIP", "address": "10.0.0.4"}],
                "nodeInfo": {"kubeletVersion": "v1.32.0", "osImage": "Debian"},
            },
        },
    )
    assert cells["Status"] == "Ready,SchedulingDisabled"
    assert cells["Roles"] == "control-plane,edge"
    assert (cells["Internal-IP"], cells["External-IP"]) == ("10.0.0.4", "<none>")
    assert (cells["OS-Image"], cells["Kernel-Version"]) == ("Debian", "<unknown>")


@pytest.mark.parametrize(
    ("conditions", "status"),
    [([], "Unknown"), ([{"type": "Ready", "status": "Unknown"}], "NotReady")],
)
def test_node_that_is_not_ready(conditions, status):
    cells = shown("", "Node", {"status": {"conditions": conditions}})
    assert (cells["Status"], cells["Roles"]) == (status, "<none>")


RUNNING: JsonObject = {"ready": True, "state": {"running": {}}, "restartCount": 0}
READY: list[Json] = [{"type": "Ready", "status": "True"}]


def terminated(**state: Json) -> JsonObject:
    return {"state": {"terminated": state}, "restartCount": 1}


@pytest.mark.parametrize(
    ("status", "ready", "text"),
    [
        ({"phase": "Pending"}, "0/2", "Pending"),
        ({"phase": "Failed", "reason": "Evicted"}, "0/2", "Evicted"),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}],
            },
            "0/2",
            "SchedulingGated",
        ),
        ({"phase": "Running", "containerStatuses": [RUNNING, RUNNING]}, "2/2", "Running"),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}, RUNNING]},
            "1/2",
            "ErrImagePull",
        ),
        ({"containerStatuses": [terminated(reason="Error", exitCode=1)]}, "0/2", "Error"),
        ({"containerStatuses": [terminated(exitCode=3)]}, "0/2", "ExitCode:3"),
        ({"containerStatuses": [terminated(signal=9)]}, "0/2", "Signal:9"),
        (
            {"containerStatuses": [terminated(reason="Completed"), RUNNING], "conditions": READY},
            "1/2",
            "Running",
        ),
        ({"containerStatuses": [terminated(reason="Completed"), RUNNING]}, "1/2", "NotReady"),
        ({"containerStatuses": [terminated(reason="Completed")]}, "0/2", "Completed"),
        ({"initContainerStatuses": [terminated(exitCode=0), {}]}, "0/2", "Init:1/3"),
        ({"initContainerStatuses": [terminated(exitCode=2)]}, "0/2", "Init:ExitCode:2"),
        (
            {"initContainerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
            "0/2",
            "Init:CrashLoopBackOff",
        ),
        (
            {"initContainerStatuses": [{"state": {"waiting": {"reason": "PodInitializing"}}}]},
            "0/2",
            "Init:0/3",
        ),
        (
            {
                "phase": "Running",
                "initContainerStatuses": [terminated(exitCode=0)],
                "containerStatuses": [RUNNING],
            },
            "1/2",
            "Running",
        ),
    ],
)
def test_pod_status(status, ready, text):
    spec: JsonObject = {"containers": [{}, {}], "initContainers": [{}, {}, {}]}
    cells = shown("", "Pod", {"spec": spec, "status": status})
    assert (cells["Ready"], cells["Status"]) == (ready, text)


@pytest.mark.parametrize(("reason", "text"), [("NodeLost", "Unknown"), ("", "Terminating")])
def test_pod_that_is_being_deleted(reason, text):
    metadata: JsonObject = {**META, "deletionTimestamp": "2026-03-10T11:59:00Z"}
    assert shown("", "Pod", {"metadata": metadata, "status": {"reason": reason}})["Status"] == text


def test_pod_wide_columns():
    ended: JsonObject = {"terminated": {"finishedAt": "2026-03-10T11:55:00Z"}}
    cells = shown(
        "",
        "Pod",
        {
            "spec": {
                "nodeName": "n1",
                "readinessGates": [{"conditionType": "Ready"}, {"conditionType": "Other"}],
            },
            "status": {
                "podIPs": [{"ip": "10.244.0.50"}, {"ip": "fd00::1"}],
                "conditions": READY,
                "containerStatuses": [
                    {**RUNNING, "restartCount": 2, "lastState": ended},
                    {**RUNNING, "restartCount": 1},
                ],
            },
        },
    )
    assert cells["Restarts"] == "3 (5m ago)"
    assert [*cells.values()][5:] == ["10.244.0.50", "n1", "<none>", "1/2"]
    bare = shown("", "Pod", {})
    assert [*bare.values()][5:] == ["<none>"] * 4
