"""Schemas for tests: a Service as the API describes it, and a custom resource."""

from ferrolb.apimachinery import SchemaView
from ferrolb.model import JsonObject

TEXT: JsonObject = {"type": "string"}
TEXT_MAP: JsonObject = {"type": "object", "additionalProperties": TEXT}

COMPONENTS: dict[str, JsonObject] = {
    "ObjectMeta": {
        "type": "object",
        "properties": {
            "name": TEXT,
            "namespace": TEXT,
            "uid": TEXT,
            "resourceVersion": TEXT,
            "creationTimestamp": TEXT,
            "generation": {"type": "integer"},
            "labels": TEXT_MAP,
            "annotations": TEXT_MAP,
            "finalizers": {
                "type": "array",
                "items": TEXT,
                "x-kubernetes-list-type": "set",
                "x-kubernetes-patch-strategy": "merge",
            },
            "managedFields": {"type": "array", "x-kubernetes-list-type": "atomic"},
        },
    },
    "Port": {
        "type": "object",
        "properties": {
            "name": TEXT,
            "port": {"type": "integer"},
            "protocol": {"type": "string", "default": "TCP"},
            "nodePort": {"type": "integer"},
            "targetPort": {"format": "int-or-string"},
        },
    },
    "Condition": {"type": "object", "properties": {"type": TEXT, "status": TEXT}},
    "Container": {
        "type": "object",
        "properties": {
            "name": TEXT,
            "image": TEXT,
            "args": {"type": "array", "items": TEXT},
            "ports": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/Port"},
                "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "port",
            },
        },
    },
}

SERVICE = SchemaView.of(
    {
        "type": "object",
        "properties": {
            "apiVersion": TEXT,
            "kind": TEXT,
            "metadata": {"allOf": [{"$ref": "#/components/schemas/ObjectMeta"}]},
            "spec": {
                "type": "object",
                "properties": {
                    "type": TEXT,
                    "clusterIP": TEXT,
                    "selector": {**TEXT_MAP, "x-kubernetes-map-type": "atomic"},
                    "externalIPs": {
                        "type": "array",
                        "items": TEXT,
                        "x-kubernetes-list-type": "atomic",
                    },
                    "ports": {
                        "type": "array",
                        "items": {"allOf": [{"$ref": "#/components/schemas/Port"}]},
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["port", "protocol"],
                        "x-kubernetes-patch-strategy": "merge",
                        "x-kubernetes-patch-merge-key": "port",
                    },
                },
            },
            "status": {
                "type": "object",
                "properties": {
                    "conditions": {
                        "type": "array",
                        "items": {"$ref": "#/components/schemas/Condition"},
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["type"],
                        "x-kubernetes-patch-strategy": "merge",
                        "x-kubernetes-patch-merge-key": "type",
                    }
                },
            },
        },
    },
    COMPONENTS,
)

POD_SPEC = SchemaView.of(
    {
        "type": "object",
        "properties": {
            "containers": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/Container"},
                "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "name",
            },
            "strategy": {
                "type": "object",
                "properties": {"type": TEXT, "rollingUpdate": {"type": "object"}},
                "x-kubernetes-patch-strategy": "retainKeys",
            },
            "volumes": {
                "type": "array",
                "items": {"type": "object", "properties": {"name": TEXT}},
                "x-kubernetes-patch-strategy": "merge,retainKeys",
                "x-kubernetes-patch-merge-key": "name",
            },
            "broken": {
                "type": "array",
                "items": {"type": "object"},
                "x-kubernetes-patch-strategy": "merge",
            },
            "whole": {
                "type": "object",
                "additionalProperties": TEXT,
                "x-kubernetes-patch-strategy": "replace",
            },
        },
    },
    COMPONENTS,
)

POOL = SchemaView.of(
    {
        "type": "object",
        "properties": {
            "metadata": {"type": "object"},
            "spec": {
                "type": "object",
                "properties": {
                    "addresses": {"type": "array", "items": TEXT},
                    "autoAssign": {"type": "boolean"},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "open": {
                        "type": "object",
                        "properties": {"a": TEXT},
                        "additionalProperties": True,
                    },
                },
            },
        },
    }
)
