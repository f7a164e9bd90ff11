"""In which order a write is checked, and what is asked for with it."""

from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.reading import assert_status
from tests.contract.waiting import wait_for
from tests.contract.writing import (
    APPLY,
    HOLD,
    JSON,
    MERGE,
    POOL,
    Objects,
    causes,
    config_maps,
    pools,
)

MISSING = "no-such-namespace"
UNRECOGNIZED = "the object provided is unrecognized (must be of type {}): "
JSON_ERROR = "couldn't get version/kind; json parse error: "
GO_HEADER = (
    'Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
    'Kind string "json:\\"kind,omitempty\\"" }'
)


@pytest.fixture(scope="module")
def space(api: ApiServer) -> str:
    return api.new_namespace()


@pytest.fixture(scope="module")
def maps(api: ApiServer, space: str) -> Objects:
    return config_maps(api, space)


@pytest.fixture(scope="module")
def terminating(api: ApiServer) -> str:
    """A namespace that is held while it is deleted."""
    namespace = api.new_namespace()
    maps = config_maps(api, namespace)
    maps.made("held", metadata={"finalizers": [HOLD]})
    assert api.http.delete(f"/api/v1/namespaces/{namespace}").status_code == 200
    wait_for(lambda: "deletionTimestamp" in maps.get("held")["metadata"])
    return namespace


@pytest.fixture
def name(api: ApiServer) -> str:
    return api.new_name("o")


# --- who, where, what


def test_who_asks_is_the_first_question(api: ApiServer) -> None:
    with api.client("no-such-token") as stranger:
        answer = stranger.post(f"/api/v1/namespaces/{MISSING}/configmaps", content=b"{")
    assert_status(answer, 401, "Unauthorized")


def test_a_url_is_looked_at_before_its_body(api: ApiServer, space: str) -> None:
    answer = api.http.post(f"/api/v1/namespaces/{space}/nothings", content=b"{")
    assert_status(answer, 404, "NotFound")


def test_parameters_are_looked_at_before_the_body(maps: Objects) -> None:
    answer = maps.api.http.post(maps.path, content=b"{", params={"dryRun": "Some"})
    assert_status(answer, 422, "Invalid")


def test_a_body_is_read_before_its_namespace_is_looked_for(api: ApiServer) -> None:
    maps = config_maps(api, MISSING)
    answer = maps.post({"metadata": {"name": "x"}, "bogus": 1}, fieldValidation="Strict")
    assert_status(answer, 400, "BadRequest")


@pytest.mark.parametrize("is_custom", [False, True], ids=["built_in", "custom"])
def test_a_namespace_is_looked_for_before_the_object_is_checked(
    api: ApiServer, is_custom: bool
) -> None:
    objects = pools(api, MISSING) if is_custom else config_maps(api, MISSING)
    status = assert_status(objects.post({"metadata": {"name": "X_"}}), 404, "NotFound")
    assert status["message"] == f'namespaces "{MISSING}" not found'


@pytest.mark.parametrize(
    ("is_custom", "members"),
    [(False, {}), (False, {"metadata": {"name": "X_"}}), (True, POOL), (True, {"spec": {}})],
    ids=["built_in", "built_in_invalid", "custom", "custom_invalid"],
)
def test_nothing_is_made_in_a_namespace_that_goes(
    api: ApiServer, terminating: str, is_custom: bool, members: Any
) -> None:
    objects = pools(api, terminating) if is_custom else config_maps(api, terminating)
    answer = objects.post({"metadata": {"name": "x"}, **members})
    status = assert_status(answer, 403, "Forbidden")
    (cause,) = status["details"]["causes"]
    assert cause == {
        "reason": "NamespaceTerminating",
        "message": f"namespace {terminating} is being terminated",
        "field": "metadata.namespace",
    }


def test_an_apply_makes_nothing_there_either(api: ApiServer, terminating: str) -> None:
    answer = config_maps(api, terminating).apply("new", "one")
    assert_status(answer, 403, "Forbidden")


def test_what_is_in_a_namespace_that_goes_may_be_changed(api: ApiServer, terminating: str) -> None:
    assert config_maps(api, terminating).merged("held", {"data": {"a": "b"}})["data"]


@pytest.mark.parametrize("content_type", [MERGE, JSON])
def test_a_change_does_not_look_for_the_namespace(api: ApiServer, content_type: str) -> None:
    patch: Any = {} if content_type == MERGE else []
    answer = config_maps(api, MISSING).patch("x", patch, content_type)
    status = assert_status(answer, 404, "NotFound")
    assert status["message"] == 'configmaps "x" not found'


def test_an_apply_looks_for_the_namespace(api: ApiServer) -> None:
    status = assert_status(config_maps(api, MISSING).apply("x", "one"), 404, "NotFound")
    assert status["message"] == f'namespaces "{MISSING}" not found'


def test_an_unknown_field_is_told_before_a_conflict(maps: Objects, name: str) -> None:
    made = maps.made(name)
    maps.merged(name, {"data": {"a": "b"}})
    assert_status(maps.put({**made, "bogus": 1}, fieldValidation="Strict"), 400, "BadRequest")
    assert_status(maps.put({**made, "bogus": 1}), 409, "Conflict")


