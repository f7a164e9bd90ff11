import copy
import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.apimachinery.schemas import POOL, SERVICE

from ferrolb.apimachinery import (
    ApplyConflictError,
    MalformedPatchError,
    ManagedFieldsError,
    PatchError,
    SchemaView,
    Writer,
    apply,
    track_update,
)
from ferrolb.apimachinery.managed import MAX_UPDATE_MANAGERS
from ferrolb.model import JsonArray, JsonObject

NOW = datetime(2026, 3, 10, 12, 0, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def service(**spec) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": spec,
    }


def applied_by(name, live, request, *, force=False, now=NOW, schema=SERVICE, **more) -> JsonObject:
    writer = Writer(manager=name, api_version=str(request["apiVersion"]), now=now, **more)
    return apply(live, request, writer, schema=schema, force=force)


def updated_by(name, old, new, *, now=NOW, schema=SERVICE, **more) -> JsonObject:
    writer = Writer(manager=name, api_version=str(new["apiVersion"]), now=now, **more)
    return track_update(old, new, writer, schema=schema)


def changed(obj: JsonObject, section: str = "spec", **fields) -> JsonObject:
    """Return `obj` with fields of a section set, or removed where the value is None."""
    made = copy.deepcopy(obj)
    part = made.setdefault(section, {})
    assert isinstance(part, dict)
    for name, value in fields.items():
        if value is None:
            part.pop(name)
        else:
            part[name] = value
    return made


def entries(obj: JsonObject) -> JsonArray:
    metadata = obj["metadata"]
    assert isinstance(metadata, dict)
    managed = metadata.get("managedFields", [])
    assert isinstance(managed, list)
    return managed


def owners(obj: JsonObject) -> dict[str, object]:
    """Return the fields by manager."""
    return {str(e["manager"]): e["fieldsV1"] for e in entries(obj) if isinstance(e, dict)}


def times(obj: JsonObject) -> dict[str, object]:
    return {str(e["manager"]): e.get("time") for e in entries(obj) if isinstance(e, dict)}


def spec(obj: JsonObject) -> JsonObject:
    found = obj["spec"]
    assert isinstance(found, dict)
    return found


# --- creation and no-ops -----------------------------------------------------------------------


def test_apply_creates_with_one_applier():
    request = service(type="LoadBalancer", ports=[{"port": 80, "name": "http"}])
    made = applied_by("kubectl", None, request)
    assert spec(made) == request["spec"]
    assert entries(made) == [
        {
            "manager": "kubectl",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": "2026-03-10T12:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:spec": {
                    "f:type": {},
                    "f:ports": {
                        'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}}
                    },
                }
            },
        }
    ]


def test_applying_the_same_again_changes_nothing():
    request = service(type="LoadBalancer", ports=[{"port": 80}], selector={"app": "web"})
    made = applied_by("kubectl", None, request)
    assert applied_by("kubectl", made, request, now=LATER) == made


def test_defaults_set_by_the_server_do_not_make_a_second_apply_a_change():
    request = service(ports=[{"port": 80}])
    made = applied_by("kubectl", None, request)
    live = changed(made, ports=[{"port": 80, "protocol": "TCP", "nodePort": 30001}])
    assert applied_by("kubectl", live, request, now=LATER) == live


def test_nulls_of_printed_manifests_are_nothing():
    request = service(ports=[{"port": 80, "name": None}], type=None)
    request["metadata"] = {"name": "web", "creationTimestamp": None}
    request["status"] = {}
    made = applied_by("kubectl", None, request)
    assert spec(made) == {"ports": [{"port": 80}]}
    fields = owners(made)["kubectl"]
    assert isinstance(fields, dict)
    assert "f:metadata" not in fields


def test_inputs_are_left_alone():
    request = service(ports=[{"port": 80}], externalIPs=["1.1.1.1"])
    live = applied_by("a", None, service(type="ClusterIP"))
    before = copy.deepcopy((live, request))
    made = applied_by("b", live, request)
    ports = spec(made)["ports"]
    assert isinstance(ports, list)
    ports.append({"port": 1})
    assert (live, request) == before


# --- conflicts ---------------------------------------------------------------------------------


