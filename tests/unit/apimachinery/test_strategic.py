import copy

import pytest
from tests.unit.apimachinery.schemas import POD_SPEC, SERVICE

from ferrolb.apimachinery import MalformedPatchError, PatchError, strategic_patch
from ferrolb.model import Json, JsonObject


def ports(*numbers: int) -> list[Json]:
    return [{"port": number} for number in numbers]


def patched_ports(current: list[Json], **patch: Json) -> Json:
    made = strategic_patch({"spec": {"ports": current}}, {"spec": {**patch}}, SERVICE)
    assert isinstance(made["spec"], dict)
    return made["spec"].get("ports")


def test_fields_merge_and_null_removes():
    made = strategic_patch(
        {"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "selector": {"a": "1"}}},
        {"spec": {"type": "LoadBalancer", "clusterIP": None, "selector": {"b": "2", "c": None}}},
        SERVICE,
    )
    assert made == {"spec": {"type": "LoadBalancer", "selector": {"a": "1", "b": "2"}}}


def test_ports_merge_by_number():
    current: list[Json] = [{"port": 80, "name": "http", "nodePort": 30001}, {"port": 443}]
    assert patched_ports(current, ports=[{"port": 80, "name": "web"}]) == [
        {"port": 80, "name": "web", "nodePort": 30001},
        {"port": 443},
    ]


def test_new_entries_go_before_those_only_the_server_has():
    assert patched_ports(ports(80, 443), ports=ports(22)) == ports(22, 80, 443)


def test_new_entry_without_nulls_and_directives():
    made = patched_ports(
        ports(80), ports=[{"port": 22, "name": None, "targetPort": {"$retainKeys": ["x"], "y": 1}}]
    )
    assert made == [{"port": 22, "targetPort": {"y": 1}}, {"port": 80}]


def test_entries_are_deleted_by_directive():
    made = patched_ports(ports(80, 443), ports=[{"$patch": "delete", "port": 80}])
    assert made == ports(443)


def test_list_is_replaced_by_directive():
    made = patched_ports(ports(80, 443), ports=[{"$patch": "replace"}, {"port": 22, "name": None}])
    assert made == ports(22)


@pytest.mark.parametrize(
    ("current", "order", "patch", "merged"),
    [
        ([80, 443], [443, 80], None, [443, 80]),
        ([80, 443], [22, 443], [22], [22, 80, 443]),
        ([80, 443, 22], [22, 80], None, [443, 22, 80]),
        ([80, 443], [443, 22], [22], [80, 443, 22]),
        ([80], [], [22], [80, 22]),
        ([80, 443], [80], [], [80, 443]),
        (None, [22, 80], [22, 80], [22, 80]),
        (None, [22], None, None),
    ],
)
def test_element_order(current, order, patch, merged):
    spec: JsonObject = {"$setElementOrder/ports": ports(*order)}
    if patch is not None:
        spec["ports"] = ports(*patch)
    target: JsonObject = {"spec": {}} if current is None else {"spec": {"ports": ports(*current)}}
    expected: JsonObject = {"spec": {}} if merged is None else {"spec": {"ports": ports(*merged)}}
    assert strategic_patch(target, {"spec": spec}, SERVICE) == expected


def test_order_with_a_deleted_entry():
    patch: list[Json] = [{"$patch": "delete", "port": 80}, {"port": 22}]
    spec: JsonObject = {"$setElementOrder/ports": ports(22), "ports": patch}
    assert patched_ports(ports(80, 443), **spec) == ports(22, 443)


def test_null_with_an_order_removes_the_list():
    assert patched_ports(ports(80), **{"$setElementOrder/ports": [], "ports": None}) is None


def test_containers_merge_by_name_and_their_ports_by_number():
    target: JsonObject = {
        "containers": [
            {"name": "a", "image": "i:1", "args": ["x", "y"], "ports": ports(80)},
            {"name": "b", "image": "j:1"},
        ]
    }
    patch: JsonObject = {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
        "containers": [{"name": "a", "image": "i:2", "args": ["z"], "ports": ports(443)}],
    }
    assert strategic_patch(target, patch, POD_SPEC) == {
        "containers": [
            {"name": "b", "image": "j:1"},
            {"name": "a", "image": "i:2", "args": ["z"], "ports": ports(443, 80)},
        ]
    }


def test_conditions_merge_by_type():
    target: JsonObject = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    patch: JsonObject = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert strategic_patch(target, patch, SERVICE) == patch


def test_duplicates_in_the_patch_meet():
    assert patched_ports([], ports=[{"port": 1, "name": "a"}, {"port": 1, "nodePort": 2}]) == [
        {"port": 1, "name": "a", "nodePort": 2}
    ]


def finalizers(current: Json, patch: JsonObject) -> Json:
    made = strategic_patch({"metadata": {"finalizers": current}}, {"metadata": patch}, SERVICE)
    assert isinstance(made["metadata"], dict)
    return made["metadata"].get("finalizers")


@pytest.mark.parametrize(
    ("patch", "merged"),
    [
        ({"finalizers": ["c"]}, ["c", "a", "b"]),
        ({"finalizers": ["b"]}, ["a", "b"]),
        ({"$deleteFromPrimitiveList/finalizers": ["a", "x"]}, ["b"]),
        (
            {
                "$setElementOrder/finalizers": ["c", "b"],
                "$deleteFromPrimitiveList/finalizers": ["a"],
                "finalizers": ["c"],
            },
            ["c", "b"],
        ),
        ({"$setElementOrder/finalizers": ["b", "a"]}, ["b", "a"]),
        ({"finalizers": None}, None),
    ],
)
def test_primitive_lists(patch, merged):
    assert finalizers(["a", "b"], patch) == merged


def test_deleting_from_a_list_that_is_not_there():
    assert strategic_patch({}, {"$deleteFromPrimitiveList/x": ["a"]}, SERVICE) == {}
    assert finalizers([{"odd": 1}, "a"], {"$deleteFromPrimitiveList/finalizers": ["a"]}) == [
        {"odd": 1}
    ]


def test_lists_without_a_strategy_are_replaced():
    target: JsonObject = {"spec": {"externalIPs": ["1.1.1.1"]}}
    patch: JsonObject = {"spec": {"externalIPs": ["2.2.2.2", {"$patch": "delete"}]}}
    assert strategic_patch(target, patch, SERVICE) == {"spec": {"externalIPs": ["2.2.2.2"]}}
    assert strategic_patch({"l": [1]}, {"l": [2]}, None) == {"l": [2]}


def test_map_directives():
    target: JsonObject = {"spec": {"type": "A", "selector": {"a": "1"}}}
    replaced = strategic_patch(
        target, {"spec": {"$patch": "replace", "type": "B", "clusterIP": None}}, SERVICE
    )
    assert replaced == {"spec": {"type": "B"}}
    assert strategic_patch(target, {"spec": {"$patch": "delete"}}, SERVICE) == {"spec": {}}
    assert strategic_patch({"spec": "x"}, {"spec": {"$patch": "delete"}}, SERVICE) == {}
    assert strategic_patch({}, {"spec": {"a": {"$patch": "delete"}, "b": 1}}, SERVICE) == {
        "spec": {"b": 1}
    }


def test_maps_with_the_replace_strategy():
    assert strategic_patch({"whole": {"a": "1"}}, {"whole": {"b": "2"}}, POD_SPEC) == {
        "whole": {"b": "2"}
    }


def test_retained_keys():
    target: JsonObject = {"strategy": {"type": "Rolling", "rollingUpdate": {"x": 1}}}
    patch: JsonObject = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert strategic_patch(target, patch, POD_SPEC) == {"strategy": {"type": "Recreate"}}
    volumes: JsonObject = {"volumes": [{"name": "v", "emptyDir": {}, "size": 1}]}
    patch = {
        "volumes": [
            {"name": "v", "$retainKeys": ["name", "secret"], "secret": {"a": 1}, "emptyDir": None}
        ]
    }
    assert strategic_patch(volumes, patch, POD_SPEC) == {
        "volumes": [{"name": "v", "secret": {"a": 1}}]
    }


def test_values_of_another_type_replace():
    assert strategic_patch({"a": {"b": 1}, "c": [1]}, {"a": [1], "c": {"d": 1}}, None) == {
        "a": [1],
        "c": {"d": 1},
    }


def test_inputs_are_left_alone():
    target: JsonObject = {"spec": {"ports": ports(80), "selector": {"a": "1"}}}
    patch: JsonObject = {"spec": {"ports": ports(443, 80), "selector": {"b": "2"}}}
    before = copy.deepcopy((target, patch))
    made = strategic_patch(target, patch, SERVICE)
    assert isinstance(made["spec"], dict)
    merged = made["spec"]["ports"]
    assert isinstance(merged, list)
    for entry in merged:
        assert isinstance(entry, dict)
        entry["name"] = "changed"
    assert (target, patch) == before


@pytest.mark.parametrize(
    "patch",
    [
        [],
        {"$retainKeys": "type"},
        {"$retainKeys": ["type"], "other": 1},
        {"$deleteFromPrimitiveList/finalizers": "a"},
        {"spec": {"$setElementOrder/ports": {}}},
    ],
)
def test_malformed_patch(patch):
    with pytest.raises(MalformedPatchError):
        strategic_patch({"spec": {"ports": ports(80)}}, patch, SERVICE)


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"$patch": "merge"}, "unknown patch type: merge in map: map[$patch:merge]"),
        ({"ports": [{"name": "x"}]}, "does not contain declared merge key: port"),
        ({"ports": [{"$patch": "delete"}]}, "does not contain declared merge key: port"),
        ({"ports": [{"$patch": "merge", "port": 1}]}, "merging lists cannot yet"),
        ({"ports": [{"$patch": "guess", "port": 1}]}, "unknown patch type: guess"),
        ({"ports": [1]}, "list element types are not identical"),
        ({"ports": [{"port": []}]}, "lists of lists are not supported"),
        ({"ports": [{"port": {}}]}, "matched by a value that is a map"),
        ({"$setElementOrder/ports": [{"port": 443}], "ports": [{"port": 80}]}, "the order in"),
        ({"$setElementOrder/ports": [], "ports": {}}, "expected a list for 'ports'"),
        ({"$setElementOrder/type": []}, "expected a list for 'type'"),
    ],
)
def test_patch_that_does_not_apply(spec, error):
    with pytest.raises(PatchError) as caught:
        strategic_patch({"spec": {"type": "A", "ports": ports(80)}}, {"spec": spec}, SERVICE)
    assert error in str(caught.value)


def test_merging_list_without_a_merge_key():
    with pytest.raises(PatchError, match="without merge key"):
        strategic_patch({"broken": [{}]}, {"broken": [{}]}, POD_SPEC)
    assert strategic_patch({"broken": []}, {"broken": []}, POD_SPEC) == {"broken": []}
