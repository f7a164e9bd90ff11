"""What the schema and the rules of a custom resource refuse, fill in, drop and let pass.

Things have a field for each of it (`thing_schema.json`); the tables beside hold one case a line.
"""

import copy
import json
from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.reading import DEFINITIONS, assert_status, serve_definition
from tests.contract.waiting import wait_for
from tests.contract.writing import (
    FOLDER,
    JSON,
    MERGE,
    Objects,
    as_set,
    assert_invalid,
    cases_of,
    causes,
    config_maps,
    ids_of,
    warnings_of,
)

REFUSALS = cases_of("thing_refusals.json")
SPECS = cases_of("thing_specs.json")
SCHEMA = json.loads((FOLDER / "thing_schema.json").read_text(encoding="utf-8"))

Mode = str | None


def thing_definition(group: str, schema: Any) -> dict[str, Any]:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [version],
        },
    }


def served_things(api: ApiServer, schema: Any) -> Objects:
    """Serve Things of a group of their own; return those of a new namespace."""
    group = f"{api.new_name('things')}.example.com"
    serve_definition(api, thing_definition(group, schema))
    identity = {"apiVersion": f"{group}/v1", "kind": "Thing"}
    return Objects(api, f"/apis/{group}/v1/namespaces/{api.new_namespace()}/things", identity)


@pytest.fixture(scope="module")
def things(api: ApiServer) -> Objects:
    return served_things(api, SCHEMA)


@pytest.fixture
def name(api: ApiServer) -> str:
    return api.new_name("v")


# --- schema and rules


@pytest.mark.parametrize("case", REFUSALS, ids=ids_of(REFUSALS))
def test_refused(things: Objects, case: Any) -> None:
    answer = things.post({"metadata": {"name": "x"}, "spec": case["spec"]})
    status = assert_status(answer, 422, "Invalid")
    assert causes(answer) == as_set(case["causes"])
    group = things.identity["apiVersion"].partition("/")[0]
    assert status["message"].startswith(f'Thing.{group} "x" is invalid: ')
    details = status["details"]
    assert (details["name"], details["group"], details["kind"]) == ("x", group, "Thing")


@pytest.mark.parametrize("case", SPECS, ids=ids_of(SPECS))
def test_becomes(things: Objects, name: str, case: Any) -> None:
    assert things.made(name, spec=case["spec"])["spec"] == case["becomes"]


def test_the_tables_are_whole() -> None:
    assert (len(REFUSALS), len(SPECS)) == (76, 19)


def test_a_rule_at_the_root_sees_the_name(things: Objects) -> None:
    answer = things.post({"metadata": {"name": "forbidden"}})
    message = 'Invalid value: "object": this name is taken'
    assert_invalid(answer, ("<nil>", "FieldValueInvalid", message))


def test_a_number_beyond_all_integers_is_none(things: Objects) -> None:
    found = causes(things.post({"metadata": {"name": "x"}, "spec": {"least": 10**20}}))
    message = 'Invalid value: "number": spec.least in body must be of type integer: "number"'
    assert ("spec.least", "FieldValueTypeInvalid", message) in found


# --- rules about changes


@pytest.fixture
def kept(things: Objects, name: str) -> str:
    """A thing to change."""
    spec = {"fixed": "a", "once": "a", "slots": [{"key": "k", "value": 3}]}
    return str(things.made(name, spec=spec)["metadata"]["name"])


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"fixed": "b"}, "spec.fixed", 'Invalid value: "string": never changes'),
        ({"once": "b"}, "spec.once", 'Invalid value: "string": is set once'),
        (
            {"slots": [{"key": "k", "value": 2}]},
            "spec.slots[0].value",
            'Invalid value: "integer": a value never falls',
        ),
    ],
    ids=["a_field", "an_optional_field", "an_entry_of_a_map"],
)
def test_a_change_is_refused(
    things: Objects, kept: str, spec: Any, field: str, message: str
) -> None:
    assert_invalid(things.merge(kept, {"spec": spec}), (field, "FieldValueInvalid", message))


@pytest.mark.parametrize(
    "spec",
    [
        {"fixed": None},
        {"slots": [{"key": "k", "value": 4}]},
        {"slots": [{"key": "other", "value": 1}]},
    ],
    ids=["a_field_may_go", "a_value_may_rise", "another_entry_is_none_that_falls"],
)
def test_a_change_is_let_pass(things: Objects, kept: str, spec: Any) -> None:
    assert things.merge(kept, {"spec": spec}).status_code == 200