def test_conflict_names_manager_version_and_field():
    live = updated_by("kubectl-client-side-apply", None, service(type="ClusterIP"))
    with pytest.raises(ApplyConflictError) as caught:
        applied_by("other", live, service(type="LoadBalancer"))
    assert str(caught.value) == (
        "Apply failed with 1 conflict: "
        'conflict with "kubectl-client-side-apply" using v1: .spec.type'
    )
    assert [conflict.cause for conflict in caught.value.conflicts] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-client-side-apply" using v1',
            "field": ".spec.type",
        }
    ]


def test_several_conflicts_are_listed_by_manager():
    live = applied_by("a", None, service(type="ClusterIP", clusterIP="10.0.0.1"))
    live = updated_by("b", live, changed(live, externalIPs=["1.1.1.1"]), subresource="status")
    with pytest.raises(ApplyConflictError) as caught:
        applied_by("c", live, service(type="X", clusterIP="Y", externalIPs=["Z"]))
    assert str(caught.value) == (
        "Apply failed with 3 conflicts: "
        'conflicts with "a":\n- .spec.clusterIP\n- .spec.type\n'
        'conflicts with "b" with subresource "status" using v1:\n- .spec.externalIPs'
    )


def test_force_takes_the_field():
    live = applied_by("a", None, service(type="ClusterIP", clusterIP="10.0.0.1"))
    made = applied_by("b", live, service(type="LoadBalancer"), force=True, now=LATER)
    assert spec(made)["type"] == "LoadBalancer"
    assert owners(made) == {
        "a": {"f:spec": {"f:clusterIP": {}}},
        "b": {"f:spec": {"f:type": {}}},
    }
    assert times(made) == {"a": "2026-03-10T12:00:00Z", "b": "2026-03-10T12:05:00Z"}


def test_who_loses_everything_is_gone():
    live = applied_by("a", None, service(type="ClusterIP"))
    made = applied_by("b", live, service(type="LoadBalancer"), force=True)
    assert list(owners(made)) == ["b"]


def test_the_same_value_is_owned_together_without_conflict():
    live = applied_by("a", None, service(type="ClusterIP"))
    made = applied_by("b", live, service(type="ClusterIP"))
    assert owners(made) == {name: {"f:spec": {"f:type": {}}} for name in "ab"}
    # One of the two gives the field up: it stays. Both: it goes.
    made = applied_by("a", made, service())
    assert spec(made) == {"type": "ClusterIP"}
    made = applied_by("b", made, service())
    assert spec(made) == {}


# --- removal -----------------------------------------------------------------------------------


def test_field_no_longer_applied_is_removed():
    live = applied_by("a", None, service(type="ClusterIP", clusterIP="10.0.0.1"))
    made = applied_by("a", live, service(clusterIP="10.0.0.1"))
    assert spec(made) == {"clusterIP": "10.0.0.1"}
    assert owners(made) == {"a": {"f:spec": {"f:clusterIP": {}}}}


def test_last_label_takes_the_map_along_but_not_metadata():
    request = service(type="ClusterIP")
    labelled = changed(request, "metadata", labels={"a": "1"})
    made = applied_by("a", applied_by("a", None, labelled), request)
    metadata = made["metadata"]
    assert isinstance(metadata, dict)
    assert metadata.keys() == {"name", "namespace", "managedFields"}


def test_list_entry_no_longer_applied_is_removed_and_others_stay():
    live = applied_by("a", None, service(ports=[{"port": 80}, {"port": 443}]))
    live = updated_by("b", live, changed(live, ports=[{"port": 80}, {"port": 443}, {"port": 22}]))
    made = applied_by("a", live, service(ports=[{"port": 443}]))
    assert spec(made)["ports"] == [{"port": 443}, {"port": 22}]


def test_field_of_another_in_a_removed_entry_keeps_the_entry():
    live = applied_by("a", None, service(ports=[{"port": 80, "name": "http"}]))
    live = updated_by("b", live, changed(live, ports=[{"port": 80, "name": "http", "nodePort": 3}]))
    made = applied_by("a", live, service())
    # Whoever set the node port does not own the entry: the entry goes with its applier.
    assert spec(made) == {}
    both = applied_by("b", live, service(ports=[{"port": 80, "nodePort": 3}]))
    made = applied_by("a", both, service())
    assert spec(made) == {"ports": [{"port": 80, "nodePort": 3}]}


