from typing import TYPE_CHECKING

import pytest

from ferrolb.apimachinery import (
    SchemaView,
    cannot_handle,
    custom_resource_schema,
    decode_error,
    find_duplicate_fields,
)
from ferrolb.devserver.schemas import builtin_components, schema_for

if TYPE_CHECKING:
    from ferrolb.model import JsonObject


def service(**spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": spec}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (service(ports=[{"port": 80, "targetPort": "http"}]), None),
        (service(ports=[{"port": 80, "targetPort": 8080}], selector=None), None),
        (
            service(ports=[{"port": "80"}]),
            "json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of "
            "type int32",
        ),
        (
            service(ports=[{"port": 80.5}]),
            "json: cannot unmarshal number 80.5 into Go struct field ServicePort.spec.ports.port "
            "of type int32",
        ),
        (
            service(ports=[{"port": 2**31}]),
            "json: cannot unmarshal number 2147483648 into Go struct field "
            "ServicePort.spec.ports.port of type int32",
        ),
        (
            service(ports={}),
            "json: cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type "
            "[]v1.ServicePort",
        ),
        (
            service(ports=[5]),
            "json: cannot unmarshal number 5 into Go struct field ServiceSpec.spec.ports of type "
            "v1.ServicePort",
        ),
        (
            service(selector={"a": 1}),
            "json: cannot unmarshal number into Go struct field ServiceSpec.spec.selector of type "
            "string",
        ),
        (
            service(selector="a"),
            "json: cannot unmarshal string into Go struct field ServiceSpec.spec.selector of type "
            "map[string]string",
        ),
        (
            service(clusterIP=True),
            "json: cannot unmarshal bool into Go struct field ServiceSpec.spec.clusterIP of type "
            "string",
        ),
        (
            service(ports=[{"targetPort": {}}]),
            "json: cannot unmarshal object into Go value of type int32",
        ),
        (
            {**service(), "spec": []},
            "json: cannot unmarshal array into Go struct field Service.spec of type v1.ServiceSpec",
        ),
        (
            {**service(), "metadata": {"creationTimestamp": "yesterday"}},
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" '
            'as "2006"',
        ),
        ({**service(), "metadata": {"creationTimestamp": "2024-01-02T03:04:05Z"}}, None),
        (
            {**service(), "metadata": {"creationTimestamp": "2024-01-02T03:04:05"}},
            'parsing time "2024-01-02T03:04:05" as "2006-01-02T15:04:05Z07:00": cannot parse '
            '"2024-01-02T03:04:05" as "2006"',
        ),
        (
            {**service(), "metadata": {"managedFields": [{"fieldsV1": {"f:a": {"x": [1]}}}]}},
            None,
        ),
    ],
)
def test_service_that_does_not_decode(obj, expected):
    assert decode_error(obj, schema_for("", "v1", "Service")) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("aGVsbG8=", None),
        ("", None),
        ("aGV$", "illegal base64 data at input byte 3"),
        ("abc", "illegal base64 data at input byte 3"),
        (5, "json: cannot unmarshal number into Go struct field Secret.data of type []uint8"),
    ],
)
def test_secret_data_is_base64(data, expected):
    assert decode_error({"data": {"a": data}}, schema_for("", "v1", "Secret")) == expected


@pytest.mark.parametrize("quantity", ["1", "1.5Gi", "100m", 5, 1e3, "-1k", None])
def test_quantity(quantity):
    node: JsonObject = {"status": {"capacity": {"cpu": quantity}}}
    assert decode_error(node, schema_for("", "v1", "Node")) is None


@pytest.mark.parametrize("quantity", ["", "one", "1Xi", True])
def test_quantity_that_is_none(quantity):
    node: JsonObject = {"status": {"capacity": {"cpu": quantity}}}
    error = decode_error(node, schema_for("", "v1", "Node"))
    assert error is not None
    assert error.startswith("quantities must match the regular expression")


def test_go_types_are_named():
    lease = schema_for("coordination.k8s.io", "v1", "Lease")
    error = decode_error({"spec": {"leaseDurationSeconds": "15"}}, lease)
    assert error is not None
    assert error.endswith("LeaseSpec.spec.leaseDurationSeconds of type int32")
    pod = schema_for("", "v1", "Pod")
    error = decode_error({"spec": {"hostNetwork": "yes"}}, pod)
    assert error is not None
    assert error.endswith("PodSpec.spec.hostNetwork of type bool")
    definition = schema_for("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
    schema: JsonObject = {"openAPIV3Schema": {"maximum": "x", "default": {"any": [1]}}}
    error = decode_error({"spec": {"versions": [{"schema": schema}]}}, definition)
    assert error is not None
    assert error.endswith(
        "JSONSchemaProps.spec.versions.schema.openAPIV3Schema.maximum of type float64"
    )


def test_only_the_metadata_of_a_custom_resource_is_decoded():
    view = SchemaView.of(
        custom_resource_schema({"properties": {"spec": {"type": "string"}}}), builtin_components()
    )
    assert decode_error({"spec": 5, "metadata": {"name": "a"}}, view) is None
    assert decode_error({"metadata": {"labels": {"a": 5}}}, view) == (
        "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string"
    )
    assert decode_error({"metadata": []}, view) == (
        "json: cannot unmarshal array into Go value of type v1.ObjectMeta"
    )


def test_refusal_names_kind_and_version():
    assert cannot_handle("Service", "v1", 'unknown field "a"') == (
        'Service in version "v1" cannot be handled as a Service: unknown field "a"'
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1, "b": {"a": 2}}', []),
        (b'{"a": 1, "a": 2}', ["a"]),
        (b'{"a": 1, "a": 2, "a": 3}', ["a"]),
        (b'{"spec": {"x": [{"y": 1, "y": 1}, 5]}}', ["spec.x[0].y"]),
        (b'{"a": {"b": 1, "b": 2}, "c": 1, "c": 1}', ["a.b", "c"]),
        (b'[1, {"a": 1, "a": 1}]', ["[1].a"]),
        (b"{", []),
        (b"\xff", []),
        (b"[" * 100_000, []),
        (b"5", []),
    ],
)
def test_duplicate_fields(body, expected):
    assert find_duplicate_fields(body) == expected
