"""Field selectors of requests, as `kubectl --field-selector` sends them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from typing_extensions import override

from ferrolb.apimachinery.errors import SelectorError

if TYPE_CHECKING:
    from ferrolb.model import Json, JsonObject

_TERMS: Final = re.compile(r"(?:\\.|[^,\\]|\\$)+", re.DOTALL)
_TERM: Final = re.compile(r"(?P<field>.*?)(?P<operator>!=|==|=)(?P<value>.*)", re.DOTALL)
_UNESCAPE: Final = re.compile(r"\\(.?)|[,=]", re.DOTALL)

_Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldLabel:
    """Where a field label finds its value: the first of `paths` that is set, else `default`."""

    paths: tuple[_Path, ...]
    default: str = ""

    def value_in(self, obj: "JsonObject") -> str:
        """Return the value in `obj` as selectors compare it, as text."""
        for path in self.paths:
            value = _find(obj, path)
            if value is not None:
                return _text(value)
        return self.default


@dataclass(frozen=True, slots=True)
class FieldLabels:
    """The field labels that one kind supports."""

    labels: Mapping[str, FieldLabel]
    is_metadata_only: bool = False

    def unsupported(self, field: str) -> str:
        """Return what the API answers to a selector on `field`."""
        if self.is_metadata_only:
            return (
                f'"{field}" is not a known field selector: '
                'only "metadata.name", "metadata.namespace"'
            )
        return f"field label not supported: {field}"


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """`field=value`, or `field!=value` where `is_equal` is false."""

    field: str
    value: str
    label: FieldLabel
    is_equal: bool = True

    def matches(self, obj: "JsonObject") -> bool:
        """Tell whether `obj` satisfies the term."""
        return (self.label.value_in(obj) == self.value) is self.is_equal

    @override
    def __str__(self) -> str:
        escaped = re.sub(r"[\\,=]", r"\\\g<0>", self.value)
        return f"{self.field}{'=' if self.is_equal else '!='}{escaped}"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All terms must hold; none selects everything."""

    terms: tuple[FieldTerm, ...] = ()

    def matches(self, obj: "JsonObject") -> bool:
        """Tell whether `obj` satisfies every term."""
        return all(term.matches(obj) for term in self.terms)

    def required(self, field: str) -> str | None:
        """Return the value that `field` must have, or None where no term says so."""
        for term in self.terms:
            if term.field == field and term.is_equal:
                return term.value
        return None

    @override
    def __str__(self) -> str:
        return ",".join(str(term) for term in self.terms)


def _labels(
    *names: str, defaults: Mapping[str, str] | None = None, **others: tuple[str, ...]
) -> FieldLabels:
    known = defaults or {}
    labels = {
        name: FieldLabel((tuple(name.split(".")),), known.get(name, ""))
        for name in ("metadata.name", "metadata.namespace", *names)
    }
    for name, paths in others.items():
        labels[name] = FieldLabel(tuple(tuple(path.split(".")) for path in paths))
    return FieldLabels(labels)


_REFERENCE: Final = (
    "kind",
    "namespace",
    "name",
    "uid",
    "apiVersion",
    "resourceVersion",
    "fieldPath",
)


def _event_labels(reference: str) -> FieldLabels:
    # Both groups' Events are one object in the store, whichever spelling it was written with.
    labels = _labels(
        "reason",
        "type",
        source=("source.component", "deprecatedSource.component", "reportingComponent"),
        reportingComponent=("reportingComponent", "reportingController"),
        reportingController=("reportingController", "reportingComponent"),
    )
    found = {
        f"{reference}.{name}": FieldLabel((("involvedObject", name), ("regarding", name)))
        for name in _REFERENCE
    }
    return FieldLabels({**labels.labels, **found})


METADATA_LABELS: Final = FieldLabels(_labels().labels, is_metadata_only=True)
"""What every kind supports that has no list of its own."""

FIELD_LABELS: Final[Mapping[tuple[str, str], FieldLabels]] = {
    ("", "Event"): _event_labels("involvedObject"),
    ("events.k8s.io", "Event"): _event_labels("regarding"),
    ("", "Namespace"): _labels("status.phase"),
    ("", "Node"): _labels("spec.unschedulable", defaults={"spec.unschedulable": "false"}),
    ("", "Pod"): _labels(
        "spec.hostNetwork",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.nominatedNodeName",
        "status.phase",
        "status.podIP",
        defaults={"spec.hostNetwork": "false"},
    ),
    ("", "Secret"): _labels("type"),
    ("", "Service"): _labels("spec.clusterIP", "spec.type"),
}
"""Field labels by group and kind, as the API server's own conversions list them."""


def field_labels(group: str, kind: str, selectable: "Iterable[str]" = ()) -> FieldLabels:
    """Return the labels of a kind; `selectable` are JSON paths of a custom resource's version."""
    known = FIELD_LABELS.get((group, kind), METADATA_LABELS)
    added = {
        path.removeprefix("."): FieldLabel((tuple(path.removeprefix(".").split(".")),))
        for path in selectable
    }
    return FieldLabels({**known.labels, **added}) if added else known


def parse_field_selector(text: str, labels: FieldLabels = METADATA_LABELS) -> FieldSelector:
    r"""Read `metadata.name=a,spec.type!=b`; `\` escapes a comma, `=` or `\` in a value.

    Raises:
        SelectorError: the text is no selector, or names a field that `labels` lacks.
    """
    return FieldSelector(
        tuple(_parse_term(term, text, labels) for term in sorted(_TERMS.findall(text)))
    )


def _parse_term(term: str, text: str, labels: FieldLabels) -> FieldTerm:
    found = _TERM.fullmatch(term)
    if found is None:
        msg = f"invalid selector: '{text}'; can't understand '{term}'"
        raise SelectorError(msg)
    field, value = found["field"], _UNESCAPE.sub(_unescape, found["value"])
    label = labels.labels.get(field)
    if label is None:
        raise SelectorError(labels.unsupported(field))
    return FieldTerm(field, value, label, is_equal=found["operator"] != "!=")


def _unescape(found: "re.Match[str]") -> str:
    escaped = found[1]
    if escaped is None:
        msg = f"invalid field selector: unescaped character in value: {ord(found[0])}"
        raise SelectorError(msg)
    if escaped not in ("\\", ",", "="):
        msg = f"invalid field selector: invalid escape sequence: {found[0]}"
        raise SelectorError(msg)
    return escaped


def _find(obj: "JsonObject", path: _Path) -> "Json":
    value: Json = obj
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _text(value: "Json") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