def test_members_of_a_set_are_owned_one_by_one():
    request = changed(service(), "metadata", finalizers=["a/1", "a/2"])
    live = applied_by("a", None, request)
    made = applied_by("b", live, changed(service(), "metadata", finalizers=["b/1"]))
    metadata = made["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["finalizers"] == ["a/1", "a/2", "b/1"]
    assert owners(made)["b"] == {"f:metadata": {"f:finalizers": {'v:"b/1"': {}}}, "f:spec": {}}
    made = applied_by("a", made, changed(service(), "metadata", finalizers=["a/2"]))
    metadata = made["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["finalizers"] == ["a/2", "b/1"]


def test_atomic_values_have_one_owner():
    live = applied_by("a", None, service(externalIPs=["1.1.1.1"], selector={"a": "1"}))
    assert owners(live) == {"a": {"f:spec": {"f:externalIPs": {}, "f:selector": {}}}}
    with pytest.raises(ApplyConflictError) as caught:
        applied_by("b", live, service(externalIPs=["1.1.1.1", "2.2.2.2"], selector={"b": "1"}))
    assert [conflict.field for conflict in caught.value.conflicts] == [
        ".spec.externalIPs",
        ".spec.selector",
    ]
    made = applied_by("a", live, service(externalIPs=["2.2.2.2"], selector={"b": "1"}))
    assert spec(made) == {"externalIPs": ["2.2.2.2"], "selector": {"b": "1"}}


@pytest.mark.parametrize(
    ("live", "request_", "merged"),
    [
        ([1, 2, 3], [1, 2, 3], [1, 2, 3]),
        ([1, 2, 3], [4], [1, 2, 3, 4]),
        ([1, 2, 3], [3, 1], [2, 3, 1]),
        ([1, 2, 3], [0, 2], [1, 0, 2, 3]),
        ([1, 2, 3], [2, 9], [1, 2, 3, 9]),
        ([], [2, 1], [2, 1]),
    ],
)
def test_applied_entries_keep_their_order(live, request_, merged):
    start = updated_by("x", None, service(ports=[{"port": port} for port in live]))
    made = applied_by("a", start, service(ports=[{"port": port} for port in request_]))
    assert spec(made)["ports"] == [{"port": port} for port in merged]


@pytest.mark.parametrize("live", [["x"], [{"port": 80}, {"port": 80}]])
def test_list_whose_entries_cannot_be_told_apart_is_one_value(live):
    start = updated_by("x", None, service(ports=live))
    with pytest.raises(ApplyConflictError) as caught:
        applied_by("a", start, service(ports=[{"port": 80}]))
    assert [conflict.field for conflict in caught.value.conflicts] == [".spec.ports"]


def test_map_that_became_one_value_since_it_was_applied_stays_whole():
    live = applied_by("a", None, service(selector={"a": "1", "b": "2"}))
    entry = entries(live)[0]
    assert isinstance(entry, dict)
    older: JsonObject = {**entry, "fieldsV1": {"f:spec": {"f:selector": {"f:a": {}, "f:b": {}}}}}
    live = changed(live, "metadata", managedFields=[older])
    made = applied_by("a", live, service(selector={"a": "1"}))
    assert spec(made) == {"selector": {"a": "1"}}


def test_empty_list_of_entries_is_nobodys():
    made = applied_by("a", None, service(ports=[], type="x"))
    assert owners(made) == {"a": {"f:spec": {"f:type": {}}}}
    assert applied_by("a", made, service(ports=[], type="x"), now=LATER) == made


def test_objects_without_metadata_are_not_tracked():
    bare: JsonObject = {"apiVersion": "v1", "spec": {"type": "x"}}
    assert updated_by("a", None, bare) == bare
    assert applied_by("a", bare, bare) == bare


def test_request_that_owns_nothing_leaves_no_entry():
    bare: JsonObject = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    assert applied_by("a", None, bare) == bare


def test_entry_without_a_time_keeps_none():
    live = updated_by("a", None, service(type="x"))
    entry = entries(live)[0]
    assert isinstance(entry, dict)
    entry.pop("time")
    made = updated_by("b", live, changed(live, clusterIP="y"))
    assert times(made) == {"a": None, "b": "2026-03-10T12:00:00Z"}


# --- ordinary writes ---------------------------------------------------------------------------


def test_creation_is_owned_by_its_writer():
    made = updated_by("curl", None, service(type="ClusterIP", ports=[{"port": 80}]))
    assert entries(made) == [
        {
            "manager": "curl",
            "operation": "Update",
            "apiVersion": "v1",
            "time": "2026-03-10T12:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:spec": {
                    "f:type": {},
                    "f:ports": {
                        ".": {},
                        'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}},
                    },
                }
            },
        }
    ]


def test_custom_resources_own_their_sections_too():
    pool: JsonObject = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": "p", "labels": {"a": "1"}, "finalizers": ["f"]},
        "spec": {"addresses": ["10.0.0.0/24"]},
    }
    made = updated_by("curl", None, pool, schema=POOL)
    assert owners(made) == {
        "curl": {
            "f:metadata": {
                "f:labels": {".": {}, "f:a": {}},
                "f:finalizers": {".": {}, 'v:"f"': {}},
            },
            "f:spec": {".": {}, "f:addresses": {}},
        }
    }


