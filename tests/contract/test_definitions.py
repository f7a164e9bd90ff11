"""Definitions of custom resources: what is refused, and what becomes of those that are not."""

import copy
from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.reading import DEFINITIONS, assert_status, serve_definition
from tests.contract.test_validation import thing_definition
from tests.contract.waiting import wait_for
from tests.contract.writing import (
    HOLD,
    JSON,
    Objects,
    as_set,
    cases_of,
    causes,
    ids_of,
)
from tests.fakes.devserver import Kubectl

from ferrolb.apimachinery import merge_patch

REFUSALS = cases_of("definition_refusals.json")
GROUP = "definitions.example.com"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
PLAIN = {"type": "object"}
SPEC = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
}


@pytest.fixture(scope="module")
def definitions(api: ApiServer) -> Objects:
    return Objects(api, DEFINITIONS)


@pytest.fixture
def group(api: ApiServer) -> str:
    return f"{api.new_name('d')}.example.com"


def conditions_of(definition: Any) -> dict[str, tuple[str, str, str]]:
    """Return the conditions of a definition by type: status, reason, message."""
    listed = definition.get("status", {}).get("conditions") or []
    return {one["type"]: (one["status"], one["reason"], one["message"]) for one in listed}


INSTALLING = ("False", "Installing", "the initial names have been accepted")
"""Condition Established between the names' acceptance and the first request served."""


def settled(definitions: Objects, name: str) -> Any:
    """Return a definition once the server has said what it makes of its names."""

    def is_settled() -> bool:
        conditions = conditions_of(definitions.get(name))
        return "NamesAccepted" in conditions and (
            conditions.get("Established", INSTALLING) != INSTALLING
        )

    wait_for(is_settled)
    return definitions.get(name)


def things(api: ApiServer, group: str, namespace: str, version: str = "v1") -> Objects:
    identity = {"apiVersion": f"{group}/{version}", "kind": "Thing"}
    return Objects(api, f"/apis/{group}/{version}/namespaces/{namespace}/things", identity)


def two_versions(group: str) -> dict[str, Any]:
    """Return a definition with a second version that objects are not stored in."""
    definition = thing_definition(group, SPEC)
    (first,) = definition["spec"]["versions"]
    schema = {**SPEC, "description": "the second"}
    second = {**first, "name": "v2", "storage": False, "schema": {"openAPIV3Schema": schema}}
    definition["spec"]["versions"].append(second)
    return definition


@pytest.mark.parametrize("case", REFUSALS, ids=ids_of(REFUSALS))
def test_refused(definitions: Objects, case: Any) -> None:
    group = case.get("group", GROUP)
    definition: Any = thing_definition(group, PLAIN)
    definition["metadata"] |= case.get("metadata", {})
    spec: Any = merge_patch(definition["spec"], case.get("spec", {}))
    spec["versions"][0] = merge_patch(spec["versions"][0], case.get("version", {}))
    answer = definitions.post({**definition, "spec": spec}, dryRun="All")
    assert_status(answer, 422, "Invalid")
    assert causes(answer) == as_set(case["causes"])


def test_the_table_is_whole() -> None:
    assert len(REFUSALS) == 58


def _stored(first: bool, second: bool, name: str) -> Any:
    definition: Any = two_versions(GROUP)
    versions = definition["spec"]["versions"]
    versions[0]["storage"], versions[1]["storage"] = first, second
    versions[1]["name"] = name
    return definition


@pytest.mark.parametrize(
    ("definition", "field", "message"),
    [
        (
            _stored(False, False, "v2"),
            "spec.versions",
            "must have exactly one version marked as storage version",
        ),
        (
            _stored(True, True, "v2"),
            "spec.versions",
            "must have exactly one version marked as storage version",
        ),
        (_stored(True, False, "v1"), "spec.versions", "must contain unique version names"),
        (
            _stored(True, False, "V_"),
            "spec.versions[1].name",
            "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
        ),
    ],
    ids=["none_stored", "both_stored", "one_name", "bad_name"],
)
def test_versions_are_refused(
    definitions: Objects, definition: Any, field: str, message: str
) -> None:
    found = causes(definitions.post(definition, dryRun="All"))
    assert any(place == field and text.endswith(message) for place, _, text in found), found


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("self.foo", "type 'string' does not support field selection"),
        ("self", "cel expression must evaluate to a bool"),
        ("self ==", "Syntax error: mismatched input '<EOF>'"),
    ],
    ids=["wrong_type", "no_boolean", "syntax"],
)
def test_a_rule_that_does_not_compile(definitions: Objects, rule: str, message: str) -> None:
    ruled = {"type": "string", "x-kubernetes-validations": [{"rule": rule}]}
    schema = {"type": "object", "properties": {"a": ruled}}
    answer = definitions.post(thing_definition(GROUP, schema), dryRun="All")
    ((field, reason, text),) = causes(answer)
    assert field.endswith(".properties[a].x-kubernetes-validations[0].rule")
    assert (reason, message in text) == ("FieldValueInvalid", True), text