def test_an_object_that_is_not_there_is_told_before_what_is_wrong_with_it(maps: Objects) -> None:
    answer = maps.put(maps.body("no-such", {"metadata": {"labels": {"-": "x"}}}))
    assert_status(answer, 404, "NotFound")


# --- bodies that are no object


@pytest.mark.parametrize("is_custom", [False, True], ids=["built_in", "custom"])
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", f"{JSON_ERROR}unexpected end of JSON input (<empty>)"),
        (b'{"a":1', f'{JSON_ERROR}unexpected end of JSON input ({{"a":1)'),
        (
            b"{bad",
            f"{JSON_ERROR}invalid character 'b' looking for beginning of object key string ({{bad)",
        ),
        (b"[]", f"{JSON_ERROR}json: cannot unmarshal array into {GO_HEADER} (5b5d)"),
        (b'"x"', f"{JSON_ERROR}json: cannot unmarshal string into {GO_HEADER} (227822)"),
        (b"5", f"{JSON_ERROR}json: cannot unmarshal number into {GO_HEADER} (35)"),
    ],
    ids=["nothing", "cut", "no_json", "list", "text", "number"],
)
def test_a_body_that_is_no_object(
    api: ApiServer, space: str, body: bytes, why: str, is_custom: bool
) -> None:
    objects = pools(api, space) if is_custom else config_maps(api, space)
    headers = {"Content-Type": "application/json"}
    answer = api.http.post(objects.path, content=body, headers=headers)
    status = assert_status(answer, 400, "BadRequest")
    assert status["message"] == UNRECOGNIZED.format(objects.identity["kind"]) + why


def test_null_is_an_object_without_fields(maps: Objects) -> None:
    headers = {"Content-Type": "application/json"}
    answer = maps.api.http.post(maps.path, content=b"null", headers=headers)
    assert_status(answer, 422, "Invalid")
    text = "Required value: name or generateName is required"
    assert causes(answer) == {("metadata.name", "FieldValueRequired", text)}


def test_yaml_that_is_none(maps: Objects) -> None:
    headers = {"Content-Type": "application/yaml"}
    answer = maps.api.http.post(maps.path, content=b"a: [", headers=headers)
    status = assert_status(answer, 400, "BadRequest")
    why = "yaml: line 1: did not find expected node content (613a205b)"
    assert status["message"] == UNRECOGNIZED.format("ConfigMap") + why


def test_yaml_to_apply_that_is_none(maps: Objects) -> None:
    answer = maps.patch("x", b"a: [", APPLY, fieldManager="one")
    status = assert_status(answer, 400, "BadRequest")
    assert status["message"] == (
        "error decoding YAML: error converting YAML to JSON: yaml: line 1: did not find expected "
        "node content"
    )


@pytest.mark.parametrize(
    ("identity", "shown", "version"),
    [
        ({"kind": "Bogus"}, 'Bogus in version "v1"', 'kind "Bogus" is registered for version "v1"'),
        (
            {"apiVersion": "v2"},
            'ConfigMap in version "v2"',
            'kind "ConfigMap" is registered for version "v2"',
        ),
        (
            {"apiVersion": "apps/v1"},
            'ConfigMap in version "v1"',
            'kind "ConfigMap" is registered for version "apps/v1"',
        ),
    ],
    ids=["kind", "version", "group"],
)
def test_a_built_in_kind_is_what_the_url_says(
    maps: Objects, identity: Any, shown: str, version: str
) -> None:
    status = assert_status(maps.post({"metadata": {"name": "x"}, **identity}), 400, "BadRequest")
    begin = f"{shown} cannot be handled as a ConfigMap: no {version} in scheme "
    assert status["message"].startswith(begin)


def test_a_built_in_kind_need_not_be_said(maps: Objects, name: str) -> None:
    answer = maps.api.http.post(maps.path, json={"metadata": {"name": name}})
    found = answer.json()
    assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")


# --- parameters


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            {"dryRun": "Some"},
            (
                "dryRun",
                "FieldValueNotSupported",
                'Unsupported value: ["Some"]: supported values: "All"',
            ),
        ),
        (
            {"fieldValidation": "strict"},
            (
                "fieldValidation",
                "FieldValueNotSupported",
                'Unsupported value: "strict": supported values: "", "Ignore", "Strict", "Warn"',
            ),
        ),
        (
            {"fieldManager": "m" * 129},
            ("fieldManager", "FieldValueTooLong", "Too long: may not be more than 128 bytes"),
        ),
        (
            {"fieldManager": "a\x01"},
            (
                "fieldManager",
                "FieldValueInvalid",
                'Invalid value: "a\\x01": invalid character U+0001 (at position 1)',
            ),
        ),
    ],
    ids=["dry_run", "field_validation", "long_manager", "manager_that_does_not_print"],
)
@pytest.mark.parametrize("verb", ["Create", "Update", "Patch"])
def test_parameters_are_checked(maps: Objects, query: Any, expected: Any, verb: str) -> None:
    body = maps.body("x", {})
    if verb == "Create":
        answer = maps.post(body, **query)
    elif verb == "Update":
        answer = maps.put(body, **query)
    else:
        answer = maps.merge("x", {}, **query)
    status = assert_status(answer, 422, "Invalid")
    assert causes(answer) == {expected}
    details = status["details"]
    assert (details["kind"], details["group"]) == (f"{verb}Options", "meta.k8s.io")