def test_update_takes_what_it_changed_and_only_that():
    live = applied_by("a", None, service(type="ClusterIP", clusterIP="10.0.0.1"))
    made = updated_by("edit", live, changed(live, type="NodePort"), now=LATER)
    assert owners(made) == {
        "a": {"f:spec": {"f:clusterIP": {}}},
        "edit": {"f:spec": {"f:type": {}}},
    }
    assert times(made) == {"a": "2026-03-10T12:00:00Z", "edit": "2026-03-10T12:05:00Z"}


def test_further_updates_of_one_manager_add_up():
    live = updated_by("edit", None, service(type="ClusterIP"))
    made = updated_by("edit", live, changed(live, clusterIP="10.0.0.1"))
    assert owners(made) == {"edit": {"f:spec": {"f:clusterIP": {}, "f:type": {}}}}
    made = updated_by("edit", made, changed(made, clusterIP=None))
    assert owners(made) == {"edit": {"f:spec": {"f:type": {}}}}


def test_subresource_makes_an_entry_of_its_own():
    live = updated_by("a", None, service(type="ClusterIP"))
    status: JsonObject = {"conditions": [{"type": "Ready", "status": "True"}]}
    made = updated_by("a", live, {**live, "status": status}, subresource="status")
    assert [entry.get("subresource") for entry in entries(made) if isinstance(entry, dict)] == [
        None,
        "status",
    ]


def test_an_update_of_nothing_changes_nothing():
    live = updated_by("edit", None, service(type="ClusterIP"))
    bumped = changed(live, "metadata", resourceVersion="8", uid="u", generation=2)
    made = updated_by("other", live, bumped, now=LATER)
    assert made == bumped
    assert entries(made) == entries(live)


def test_client_that_drops_managed_fields_does_not_lose_them():
    live = updated_by("edit", None, service(type="ClusterIP"))
    made = updated_by("old-client", live, changed(live, "metadata", managedFields=None))
    assert made == live


@pytest.mark.parametrize("empty", [[], [{}]])
def test_empty_managed_fields_end_the_tracking(empty):
    live = updated_by("edit", None, service(type="ClusterIP"))
    made = updated_by("edit", live, changed(live, "metadata", managedFields=empty))
    assert entries(made) == []
    # Not before the next apply is anything owned again.
    made = updated_by("edit", made, changed(made, type="NodePort"))
    assert entries(made) == []
    made = applied_by("a", made, service(clusterIP="10.0.0.1"))
    assert owners(made) == {
        "a": {"f:spec": {"f:clusterIP": {}}},
        "before-first-apply": {"f:spec": {"f:type": {}}},
    }


def test_managed_fields_can_be_edited_but_not_through_the_status():
    live = updated_by("edit", None, service(type="ClusterIP"))
    entry = entries(live)[0]
    assert isinstance(entry, dict)
    renamed = changed(live, "metadata", managedFields=[{**entry, "manager": "renamed"}])
    assert list(owners(updated_by("x", live, renamed))) == ["renamed"]
    assert list(owners(updated_by("x", live, renamed, subresource="status"))) == ["edit"]