# --- a definition that becomes stricter


@pytest.fixture(scope="module")
def stricter(api: ApiServer) -> Objects:
    """Things with one named `old` that the schema would not let in any more."""
    objects = served_things(api, SCHEMA)
    slots = [{"key": "a", "value": 1}, {"key": "b", "value": 2}]
    rows = [{"name": "long", "count": 1}]
    objects.made("old", spec={"gauge": 50, "silent": 1, "slots": slots, "rows": rows})
    schema = copy.deepcopy(SCHEMA)
    spec = schema["properties"]["spec"]
    fields = spec["properties"]
    fields["gauge"]["maximum"] = 10
    fields["silent"]["x-kubernetes-validations"] = [{"rule": "self > 5"}]
    fields["slots"]["items"]["properties"]["value"]["maximum"] = 0
    fields["rows"]["items"]["properties"]["name"]["maxLength"] = 1
    fields["added"] = {"type": "string"}
    spec["required"] = ["added"]
    group = objects.identity["apiVersion"].partition("/")[0]
    place = f"{DEFINITIONS}/things.{group}"
    definition = api.http.get(place).json()
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    assert api.http.put(place, json=definition).status_code == 200
    probe = {"metadata": {"name": "probe"}, "spec": {"gauge": 50, "added": "x"}}
    wait_for(lambda: objects.post(probe, dryRun="All").status_code == 422)
    return objects


def test_what_has_not_changed_is_let_pass(stricter: Objects) -> None:
    answer = stricter.merge("old", {"metadata": {"labels": {"a": "b"}}}, dryRun="All")
    assert answer.status_code == 200
    assert warnings_of(answer) == ['spec.silent: Invalid value: "integer": failed rule: self > 5']


def test_a_field_that_is_missing_now_is_asked_for_where_its_object_changes(
    stricter: Objects,
) -> None:
    answer = stricter.merge("old", {"spec": {"plain": "x"}})
    assert ("spec.added", "FieldValueRequired", "Required value") in causes(answer)


def test_fields_beside_a_changed_one_are_let_pass(stricter: Objects) -> None:
    answer = stricter.merge("old", {"spec": {"plain": "x", "added": "x"}}, dryRun="All")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"gauge": 51}, "spec.gauge"),
        ({"rows": [{"name": "long", "count": 2}]}, "spec.rows[0].name"),
        (
            {"slots": [{"key": "a", "value": 1}, {"key": "b", "value": 3}]},
            "spec.slots[1].value",
        ),
    ],
    ids=["a_field", "an_entry_of_a_plain_list", "an_entry_of_a_map"],
)
def test_what_changes_is_checked(stricter: Objects, spec: Any, field: str) -> None:
    answer = stricter.merge("old", {"spec": {"added": "x", **spec}})
    assert_status(answer, 422, "Invalid")
    # where a type is in doubt rules are not asked, and a cause says so
    assert {found for found, _, _ in causes(answer)} - {"<nil>"} == {field}


# --- status


def test_a_status_is_checked_apart(things: Objects, name: str) -> None:
    things.made(name)
    answer = things.patch(f"{name}/status", {"status": {"count": -1}}, MERGE)
    message = "Invalid value: -1: count in body should be greater than or equal to 0"
    assert_invalid(answer, ("status.count", "FieldValueInvalid", message))


def test_a_status_has_defaults(things: Objects, name: str) -> None:
    things.made(name)
    found = things.patch(f"{name}/status", {"status": {"count": 1}}, MERGE).json()
    assert found["status"] == {"count": 1, "told": "nothing"}


# --- fields that nobody knows, and fields that are there twice


MODES: list[Mode] = [None, "Ignore", "Warn", "Strict"]


def _query(mode: Mode) -> dict[str, str]:
    return {} if mode is None else {"fieldValidation": mode}


def _post(objects: Objects, body: bytes, content_type: str, mode: Mode) -> Any:
    headers = {"Content-Type": content_type}
    return objects.api.http.post(objects.path, content=body, headers=headers, params=_query(mode))


def _check_found(answer: Any, mode: Mode, kind: str, version: str, found: set[str]) -> None:
    if mode == "Ignore":
        assert (answer.status_code, warnings_of(answer)) == (201, [])
    elif mode == "Strict":
        status = assert_status(answer, 400, "BadRequest")
        begin = f'{kind} in version "{version}" cannot be handled as a {kind}: '
        begin += "strict decoding error: "
        assert status["message"].startswith(begin)
        assert set(status["message"].removeprefix(begin).split(", ")) == found
    else:
        assert (answer.status_code, set(warnings_of(answer))) == (201, found)


