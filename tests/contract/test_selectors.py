"""Label and field selectors: what they select, and how those that cannot be read are refused."""

import pytest
from tests.contract.reading import Things, assert_status, config_maps


@pytest.fixture(scope="module")
def place(api):
    """Give a namespace with labelled config maps and one object of each kind that has fields."""
    namespace = api.new_namespace()
    maps = config_maps(api, namespace)
    maps.create("plain")
    maps.create("red", {"color": "red", "size": "1"})
    maps.create("blue", {"color": "blue"})
    maps.create("empty", {"color": ""})
    core = f"/api/v1/namespaces/{namespace}"
    containers = [{"name": "c", "image": "registry.example/i"}]
    pods = Things(api, f"{core}/pods")
    pods.create("here", spec={"nodeName": f"node-of-{namespace}", "containers": containers})
    pods.create("nowhere", spec={"containers": containers, "restartPolicy": "Never"})
    secrets = Things(api, f"{core}/secrets")
    secrets.create("opaque")
    secrets.create("login", type="kubernetes.io/basic-auth", stringData={"username": "u"})
    events = Things(api, f"{core}/events")
    for name in ("web", "db"):
        about = {"kind": "Service", "name": name, "namespace": namespace}
        events.create(
            f"{name}.1", involvedObject=about, reason=f"{name}Ready", type="Normal", message="m"
        )
    services = Things(api, f"{core}/services")
    services.create("inner", spec={"ports": [{"port": 80}]})
    services.create("none", spec={"clusterIP": "None", "ports": [{"port": 80}]})
    return namespace


@pytest.fixture
def maps(api, place):
    return config_maps(api, place)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param("color=red", ["red"], id="equals"),
        pytest.param("color==red", ["red"], id="double_equals"),
        pytest.param("color!=red", ["blue", "empty", "plain"], id="not_equals_takes_absent"),
        pytest.param("color in (red, blue)", ["blue", "red"], id="in"),
        pytest.param("color notin (red,blue)", ["empty", "plain"], id="notin_takes_absent"),
        pytest.param("color", ["blue", "empty", "red"], id="exists"),
        pytest.param("!color", ["plain"], id="does_not_exist"),
        pytest.param("color=", ["empty"], id="equals_nothing"),
        pytest.param("color,size", ["red"], id="all_must_hold"),
        pytest.param("color=red,size=2", [], id="one_fails"),
        pytest.param("", ["blue", "empty", "plain", "red"], id="nothing_selects_all"),
    ],
)
def test_label_selector(maps, selector, expected):
    assert maps.names(labelSelector=selector) == expected


IDENTIFIER = "unable to parse requirement: found"


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        pytest.param("a in", f"{IDENTIFIER} '' expected: '('", id="in_without_values"),
        pytest.param("a===b", f"{IDENTIFIER} '=', expected: identifier", id="three_equals"),
        pytest.param("!!", f"{IDENTIFIER} '!', expected: identifier", id="two_marks"),
        pytest.param(
            "a in (", f"{IDENTIFIER} '', expected: ',', ')' or identifier", id="open_bracket"
        ),
        pytest.param(
            "a about (b)",
            f"{IDENTIFIER} 'about', expected: in, notin, =, ==, !=, gt, lt",
            id="unknown_operator",
        ),
    ],
)
def test_label_selector_that_cannot_be_read(maps, selector, message):
    status = assert_status(maps.get(labelSelector=selector), 400, "BadRequest")
    assert status["message"] == message
    assert "details" not in status


@pytest.mark.parametrize(
    ("selector", "begin"),
    [
        pytest.param("-a=b", '<nil>: Invalid value: "-a": name part must consist of', id="key"),
        pytest.param(
            "a=%%", 'values[0][a]: Invalid value: "%%": a valid label must be', id="value"
        ),
    ],
)
def test_label_selector_of_what_is_no_label(maps, selector, begin):
    status = assert_status(maps.get(labelSelector=selector), 400, "BadRequest")
    assert status["message"].startswith(f"unable to parse requirement: {begin}")