@pytest.mark.parametrize(
    "bad",
    [
        "text",
        ["text"],
        [{"operation": "Guess"}],
        [{"operation": "Update"}],
        [{"operation": "Update", "apiVersion": "v1"}],
        [{"operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV9"}],
        [{"operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "manager": 3}],
        [{"operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": [1]}],
    ],
)
def test_managed_fields_that_cannot_be_read(bad):
    live = updated_by("edit", None, service(type="ClusterIP"))
    garbled = changed(live, "metadata", managedFields=bad)
    assert updated_by("x", live, garbled) == live
    with pytest.raises(ManagedFieldsError):
        applied_by("a", garbled, service())


def test_old_writers_are_merged_into_one():
    live = updated_by("w00", None, service(type="0"))
    for number in range(1, MAX_UPDATE_MANAGERS + 3):
        new = changed(live, "metadata", labels={f"l{n}": "" for n in range(number)})
        live = updated_by(f"w{number:02}", live, new, now=NOW + timedelta(seconds=number))
    assert len(entries(live)) == MAX_UPDATE_MANAGERS
    assert owners(live)["ancient-changes"] == {
        "f:metadata": {"f:labels": {".": {}, "f:l0": {}, "f:l1": {}, "f:l2": {}}},
        "f:spec": {"f:type": {}},
    }
    assert times(live)["ancient-changes"] == "2026-03-10T12:00:03Z"


def test_writers_of_other_versions_have_an_ancient_entry_of_their_own():
    live = updated_by("w00", None, {**service(type="0"), "apiVersion": "example.com/v1"})
    for number in range(1, MAX_UPDATE_MANAGERS + 1):
        new = changed(live, "metadata", labels={f"l{n}": "" for n in range(number)})
        new["apiVersion"] = f"example.com/v{1 + number % 2}"
        live = updated_by(f"w{number:02}", live, new, now=NOW + timedelta(seconds=number))
    versions = [entry["apiVersion"] for entry in entries(live) if isinstance(entry, dict)]
    assert len(versions) == MAX_UPDATE_MANAGERS
    assert owners(live).keys() >= {"ancient-changes", "w01"}


def test_writers_of_one_version_each_cannot_be_merged():
    live = updated_by("w", None, {**service(type="0"), "apiVersion": "example.com/v0"})
    for number in range(1, MAX_UPDATE_MANAGERS + 2):
        new = changed(live, "metadata", labels={f"l{n}": "" for n in range(number)})
        live = updated_by("w", live, {**new, "apiVersion": f"example.com/v{number}"})
    assert len(entries(live)) == MAX_UPDATE_MANAGERS + 2


def test_client_without_a_name_is_unknown():
    assert list(owners(updated_by("", None, service(type="0")))) == ["unknown"]


# --- refused requests --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (
            service(bogus=1),
            "failed to create typed patch object (shop/web; /v1, Kind=Service): "
            ".spec.bogus: field not declared in schema",
        ),
        (
            service(ports=[{"port": 80}, {"port": 80, "protocol": "TCP"}]),
            '.spec.ports: duplicate entries for key [port=80,protocol="TCP"]',
        ),
        (service(ports=["x"]), ".spec.ports: element 0: the entry lacks what tells it from others"),
        (
            changed(service(), "status", conditions=[{"status": "True"}]),
            ".status.conditions: element 0: the entry lacks",
        ),
        (service(selector="x"), ".spec.selector: expected map, got &{x}"),
        (service(ports="x"), ".spec.ports: expected list, got &{x}"),
        (service(ports=5), ".spec.ports: expected list, got &{5}"),
        (service(type=1), ".spec.type: expected string, got &value.valueUnstructured{Value:1}"),
        (
            service(ports=[{"port": "x"}]),
            ".spec.ports[0].port: expected numeric (int or float), got *value.valueUnstructured",
        ),
        (
            changed(service(), "metadata", finalizers=["a", {}]),
            ".metadata.finalizers: element 1: the entry lacks",
        ),
    ],
)
def test_request_that_has_no_owner_is_refused(request_, error):
    with pytest.raises(PatchError) as caught:
        applied_by("a", None, request_)
    assert error in str(caught.value)


