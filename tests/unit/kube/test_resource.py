import pytest

from ferrolb.kube import DEPLOYMENTS, IP_ADDRESS_POOLS, NODES, SERVICES


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (SERVICES.path(), "/api/v1/services"),
        (SERVICES.path("ns"), "/api/v1/namespaces/ns/services"),
        (SERVICES.path("ns", "a"), "/api/v1/namespaces/ns/services/a"),
        (SERVICES.path("ns", "a", "status"), "/api/v1/namespaces/ns/services/a/status"),
        (NODES.path(name="n"), "/api/v1/nodes/n"),
        (DEPLOYMENTS.path("ns"), "/apis/apps/v1/namespaces/ns/deployments"),
        (
            IP_ADDRESS_POOLS.path("m", "p", "status"),
            "/apis/metallb.io/v1beta1/namespaces/m/ipaddresspools/p/status",
        ),
        (SERVICES.path("a/b", "../c?d"), "/api/v1/namespaces/a%2Fb/services/..%2Fc%3Fd"),
    ],
)
def test_path(path, expected):
    assert path == expected


@pytest.mark.parametrize(
    ("resource", "arguments", "message"),
    [
        (NODES, ("ns",), "not namespaced"),
        (SERVICES, (None, "a"), "needs a namespace"),
        (SERVICES, ("ns", None, "status"), "needs a name"),
        (SERVICES, ("ns", ""), "empty name"),
        (SERVICES, ("", "a"), "empty name"),
    ],
)
def test_path_that_names_no_one_thing_is_refused(resource, arguments, message):
    with pytest.raises(ValueError, match=message):
        resource.path(*arguments)


def test_api_version_as_in_objects():
    assert SERVICES.api_version == "v1"
    assert IP_ADDRESS_POOLS.api_version == "metallb.io/v1beta1"