def test_a_rule_about_a_field_that_is_not_there(definitions: Objects) -> None:
    schema = {**SPEC, "x-kubernetes-validations": [{"rule": 'self.other == "x"'}]}
    answer = definitions.post(thing_definition(GROUP, schema), dryRun="All")
    ((_, _, text),) = causes(answer)
    assert "<input>:1:5: undefined field 'other'" in text


def test_a_pattern_that_is_none(definitions: Objects) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "["}}}
    ((field, _, text),) = causes(definitions.post(thing_definition(GROUP, schema), dryRun="All"))
    assert field.endswith("openAPIV3Schema.properties[a].pattern")
    begin = 'Invalid value: "[": must be a valid regular expression, but isn\'t: '
    assert text.startswith(begin)


@pytest.mark.only_on("real", "nor is the cost of rules estimated")
def test_a_rule_that_costs_too_much(definitions: Objects) -> None:
    texts = {"type": "array", "items": {"type": "string"}}
    rule = "self.all(x, self.all(y, self.all(z, x != y || y != z)))"
    ruled = {**texts, "x-kubernetes-validations": [{"rule": rule}]}
    schema = {"type": "object", "properties": {"a": ruled}}
    found = causes(definitions.post(thing_definition(GROUP, schema), dryRun="All"))
    assert any("estimated rule cost exceeds budget" in text for _, _, text in found)


# --- what becomes of a definition


def test_names_are_filled_in(definitions: Objects, group: str) -> None:
    made = definitions.made(f"things.{group}", **thing_definition(group, PLAIN))
    assert made["spec"]["names"] == {
        "plural": "things",
        "singular": "thing",
        "kind": "Thing",
        "listKind": "ThingList",
    }
    assert made["spec"]["conversion"] == {"strategy": "None"}
    assert made["metadata"]["generation"] == 1


def test_a_definition_is_established(definitions: Objects, group: str) -> None:
    definitions.made(f"things.{group}", **thing_definition(group, PLAIN))
    found = settled(definitions, f"things.{group}")
    assert conditions_of(found) == {
        "NamesAccepted": ("True", "NoConflicts", "no conflicts found"),
        "Established": ("True", "InitialNamesAccepted", "the initial names have been accepted"),
    }
    assert found["status"]["storedVersions"] == ["v1"]
    assert found["status"]["acceptedNames"] == found["spec"]["names"]


@pytest.mark.parametrize(
    ("names", "reason", "taken"),
    [
        (
            {"kind": "Thing", "plural": "others", "singular": "other"},
            "ListKindConflict",
            "ThingList",
        ),
        (
            {"kind": "Thing", "plural": "others", "singular": "other", "listKind": "OtherList"},
            "KindConflict",
            "Thing",
        ),
        (
            {"kind": "Other", "plural": "others", "shortNames": ["thing"]},
            "ShortNamesConflict",
            "thing",
        ),
        ({"kind": "Other", "plural": "others", "singular": "things"}, "SingularConflict", "things"),
    ],
    ids=["list", "kind", "short", "singular"],
)
def test_names_that_are_taken_are_not_accepted(
    api: ApiServer, definitions: Objects, group: str, names: Any, reason: str, taken: str
) -> None:
    serve_definition(api, thing_definition(group, PLAIN))
    other = thing_definition(group, PLAIN)
    other["spec"]["names"] = names
    definitions.made(f"others.{group}", **{**other, "metadata": {"name": f"others.{group}"}})
    found = settled(definitions, f"others.{group}")
    assert conditions_of(found) == {
        "NamesAccepted": ("False", reason, f'"{taken}" is already in use'),
        "Established": ("False", "NotAccepted", "not all names are accepted"),
    }
    assert found["status"]["acceptedNames"]["plural"] == "others"
    assert api.http.get(f"/apis/{group}/v1/others").status_code == 404


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"group": "other.example.com"}, "spec.group"),
        ({"scope": "Cluster"}, "spec.scope"),
        ({"names": {"plural": "others"}}, "spec.names.plural"),
        ({"names": {"kind": "Other"}}, "spec.names.kind"),
    ],
    ids=["group", "scope", "plural", "kind"],
)
def test_what_an_established_definition_keeps(
    api: ApiServer, definitions: Objects, group: str, spec: Any, field: str
) -> None:
    serve_definition(api, thing_definition(group, PLAIN))
    answer = definitions.merge(f"things.{group}", {"spec": spec})
    assert_status(answer, 422, "Invalid")
    ((found, _, message),) = causes(answer)
    assert (found, message.endswith(": field is immutable")) == (field, True)


def test_a_version_that_may_be_stored_stays(
    api: ApiServer, definitions: Objects, group: str
) -> None:
    serve_definition(api, thing_definition(group, PLAIN))
    rename = [{"op": "replace", "path": "/spec/versions/0/name", "value": "v2"}]
    answer = definitions.patch(f"things.{group}", rename, JSON)
    ((field, _, message),) = causes(answer)
    assert field == "status.storedVersions[0]"
    assert 'Invalid value: "v1": missing from spec.versions; v1 was previously' in message