def test_types_of_a_request_are_those_of_the_schema():
    flag: JsonObject = {"type": "boolean"}
    either: JsonObject = {"x-kubernetes-int-or-string": True}
    schema = SchemaView.of({"type": "object", "properties": {"flag": flag, "either": either}})
    writer = Writer(manager="a", api_version="v1", now=NOW)
    base: JsonObject = {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n"}}
    made = apply(None, {**base, "either": 5, "flag": None}, writer, schema=schema, force=False)
    assert made["either"] == 5
    with pytest.raises(PatchError, match="expected boolean, got "):
        apply(None, {**base, "flag": 5}, writer, schema=schema, force=False)


def test_kubectl_does_not_take_over_by_what_it_cannot_have_applied():
    request = service(type="ClusterIP", bogus="x")
    live = client_side(service(type="ClusterIP"))
    live = changed(live, "metadata", annotations={LAST_APPLIED: json.dumps(request)})
    with pytest.raises(ApplyConflictError):
        applied_by("kubectl", live, service(type="LoadBalancer"))


def test_request_in_another_version_is_refused():
    writer = Writer(manager="a", api_version="v2", now=NOW)
    with pytest.raises(MalformedPatchError, match="Specified patch version: v1, expected: v2"):
        apply(None, service(), writer, schema=SERVICE, force=False)


def test_request_with_managed_fields_is_refused():
    request = changed(service(), "metadata", managedFields=[{}])
    with pytest.raises(MalformedPatchError, match=r"metadata\.managedFields must be nil"):
        applied_by("a", None, request)


def test_custom_resource_may_have_what_its_schema_leaves_open():
    pool: JsonObject = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": "p", "labels": {"a": "1"}},
        "spec": {"free": {"x": [{"y": 1}]}, "open": {"z": {"q": 1}}},
    }
    made = applied_by("a", None, pool, schema=POOL)
    assert owners(made) == {
        "a": {
            "f:metadata": {"f:labels": {"f:a": {}}},
            "f:spec": {
                "f:free": {"f:x": {}},
                "f:open": {"f:z": {".": {}, "f:q": {}}},
            },
        }
    }
    assert applied_by("a", made, pool, schema=POOL, now=LATER) == made
    bare: JsonObject = {**pool, "spec": {"addresses": ["10.0.0.0/24"]}}
    assert spec(applied_by("a", made, bare, schema=POOL)) == bare["spec"]


# --- from client-side to server-side apply -----------------------------------------------------


def client_side(request: JsonObject) -> JsonObject:
    annotated = changed(request, "metadata", annotations={LAST_APPLIED: json.dumps(request)})
    return updated_by("kubectl-client-side-apply", None, annotated)


def test_kubectl_takes_over_what_its_client_side_apply_wrote():
    live = client_side(service(type="ClusterIP"))
    made = applied_by("kubectl", live, service(type="LoadBalancer"))
    assert spec(made)["type"] == "LoadBalancer"
    metadata = made["metadata"]
    assert isinstance(metadata, dict)
    annotations = metadata["annotations"]
    assert isinstance(annotations, dict)
    written = json.loads(str(annotations[LAST_APPLIED]))
    assert written["spec"] == {"type": "LoadBalancer"}


def test_others_do_not_take_over():
    with pytest.raises(ApplyConflictError):
        applied_by("helm", client_side(service(type="ClusterIP")), service(type="LoadBalancer"))


def test_kubectl_does_not_take_over_what_others_changed_since():
    live = client_side(service(type="ClusterIP", clusterIP="10.0.0.1"))
    live = updated_by("edit", live, changed(live, type="NodePort"))
    with pytest.raises(ApplyConflictError) as caught:
        applied_by("kubectl", live, service(type="LoadBalancer", clusterIP="10.0.0.2"))
    assert [conflict.field for conflict in caught.value.conflicts] == [".spec.type"]


@pytest.mark.parametrize("annotation", ["", "{", "[]", '{"apiVersion": "v9"}'])
def test_unreadable_annotation_allows_nothing(annotation):
    live = updated_by("other", None, service(type="ClusterIP"))
    live = changed(live, "metadata", annotations={LAST_APPLIED: annotation})
    with pytest.raises(ApplyConflictError):
        applied_by("kubectl", live, service(type="LoadBalancer"))
