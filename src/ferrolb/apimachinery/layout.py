"""How names, ages, lists, labels and selectors are written in a table cell."""

from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery.ages import age
from ferrolb.apimachinery.document import array_at, object_at, objects_at, text_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ferrolb.model import JsonObject

_SHOWN: Final = 3
"""Entries of a list shown in a cell before the rest is only counted."""


def name_of(obj: "JsonObject") -> str:
    """Return `metadata.name`."""
    return text_at(obj, "metadata", "name")


def age_of(obj: "JsonObject", now: "datetime") -> str:
    """Return the time since the object was created."""
    return age(object_at(obj, "metadata").get("creationTimestamp"), now)


def limited(entries: "Sequence[str]") -> str:
    """Return the first three entries, and how many more there are."""
    text = ",".join(entries[:_SHOWN])
    return f"{text} + {len(entries) - _SHOWN} more..." if len(entries) > _SHOWN else text


def join_host_port(host: str, port: int) -> str:
    """Return `host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def format_labels(labels: "JsonObject") -> str:
    """Return `a=b,c=d` in order of keys, `<none>` for no labels."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) or "<none>"


def format_selector(selector: "JsonObject") -> str:
    """Return a LabelSelector object as `kubectl -l` takes it, "" for one without terms."""
    terms = [(key, f"{key}={value}") for key, value in object_at(selector, "matchLabels").items()]
    terms += [
        (text_at(expression, "key"), _format_expression(expression))
        for expression in objects_at(selector, "matchExpressions")
    ]
    return ",".join(text for _, text in sorted(terms, key=lambda term: term[0]))


def _format_expression(expression: "JsonObject") -> str:
    key = text_at(expression, "key")
    values = ",".join(sorted(str(value) for value in array_at(expression, "values")))
    match text_at(expression, "operator"):
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} notin ({values})"
        case "DoesNotExist":
            return f"!{key}"
        case _:
            return key


def format_containers(pod_spec: "JsonObject") -> list[str]:
    """Return the names and the images of the containers, each as one text."""
    containers = objects_at(pod_spec, "containers")
    return [
        ",".join(text_at(container, "name") for container in containers),
        ",".join(text_at(container, "image") for container in containers),
    ]