@pytest.mark.parametrize("mode", MODES)
def test_fields_of_a_custom_resource(things: Objects, name: str, mode: Mode) -> None:
    body = json.dumps({**things.identity, "metadata": {"name": name, "mark": 1}})
    text = body[:-1] + ', "spec": {"least": 1, "least": 2, "bogus": 1, "rows": [{"odd": 1}]}}'
    found = {
        'duplicate field "spec.least"',
        'unknown field "metadata.mark"',
        'unknown field "spec.bogus"',
        'unknown field "spec.rows[0].odd"',
    }
    answer = _post(things, text.encode(), "application/json", mode)
    _check_found(answer, mode, "Thing", "v1", found)
    if mode != "Strict":
        assert answer.json()["spec"] == {"least": 2, "rows": [{"count": 3}]}


@pytest.mark.parametrize("mode", MODES)
def test_fields_of_a_built_in_kind(api: ApiServer, name: str, mode: Mode) -> None:
    maps = config_maps(api, "default")
    text = (
        f'{{"metadata": {{"name": "{name}", "mark": 1, "labels": {{"a": "1", "a": "2"}}}}, '
        '"data": {"k": "1", "k": "2"}, "bogus": 1}'
    )
    found = {
        'unknown field "metadata.mark"',
        'duplicate field "metadata.labels.a"',
        'duplicate field "data.k"',
        'unknown field "bogus"',
    }
    answer = _post(maps, text.encode(), "application/json", mode)
    _check_found(answer, mode, "ConfigMap", "v1", found)
    maps.delete(name)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("is_custom", [True, False], ids=["custom", "built_in"])
def test_fields_of_yaml(
    api: ApiServer, things: Objects, name: str, mode: Mode, is_custom: bool
) -> None:
    objects = things if is_custom else config_maps(api, "default")
    kind, version = objects.identity["kind"], objects.identity["apiVersion"]
    body = (
        f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n"
        "bogus: 1\nmap:\n  a: 1\n  a: 2\n"
    )
    twice = 'line 8: key "a" already set in map'
    answer = _post(objects, body.encode(), "application/yaml", mode)
    if mode == "Strict":
        twice = f"yaml: unmarshal errors:\n  {twice}"
    found = {twice, 'unknown field "bogus"', 'unknown field "map"'}
    _check_found(answer, mode, kind, version.rpartition("/")[2], found)
    objects.delete(name)


@pytest.mark.parametrize(
    ("patch", "content_type", "found"),
    [
        ({"spec": {"bogus": 1}}, MERGE, 'unknown field "spec.bogus"'),
        ([{"op": "add", "path": "/bogus", "value": 1}], JSON, 'unknown field "bogus"'),
        (b'{"spec":{"least":1,"least":2}}', MERGE, 'duplicate field "spec.least"'),
    ],
    ids=["merge", "json", "twice"],
)
def test_fields_of_a_patch(
    things: Objects, name: str, patch: Any, content_type: str, found: str
) -> None:
    things.made(name, spec={})
    answer = things.patch(name, patch, content_type, fieldValidation="Strict")
    status = assert_status(answer, 422, "Invalid")
    (cause,) = status["details"]["causes"]
    assert cause["field"] == "patch"
    assert cause["message"].endswith(f": strict decoding error: {found}")
    answer = things.patch(name, patch, content_type)
    assert (answer.status_code, warnings_of(answer)) == (200, [found])


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (
            {"name": 5},
            "json: cannot unmarshal number into Go struct field ObjectMeta.name of type string",
        ),
        (
            {"name": "x", "labels": {"a": 1}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string",
        ),
        ("x", "json: cannot unmarshal string into Go value of type v1.ObjectMeta"),
    ],
    ids=["name", "labels", "all"],
)
def test_metadata_has_types(things: Objects, metadata: Any, reason: str) -> None:
    status = assert_status(things.post({"metadata": metadata}), 400, "BadRequest")
    assert status["message"] == f'Thing in version "v1" cannot be handled as a Thing: {reason}'


def test_a_built_in_kind_has_types(api: ApiServer) -> None:
    maps = config_maps(api, "default")
    answer = maps.post({"metadata": {"name": "x"}, "data": {"a": 1}})
    status = assert_status(answer, 400, "BadRequest")
    assert status["message"] == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number '
        "into Go struct field ConfigMap.data of type string"
    )