def test_only_changes_of_the_spec_count(api: ApiServer, definitions: Objects, group: str) -> None:
    serve_definition(api, thing_definition(group, PLAIN))
    name = f"things.{group}"

    def generation(patch: Any) -> Any:
        return definitions.merged(name, patch)["metadata"]["generation"]

    assert generation({"metadata": {"labels": {"a": "b"}}}) == 1
    assert generation({"spec": {"scope": "Namespaced"}}) == 1
    assert generation({"spec": {"names": {"categories": ["all"]}}}) == 2


# --- versions


def test_an_object_is_shown_in_each_version(api: ApiServer, group: str, namespace: str) -> None:
    serve_definition(api, two_versions(group))
    first, second = (things(api, group, namespace, version) for version in ("v1", "v2"))
    wait_for(lambda: second.api.http.get(second.path).status_code == 200)
    made = second.made("a", spec={"a": "x"})
    assert made["apiVersion"] == f"{group}/v2"
    found = first.get("a")
    assert (found["apiVersion"], found["spec"]) == (f"{group}/v1", {"a": "x"})
    assert found["metadata"]["uid"] == made["metadata"]["uid"]


def test_a_version_may_be_served_no_longer(
    api: ApiServer, definitions: Objects, group: str, namespace: str
) -> None:
    serve_definition(api, two_versions(group))
    second = things(api, group, namespace, "v2")
    wait_for(lambda: api.http.get(second.path).status_code == 200)
    off = [{"op": "replace", "path": "/spec/versions/1/served", "value": False}]
    assert definitions.patch(f"things.{group}", off, JSON).status_code == 200
    wait_for(lambda: api.http.get(second.path).status_code == 404)
    # For a moment a server may answer 429: it takes up the changed definition.
    wait_for(lambda: api.http.get(things(api, group, namespace).path).status_code == 200)


def test_a_deprecated_version_warns(api: ApiServer, group: str, namespace: str) -> None:
    definition: Any = two_versions(group)
    definition["spec"]["versions"][1] |= {"deprecated": True}
    definition["spec"]["versions"][0] |= {"deprecated": True, "deprecationWarning": "use v3"}
    serve_definition(api, definition)
    first, second = (things(api, group, namespace, version) for version in ("v1", "v2"))
    wait_for(lambda: api.http.get(second.path).status_code == 200)
    assert api.http.get(first.path).headers["warning"] == '299 - "use v3"'
    assert api.http.get(second.path).headers["warning"] == f'299 - "{group}/v2 Thing is deprecated"'


def test_a_status_is_part_of_the_object_unless_it_is_written_apart(
    api: ApiServer, group: str, namespace: str
) -> None:
    definition: Any = thing_definition(group, PLAIN)
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    del definition["spec"]["versions"][0]["subresources"]
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    serve_definition(api, definition)
    objects = things(api, group, namespace)
    made = objects.made("a", status={"a": 1})
    assert made["status"] == {"a": 1}
    assert made["metadata"]["generation"] == 1
    assert objects.merged("a", {"status": {"a": 2}})["metadata"]["generation"] == 2
    assert objects.ask("a/status").status_code == 404


# --- the end of a definition


def test_objects_go_with_their_definition(
    api: ApiServer, definitions: Objects, group: str, namespace: str
) -> None:
    serve_definition(api, thing_definition(group, PLAIN))
    objects = things(api, group, namespace)
    objects.made("a")
    objects.made("held", metadata={"finalizers": [HOLD]})
    answer = definitions.delete(f"things.{group}")
    assert answer.status_code == 200
    metadata = answer.json()["metadata"]
    assert CLEANUP in metadata["finalizers"]
    assert metadata["deletionTimestamp"]
    wait_for(lambda: "deletionTimestamp" in objects.get("held")["metadata"])
    wait_for(lambda: objects.is_gone("a"))
    assert not definitions.is_gone(f"things.{group}")
    objects.release("held")
    definitions.wait_gone(f"things.{group}")
    wait_for(lambda: api.http.get(objects.path).status_code == 404)


def test_a_definition_may_come_back_without_its_objects(
    api: ApiServer, definitions: Objects, group: str, namespace: str
) -> None:
    definition = thing_definition(group, PLAIN)
    serve_definition(api, copy.deepcopy(definition))
    objects = things(api, group, namespace)
    objects.made("a")
    definitions.delete(f"things.{group}")
    definitions.wait_gone(f"things.{group}")
    serve_definition(api, definition)
    assert objects.is_gone("a")
    objects.made("a")


# --- by kubectl


def test_kubectl_waits_until_a_definition_is_established(
    api: ApiServer, kubectl: Kubectl, definitions: Objects, group: str
) -> None:
    definitions.made(f"things.{group}", **thing_definition(group, PLAIN))
    name = f"crd/things.{group}"
    done = kubectl("wait", "--for=condition=Established", name, "--timeout=30s")
    assert done == f"customresourcedefinition.apiextensions.k8s.io/things.{group} condition met\n"
    done = kubectl("delete", name, "--timeout=30s")
    assert done.startswith(
        f'customresourcedefinition.apiextensions.k8s.io "things.{group}" deleted'
    )
    assert definitions.is_gone(f"things.{group}")
