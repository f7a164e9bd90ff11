"""What a request names and asks for: paths, representations, parameters, discovery forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrolb.devserver.calls import MAX_QUERY_FIELDS, parse_query
from ferrolb.devserver.discovery import aggregated_version
from ferrolb.devserver.negotiation import Form, Representation, negotiate
from ferrolb.devserver.paths import ResourcePath, parse_resource_path
from ferrolb.devserver.registry import version_rank
from ferrolb.devserver.statuses import ApiError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/pods", ("", "v1", "", "pods", "", "")),
        ("/api/v1/namespaces", ("", "v1", "", "namespaces", "", "")),
        ("/api/v1/namespaces/n", ("", "v1", "", "namespaces", "n", "")),
        ("/api/v1/namespaces/n/status", ("", "v1", "", "namespaces", "n", "status")),
        ("/api/v1/namespaces/n/finalize", ("", "v1", "", "namespaces", "n", "finalize")),
        ("/api/v1/namespaces/n/pods", ("", "v1", "n", "pods", "", "")),
        ("/api/v1/namespaces/n/pods/p", ("", "v1", "n", "pods", "p", "")),
        ("/api/v1/namespaces/n/pods/p/status", ("", "v1", "n", "pods", "p", "status")),
        ("/apis/g/v1/things/t", ("g", "v1", "", "things", "t", "")),
        ("/apis/g/v1/namespaces/n/things/t/status", ("g", "v1", "n", "things", "t", "status")),
    ],
)
def test_path_names_a_resource(path, expected):
    fields = ("group", "version", "namespace", "plural", "name", "subresource")
    assert parse_resource_path(path) == ResourcePath(**dict(zip(fields, expected, strict=True)))


@pytest.mark.parametrize(
    "path",
    ["/", "/api", "/api/v1", "/apis/g", "/apis/g/v1", "/healthz", "/api/v1//pods",
     "/api/v1/namespaces/n/pods/p/a/b", "/api/v1/pods/p/a/b/c/d/e/f/g/h/i/j/k"],
)  # fmt: skip
def test_path_that_names_none(path):
    assert parse_resource_path(path) is None


@given(st.text(max_size=200))
def test_any_path_is_read(path):
    parse_resource_path(path)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Representation()),
        ("*/*", Representation()),
        ("application/json", Representation()),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
         Representation(Form.TABLE)),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io",
         Representation(Form.TABLE, "v1beta1")),
        ("application/json;as=Table;v=v9;g=meta.k8s.io, application/json", Representation()),
        ("application/vnd.kubernetes.protobuf, application/json;q=0.5", Representation()),
        ("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
         Representation(Form.METADATA)),
        ("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
         Representation(Form.METADATA_LIST)),
    ],
)  # fmt: skip
def test_first_representation_that_can_be_served(accept, expected):
    assert negotiate(accept) == expected


@pytest.mark.parametrize(
    "accept", ["application/vnd.kubernetes.protobuf", "text/html", "application/json;as=Nothing"]
)
def test_no_representation(accept):
    with pytest.raises(ApiError) as caught:
        negotiate(accept)
    assert caught.value.refusal.code == 406


_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        (_AGGREGATED.format("v2") + "," + _AGGREGATED.format("v2beta1"), "v2"),
        (_AGGREGATED.format("v2beta1") + ",application/json", "v2beta1"),
        ("application/json," + _AGGREGATED.format("v2"), "v2"),
        (_AGGREGATED.format("v3") + ",application/json", None),
        ("", None),
    ],
)
def test_form_of_discovery(accept, version):
    assert aggregated_version(accept) == version


def test_versions_are_ranked_as_the_api_ranks_them():
    ranked = ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "foo1", "foo10"]
    shuffled = sorted(ranked)
    assert shuffled != ranked
    assert sorted(shuffled, key=version_rank) == ranked


def test_query_keeps_the_first_of_each_name_and_has_a_limit():
    assert parse_query(b"a=1&a=2&b=&c=%20x") == {"a": "1", "b": "", "c": " x"}
    with pytest.raises(ApiError):
        parse_query(b"&".join(b"a=1" for _ in range(MAX_QUERY_FIELDS + 1)))
