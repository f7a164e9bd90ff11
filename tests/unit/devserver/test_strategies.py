"""What kinds add to create and update, apart from Services."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ferrolb.devserver.definitions import (
    DefinitionStrategy,
    served_resources,
)
from ferrolb.devserver.events import core_from_events, events_from_core
from ferrolb.devserver.expiry import last_seen
from ferrolb.devserver.payloads import ConfigMapStrategy, SecretStrategy
from ferrolb.devserver.registry import Registry
from ferrolb.devserver.strategies import (
    EndpointSliceStrategy,
    EventStrategy,
    NamespaceStrategy,
    NodeStrategy,
    PodStrategy,
    Strategy,
    WorkloadStrategy,
)
from ferrolb.model import JsonObject

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def named(**members):
    return {"metadata": {"name": "a", "namespace": "default"}, **members}


def loose(value: Any) -> Any:
    """Return JSON as something to look into."""
    return value


def fields(prepared):
    return [error.field for error in prepared.errors]


def test_status_is_written_apart():
    strategy = Strategy(has_status=True)
    assert strategy.on_create(named(status={"x": 1})).obj == named()
    old = named(spec={"a": 1}, status={"x": 1})
    assert strategy.on_update(named(spec={"a": 2}), old).obj == named(
        spec={"a": 2}, status={"x": 1}
    )
    written = strategy.on_status(named(spec={"a": 3}, status={"x": 2}), old)
    assert written.obj == named(spec={"a": 1}, status={"x": 2})


def test_namespace_spec_and_label_are_the_servers():
    strategy = NamespaceStrategy()
    made = loose(strategy.on_create({"metadata": {"name": "a", "labels": {"x": "y"}}}).obj)
    assert made["metadata"]["labels"] == {"x": "y", "kubernetes.io/metadata.name": "a"}
    changed = loose(strategy.on_update({"metadata": {"name": "a"}, "spec": {}}, made).obj)
    assert changed["spec"] == {"finalizers": ["kubernetes"]}
    assert changed["metadata"]["labels"] == {"kubernetes.io/metadata.name": "a"}


def test_node_registers_with_its_status():
    strategy = NodeStrategy()
    assert strategy.on_create(named(status={"x": 1})).obj["status"] == {"x": 1}
    assert strategy.reset(named(status={"x": 1}), None, is_status=False)["status"] == {"x": 1}
    assert "status" not in strategy.on_update(named(status={"x": 2}), named()).obj


def test_pod_is_pending_and_has_containers():
    made = PodStrategy().on_create(named(spec={"containers": [{}]}, status={"phase": "Running"}))
    assert made.obj["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert fields(PodStrategy().on_create(named())) == ["spec.containers"]


def test_workload_has_a_size_and_keeps_its_selector():
    strategy = WorkloadStrategy(has_replicas=True)
    spec = {"selector": {"matchLabels": {"a": "b"}}}
    assert loose(strategy.default(named(spec=spec)))["spec"]["replicas"] == 1
    assert loose(strategy.default(named(spec={"replicas": 0})))["spec"]["replicas"] == 0
    assert fields(strategy.on_create(named(spec={}))) == ["spec.selector"]
    template = {"metadata": {"labels": {"a": "b"}}}
    assert fields(strategy.on_create(named(spec=spec))) == ["spec.template.metadata.labels"]
    other = named(spec={"selector": {"matchLabels": {}}, "template": template})
    assert fields(strategy.on_update(other, named(spec=spec))) == ["spec.selector"]


def test_what_a_node_is_given_stays():
    old = named(spec={"podCIDR": "10.0.0.0/24", "providerID": "a"})
    new = named(spec={"podCIDR": "10.0.1.0/24"})
    assert fields(NodeStrategy().on_update(new, old)) == ["spec.podCIDRs", "spec.providerID"]
    assert fields(NodeStrategy().on_update(old, named(spec={}))) == []


@pytest.mark.parametrize(
    ("about", "is_fine"),
    [({"namespace": "default"}, True), ({}, True), ({"namespace": "other"}, False)],
)
def test_event_is_where_its_object_is(about, is_fine):
    made = EventStrategy().on_create(named(involvedObject=about))
    assert (not made.errors) is is_fine
    assert made.obj["reportingComponent"] == ""


def test_event_spellings_are_inverse():
    core: dict[str, Any] = {
        "message": "m",
        "count": 2,
        "source": {"component": "c"},
        "type": "Normal",
    }
    assert core_from_events(events_from_core(core)) == core
    assert events_from_core(core)["note"] == "m"


def test_event_was_last_seen_at_the_latest_of_its_times():
    event: dict[str, Any] = {
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
        "lastTimestamp": "2026-01-01T02:00:00Z",
        "eventTime": "nonsense",
        "series": {"lastObservedTime": "2026-01-01T01:00:00.5Z"},
    }
    assert last_seen(event) == datetime(2026, 1, 1, 2, tzinfo=UTC)
    assert last_seen({}) is None


def test_slice_keeps_its_address_type():
    strategy = EndpointSliceStrategy()
    assert fields(strategy.on_create(named())) == ["addressType"]
    assert fields(strategy.on_create(named(addressType="IPX"))) == ["addressType"]
    four, six = named(addressType="IPv4"), named(addressType="IPv6")
    assert fields(strategy.on_update(six, four)) == ["addressType"]
    assert fields(strategy.on_update(four, four)) == []


def test_secret_data_type_and_immutability():
    strategy = SecretStrategy()
    sent = strategy.default(named(stringData={"a": "b"}, data={"c": "ZA=="}))
    made = strategy.on_create(sent)
    assert made.obj == named(type="Opaque", data={"a": "Yg==", "c": "ZA=="})
    assert fields(strategy.on_create(named(data={"a": "?"}))) == ["data[a]"]
    assert fields(strategy.on_create(named(data={"a": 1}))) == ["data[a]"]
    tls = named(type="kubernetes.io/tls")
    assert fields(strategy.on_create(tls)) == ["data[tls.crt]", "data[tls.key]"]
    assert fields(strategy.on_update(named(type="x"), made.obj)) == ["type"]
    fixed = {**made.obj, "immutable": True}
    assert fields(strategy.on_update({**fixed, "data": {}}, fixed)) == ["data"]
    assert fields(strategy.on_update(made.obj, fixed)) == ["immutable"]
    huge = named(data={"a": "AAAA" * 400_000})
    assert fields(strategy.on_create(huge)) == ["data"]


@pytest.mark.parametrize(
    ("kind", "data", "wrong"),
    [
        ("kubernetes.io/basic-auth", {}, ["data[username]", "data[password]"]),
        ("kubernetes.io/basic-auth", {"username": "YQ=="}, []),
        (
            "kubernetes.io/service-account-token",
            {},
            ["metadata.annotations[kubernetes.io/service-account.name]"],
        ),
        ("kubernetes.io/dockercfg", {".dockercfg": "e30="}, []),
        ("kubernetes.io/dockercfg", {".dockercfg": "e30"}, ["data[.dockercfg]"]),
        (
            "kubernetes.io/dockerconfigjson",
            {".dockerconfigjson": "bm8="},
            ["data[.dockerconfigjson]"],
        ),
        (
            "Opaque",
            {"..a": "", "a/b": "", ".": "", "a" * 254: ""},
            ["data[..a]", "data[a/b]", "data[.]", f"data[{'a' * 254}]"],
        ),
    ],
)
def test_content_that_a_type_asks_for(kind, data, wrong):
    assert fields(SecretStrategy().on_create(named(type=kind, data=data))) == wrong


def test_config_map_keys_and_size():
    strategy = ConfigMapStrategy()
    assert fields(strategy.on_create(named(data={"a": ""}, binaryData={"a": ""}))) == ["data[a]"]
    assert fields(strategy.on_create(named(data={"a": "x" * 1_100_000}))) == ["[]"]
    fixed = named(data={"a": "b"}, immutable=True)
    assert fields(strategy.on_update(named(data={}, immutable=True), fixed)) == ["data"]


SELECTED: list[list[JsonObject]] = [
    [{}],
    [{"jsonPath": "spec"}],
    [{"jsonPath": ".metadata.name"}],
    [{"jsonPath": ".spec[0]"}],
    [{"jsonPath": ".spec"}],
    [{"jsonPath": ".spec.a"}, {"jsonPath": ".spec.a"}],
]
"""Fields that may not be selected: the last one of each list."""

UNTYPED = {"openAPIV3Schema": {"type": "object", "properties": {"a": {}}}}


def of_version(**members):
    spec = {"type": "object", "properties": {"a": {"type": "string"}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return {"name": "v1", "served": True, "storage": True, "schema": schema, **members}


def definition(**spec):
    version = of_version(schema={"openAPIV3Schema": {"type": "object"}})
    members = {
        "group": "example.com",
        "names": {"kind": "Thing", "plural": "things"},
        "scope": "Cluster",
        "versions": [version],
        **spec,
    }
    return {"metadata": {"name": "things.example.com"}, "spec": members}


def prepared_definition(obj, old=None):
    strategy = DefinitionStrategy(Registry(), lambda: NOW)
    filled = strategy.default(obj)
    return strategy.on_create(filled) if old is None else strategy.on_update(filled, old)


def test_definition_is_completed_and_established():
    made = prepared_definition(definition())
    assert made.errors == ()
    obj = loose(made.obj)
    assert obj["spec"]["names"]["listKind"] == "ThingList"
    assert obj["status"]["storedVersions"] == ["v1"]
    (resource,) = served_resources(made.obj)
    assert (resource.api_version, resource.is_namespaced) == ("example.com/v1", False)


def test_conditions_keep_their_time():
    made = loose(prepared_definition(definition()).obj)
    later = DefinitionStrategy(Registry(), lambda: datetime(2027, 1, 1, tzinfo=UTC))
    again = loose(later.on_update(made, made).obj)
    assert again["status"]["conditions"] == made["status"]["conditions"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"group": "nodots"}, "spec.group"),
        ({"group": ""}, "spec.group"),
        ({"scope": "World"}, "spec.scope"),
        ({"names": {"plural": "things"}}, "spec.names.kind"),
        ({"names": {"kind": "Thing", "plural": "others"}}, "metadata.name"),
        ({"versions": []}, "spec.versions"),
        ({"versions": [{"name": "v1"}] * 33}, "spec.versions"),
        ({"versions": [of_version(name="V_")]}, "spec.versions[0].name"),
        ({"group": "A_.example.com"}, "spec.group"),
        ({"group": "a.k8s.io"}, "metadata.annotations[api-approved.kubernetes.io]"),
        ({"scope": ""}, "spec.scope"),
        ({"preserveUnknownFields": True}, "spec.preserveUnknownFields"),
        ({"names": {"kind": "Thing", "plural": "things", "singular": "A_"}}, "spec.names.singular"),
        ({"names": {"kind": "a b", "plural": "things"}}, "spec.names.kind"),
        ({"names": {"kind": "T", "plural": "t", "shortNames": ["A_"]}}, "spec.names.shortNames[0]"),
        ({"names": {"kind": "T", "plural": "t", "listKind": "T"}}, "spec.names.listKind"),
        ({"conversion": {"strategy": "Webhook"}}, "spec.conversion.strategy"),
        ({"conversion": {"strategy": "X"}}, "spec.conversion.strategy"),
        ({"conversion": {"webhook": {}}}, "spec.conversion.webhookClientConfig"),
        ({"versions": [of_version(deprecationWarning="x")]}, "spec.versions[0].deprecationWarning"),
        *(
            (
                {"versions": [of_version(deprecated=True, deprecationWarning=text)]},
                "spec.versions[0].deprecationWarning",
            )
            for text in ("", "a\nb", "x" * 257)
        ),
        *(
            (
                {"versions": [of_version(subresources={"scale": scale})]},
                f"spec.subresources.scale.{field}",
            )
            for scale, field in (
                ({}, "specReplicasPath"),
                ({"statusReplicasPath": "x"}, "statusReplicasPath"),
                ({"specReplicasPath": ".status.x"}, "specReplicasPath"),
                ({"labelSelectorPath": "x"}, "labelSelectorPath"),
            )
        ),
        *(
            (
                {"versions": [of_version(additionalPrinterColumns=[column])]},
                f"spec.additionalPrinterColumns[0].{field}",
            )
            for column, field in (
                ({}, "name"),
                ({}, "type"),
                ({"type": "x"}, "type"),
                ({"format": "x"}, "format"),
                ({}, "JSONPath"),
                ({"jsonPath": "x"}, "JSONPath"),
            )
        ),
        *(
            (
                {"versions": [of_version(selectableFields=[*paths])]},
                f"spec.selectableFields[{len(paths) - 1}].jsonPath",
            )
            for paths in SELECTED
        ),
        (
            {"versions": [of_version(), of_version(name="v2", storage=False, schema=UNTYPED)]},
            "spec.versions[1].schema.openAPIV3Schema.properties[a].type",
        ),
        ({"versions": [{"name": "v1", "served": True, "storage": True}]},
         "spec.versions[0].schema.openAPIV3Schema"),
    ],
)  # fmt: skip
def test_unfit_definition(spec, field):
    assert field in fields(prepared_definition(definition(**spec)))


def test_good_extras_pass():
    version = of_version(
        deprecated=True,
        deprecationWarning="use v2",
        subresources={
            "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"},
        },
        additionalPrinterColumns=[
            {"name": "A", "type": "integer", "format": "int32", "jsonPath": ".spec.a"}
        ],
        selectableFields=[{"jsonPath": ".spec.a"}],
    )
    assert fields(prepared_definition(definition(versions=[version]))) == []


@pytest.mark.parametrize(
    ("approval", "is_fine"), [("https://x", True), ("unapproved, a test", True), ("yes", False)]
)
def test_groups_of_kubernetes_need_approval(approval, is_fine):
    obj = loose(definition(group="a.k8s.io"))
    annotations = {"api-approved.kubernetes.io": approval}
    obj["metadata"] = {"name": "things.a.k8s.io", "annotations": annotations}
    assert (fields(prepared_definition(obj)) == []) is is_fine


def test_stored_versions_must_remain():
    old = loose(prepared_definition(definition()).obj)
    new = definition(versions=[of_version(name="v2")])
    assert fields(prepared_definition(new, old)) == ["status.storedVersions[0]"]
    left = {**old, "status": {**old["status"], "storedVersions": []}}
    made = DefinitionStrategy(Registry(), lambda: NOW).on_status(left, old)
    assert made.errors == ()


def test_names_of_others_are_not_had():
    registry = Registry()
    strategy = DefinitionStrategy(registry, lambda: NOW)
    first = strategy.on_create(strategy.default(definition()))
    for resource in served_resources(first.obj):
        registry.put(resource)
    names = {"kind": "Thing", "plural": "others", "shortNames": ["things"], "categories": ["all"]}
    second = strategy.on_create(strategy.default(definition(names=names)))
    status = loose(second.obj)["status"]
    assert status["acceptedNames"] == {"kind": "", "plural": "others", "categories": ["all"]}
    told = {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}
    assert told == {
        "NamesAccepted": ("False", "ListKindConflict"),
        "Established": ("False", "NotAccepted"),
    }


def test_scope_never_changes():
    old = prepared_definition(definition()).obj
    assert "spec.scope" in fields(prepared_definition(definition(scope="Namespaced"), old))
