import pytest

from ferrolb.apimachinery import ListType, MapType
from ferrolb.devserver.schemas import builtin_components, component_name, schema_for
from ferrolb.model import Json

SERVED = [
    ("", "v1", "ConfigMap"),
    ("", "v1", "Endpoints"),
    ("", "v1", "Event"),
    ("", "v1", "Namespace"),
    ("", "v1", "Node"),
    ("", "v1", "Pod"),
    ("", "v1", "Secret"),
    ("", "v1", "Service"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "Status"),
    ("", "v1", "DeleteOptions"),
    ("", "v1", "WatchEvent"),
    ("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
    ("apps", "v1", "DaemonSet"),
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "ReplicaSet"),
    ("authentication.k8s.io", "v1", "SelfSubjectReview"),
    ("authentication.k8s.io", "v1", "TokenRequest"),
    ("authentication.k8s.io", "v1", "TokenReview"),
    ("authorization.k8s.io", "v1", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "v1", "SelfSubjectRulesReview"),
    ("authorization.k8s.io", "v1", "SubjectAccessReview"),
    ("coordination.k8s.io", "v1", "Lease"),
    ("discovery.k8s.io", "v1", "EndpointSlice"),
    ("events.k8s.io", "v1", "Event"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "v1", "Role"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
]


def references(node: Json) -> set[str]:
    if isinstance(node, list):
        return {name for item in node for name in references(item)}
    if not isinstance(node, dict):
        return set()
    found = {name for item in node.values() for name in references(item)}
    reference = node.get("$ref")
    if isinstance(reference, str):
        found.add(reference.rsplit("/", 1)[1])
    return found


@pytest.mark.parametrize(("group", "version", "kind"), SERVED)
def test_c32_served_kind_has_an_object_schema(group, version, kind):
    view = schema_for(group, version, kind)
    assert view.type == "object"
    assert view.property_names()


def test_kind_that_is_not_served_is_refused():
    with pytest.raises(LookupError, match="no built-in kind 'PersistentVolume' in '' 'v1'"):
        schema_for("", "v1", "PersistentVolume")
    assert component_name("apps", "v1", "Service") is None


def test_every_reference_leads_to_a_type():
    components = builtin_components()
    assert len(components) > 200
    assert references(dict(components)) <= set(components)


def test_descriptions_are_left_out_but_not_fields_of_that_name():
    definition = schema_for("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
    assert "description" not in definition.raw
    spec = definition.property("spec")
    assert spec is not None
    assert "description" not in spec.raw
    properties = builtin_components()[
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
    ]["properties"]
    assert isinstance(properties, dict)
    assert properties["description"] == {"type": "string"}
    assert properties["$ref"] == {"type": "string"}


def test_service_ports_keep_their_merge_rules():
    spec = schema_for("", "v1", "Service").property("spec")
    assert spec is not None
    ports = spec.property("ports")
    assert ports is not None
    assert ports.list_type is ListType.MAP
    assert ports.list_map_keys == ("port", "protocol")
    assert ports.patch_merge_key == "port"
    assert ports.patch_strategies == {"merge"}
    selector = spec.property("selector")
    assert selector is not None
    assert selector.map_type is MapType.ATOMIC
    item = ports.items()
    assert item is not None
    target = item.property("targetPort")
    assert target is not None
    assert target.int_or_string


def test_views_are_made_once():
    assert schema_for("", "v1", "Service") is schema_for("", "v1", "Service")
    spec = schema_for("", "v1", "Service").property("spec")
    assert spec is schema_for("", "v1", "Service").property("spec")
