import pytest

from ferrolb.apimachinery import SelectorError, field_labels, parse_field_selector
from ferrolb.model import JsonObject

SERVICE: JsonObject = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.10"},
}
EVENT: JsonObject = {
    "metadata": {"name": "web.1", "namespace": "shop"},
    "involvedObject": {"kind": "Service", "name": "web", "uid": "u-1"},
    "reason": "IPAllocated",
    "type": "Normal",
    "source": {"component": "metallb-controller"},
}


@pytest.mark.parametrize(
    ("text", "is_match"),
    [
        ("", True),
        ("metadata.name=web", True),
        ("metadata.name==web", True),
        ("metadata.name!=web", False),
        ("metadata.namespace=shop,spec.type=LoadBalancer", True),
        ("metadata.namespace=shop,spec.type=ClusterIP", False),
        ("spec.clusterIP!=None", True),
        (",metadata.name=web,", True),
    ],
)
def test_service_fields(text, is_match):
    assert parse_field_selector(text, field_labels("", "Service")).matches(SERVICE) is is_match


@pytest.mark.parametrize("group", ["", "events.k8s.io"])
@pytest.mark.parametrize("field", ["involvedObject", "regarding"])
def test_events_are_selected_by_either_spelling(group, field):
    prefix = "regarding" if group else "involvedObject"
    event = {**EVENT, field: EVENT["involvedObject"]}
    selector = parse_field_selector(
        f"{prefix}.name=web,{prefix}.uid=u-1,reason=IPAllocated,source=metallb-controller",
        field_labels(group, "Event"),
    )
    assert selector.matches(event)
    assert not selector.matches({**event, "reason": "other"})


def test_false_is_what_an_unset_flag_is():
    labels = field_labels("", "Node")
    schedulable = parse_field_selector("spec.unschedulable=false", labels)
    assert schedulable.matches({"spec": {}})
    assert schedulable.matches({"spec": {"unschedulable": False}})
    assert not schedulable.matches({"spec": {"unschedulable": True}})


def test_selectable_fields_of_custom_resources():
    labels = field_labels("metallb.io", "IPAddressPool", [".spec.autoAssign", ".spec.priority"])
    selector = parse_field_selector("spec.autoAssign=true,spec.priority=3", labels)
    assert selector.matches({"spec": {"autoAssign": True, "priority": 3}})
    assert not selector.matches({"spec": {"autoAssign": True, "priority": []}})
    assert not selector.matches({"spec": "text"})


def test_required_value_speeds_up_a_read_by_name():
    selector = parse_field_selector("metadata.name=web,metadata.namespace!=shop")
    assert selector.required("metadata.name") == "web"
    assert selector.required("metadata.namespace") is None


def test_values_are_unescaped_and_written_escaped():
    selector = parse_field_selector(r"metadata.name=a\,b\=c\\d")
    assert selector.required("metadata.name") == "a,b=c\\d"
    assert str(selector) == r"metadata.name=a\,b\=c\\d"
    assert str(parse_field_selector("metadata.name!=a")) == "metadata.name!=a"


@pytest.mark.parametrize(
    ("text", "kind", "error"),
    [
        ("spec.foo=1", "Service", "field label not supported: spec.foo"),
        (
            "spec.foo=1",
            "ConfigMap",
            '"spec.foo" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("spec", "Service", "invalid selector: 'spec'; can't understand 'spec'"),
        (r"type=a\b", "Secret", r"invalid field selector: invalid escape sequence: \b"),
        ("type=a\\", "Secret", "invalid field selector: invalid escape sequence: \\"),
        ("type=a=b", "Secret", "invalid field selector: unescaped character in value: 61"),
    ],
)
def test_bad_field_selector_is_answered_as_the_api_does(text, kind, error):
    with pytest.raises(SelectorError) as caught:
        parse_field_selector(text, field_labels("", kind))
    assert str(caught.value) == error