FIELDS = [
    ("configmaps", "metadata.name=red", ["red"]),
    ("configmaps", "metadata.name!=red,metadata.name!=plain", ["blue", "empty"]),
    ("pods", "spec.nodeName=node-of-{}", ["here"]),
    ("pods", "spec.nodeName!=node-of-{}", ["nowhere"]),
    ("pods", "status.phase=Pending,spec.restartPolicy=Never", ["nowhere"]),
    ("secrets", "type=kubernetes.io/basic-auth", ["login"]),
    ("secrets", "type=Opaque", ["opaque"]),
    ("events", "involvedObject.name=web", ["web.1"]),
    ("events", "involvedObject.kind=Service,involvedObject.name=db", ["db.1"]),
    ("events", "involvedObject.namespace={},reason=webReady", ["web.1"]),
    ("events", "type=Warning", []),
    ("services", "spec.clusterIP=None", ["none"]),
    ("services", "spec.type=ClusterIP", ["inner", "none"]),
]


@pytest.mark.parametrize(
    ("plural", "selector", "expected"), FIELDS, ids=[f"{one[0]}-{one[1]}" for one in FIELDS]
)
def test_field_selector(api, place, plural, selector, expected):
    things = Things(api, f"/api/v1/namespaces/{place}/{plural}")
    assert things.names(fieldSelector=selector.format(place)) == expected


def test_field_selector_of_new_events_names_what_they_regard(api, place):
    events = Things(api, f"/apis/events.k8s.io/v1/namespaces/{place}/events")
    assert events.names(fieldSelector="regarding.name=web") == ["web.1"]
    status = assert_status(events.get(fieldSelector="involvedObject.name=web"), 400, "BadRequest")
    assert status["message"] == "field label not supported: involvedObject.name"


def test_field_selector_of_a_namespace_across_all(api, place):
    found = Things(api, "/api/v1/configmaps").listed(fieldSelector=f"metadata.namespace={place}")
    assert {item["metadata"]["namespace"] for item in found["items"]} == {place}
    assert {item["metadata"]["name"] for item in found["items"]} >= {"red", "blue"}


def test_field_selector_of_a_custom_resource_by_name(api, namespace):
    pools = Things(api, f"/apis/metallb.io/v1beta1/namespaces/{namespace}/ipaddresspools")
    for name in ("a", "b"):
        pools.made(
            {
                "apiVersion": "metallb.io/v1beta1",
                "kind": "IPAddressPool",
                "metadata": {"name": name},
                "spec": {"addresses": ["192.0.2.0/28"]},
            }
        )
    assert pools.names(fieldSelector="metadata.name=b") == ["b"]


def test_both_selectors_must_hold(maps):
    assert maps.names(labelSelector="color", fieldSelector="metadata.name!=red") == [
        "blue",
        "empty",
    ]


UNSUPPORTED = [
    ("/api/v1/pods", "field label not supported: spec.x"),
    ("/api/v1/services", "field label not supported: spec.x"),
    ("/api/v1/nodes", "field label not supported: spec.x"),
    ("/api/v1/namespaces", "field label not supported: spec.x"),
    ("/api/v1/secrets", "field label not supported: spec.x"),
    ("/api/v1/events", "field label not supported: spec.x"),
    ("/apis/metallb.io/v1beta1/ipaddresspools", "field label not supported: spec.x"),
    *(
        (
            path,
            '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
        )
        for path in (
            "/api/v1/configmaps",
            "/apis/apps/v1/deployments",
            "/apis/coordination.k8s.io/v1/leases",
        )
    ),
]


@pytest.mark.parametrize(
    ("path", "message"), UNSUPPORTED, ids=[path.rsplit("/", 1)[1] for path, _ in UNSUPPORTED]
)
def test_field_that_cannot_be_selected_by_is_a_bad_request(api, path, message):
    status = assert_status(Things(api, path).get(fieldSelector="spec.x=1"), 400, "BadRequest")
    assert status["message"] == message


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        pytest.param("red", "invalid selector: 'red'; can't understand 'red'", id="no_operator"),
        pytest.param(
            "metadata.name=a\\x",
            "invalid field selector: invalid escape sequence: \\x",
            id="unknown_escape",
        ),
    ],
)
def test_field_selector_that_cannot_be_read(maps, selector, message):
    status = assert_status(maps.get(fieldSelector=selector), 400, "BadRequest")
    assert status["message"] == message


def test_kubectl_selects_by_labels_and_fields(kubectl, place):
    words = ["get", "cm", "-n", place, "-o", "name"]
    assert kubectl(*words, "-l", "color in (red)").split() == ["configmap/red"]
    found = kubectl(*words, "--field-selector", "metadata.name=blue")
    assert found.split() == ["configmap/blue"]
