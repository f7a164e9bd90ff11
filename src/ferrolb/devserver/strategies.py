"""What kinds add to create and update: server-side fields, and rules beyond the schema."""

from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from ferrolb.apimachinery import FieldError, FieldErrorKind
from ferrolb.devserver.metadata import validate_metadata
from ferrolb.devserver.names import NameRule
from ferrolb.model import Json, JsonObject

_NO_ADDRESS: Final = "must contain at least 1 address"
NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"


def metadata_of(obj: JsonObject) -> JsonObject:
    """Return the metadata of an object, not a copy; an empty object where there is none."""
    metadata = obj.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def member_of(obj: JsonObject, name: str) -> JsonObject:
    """Return an object inside an object, not a copy; an empty one where there is none."""
    value = obj.get(name)
    return value if isinstance(value, dict) else {}


def with_status_of(obj: JsonObject, old: JsonObject) -> JsonObject:
    """Return the object with the status of another."""
    result = {name: value for name, value in obj.items() if name != "status"}
    if "status" in old:
        result["status"] = old["status"]
    return result


@dataclass(frozen=True, slots=True)
class Prepared:
    """The object to store, or why it cannot be; `obj` counts only without errors."""

    obj: JsonObject
    errors: tuple[FieldError, ...] = ()
    warnings: tuple[str, ...] = ()


class Strategy:
    """How objects of a kind are made and changed; this one fits kinds without rules of their own.

    `on_...` are given objects with their schema's fields only. Kinds differ in `prepare_...`,
    which say what to store, and in `validate_rest`.
    """

    is_core = True
    """Whether metadata is checked as that of kinds that came with no definition."""

    def __init__(
        self, *, name_rule: NameRule = NameRule.SUBDOMAIN, has_status: bool = False
    ) -> None:
        self.name_rule = name_rule
        self.has_status = has_status

    def default(self, obj: JsonObject) -> JsonObject:
        """Return an object with the defaults that depend on nothing else."""
        return obj

    def reset(self, obj: JsonObject, old: JsonObject | None, *, is_status: bool) -> JsonObject:
        """Return an object without what the addressed endpoint does not write.

        Managed fields are made of this, so that nobody comes to own what was ignored.
        """
        if is_status and old is not None:
            return self.prepare_status(obj, old)
        return with_status_of(obj, old or {}) if self.has_status else obj

    def on_create(self, obj: JsonObject) -> Prepared:
        """Return what a creation stores."""
        new = self.prepare_create(obj)
        return Prepared(new, tuple(self.validate(new, None)), self.warnings(new, None))

    def on_update(self, obj: JsonObject, old: JsonObject) -> Prepared:
        """Return what an update of everything but the status stores."""
        new = self.prepare_update(obj, old)
        return Prepared(new, tuple(self.validate(new, old)), self.warnings(new, old))

    def on_status(self, obj: JsonObject, old: JsonObject) -> Prepared:
        """Return what an update of the status stores."""
        new = self.prepare_status(obj, old)
        return Prepared(new, tuple(self.validate(new, old)))

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> tuple[str, ...]:
        """Return what clients are told of an object that is accepted, which before was `old`."""
        _ = obj, old
        return ()

    def prepare_create(self, obj: JsonObject) -> JsonObject:
        """Return a new object as it starts: without status, where status is written apart."""
        return with_status_of(obj, {}) if self.has_status else obj

    def prepare_update(self, obj: JsonObject, old: JsonObject) -> JsonObject:
        """Return a changed object: its status stays, where that is written apart."""
        return with_status_of(obj, old) if self.has_status else obj

    def prepare_status(self, obj: JsonObject, old: JsonObject) -> JsonObject:
        """Return an object whose status was written: all but status and metadata stay."""
        return {**with_status_of(old, obj), "metadata": obj.get("metadata", {})}

    def validate(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        """Return what is wrong with an object, which before was `old`."""
        return self.validate_identity(obj, old) + self.validate_rest(obj, old)

    def validate_identity(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        """Return what is wrong with the metadata."""
        return validate_metadata(
            metadata_of(obj),
            rule=self.name_rule,
            old=None if old is None else metadata_of(old),
            is_core=self.is_core,
        )

    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        """Return what is wrong outside metadata."""
        _ = obj, old
        return []


class WorkloadStrategy(Strategy):
    """Deployments and the like: `/status` writes the status only, and there is a default size."""

    def __init__(self, *, has_replicas: bool) -> None:
        super().__init__(has_status=True)
        self._has_replicas = has_replicas

    @override
    def prepare_create(self, obj: JsonObject) -> JsonObject:
        return {**super().prepare_create(obj), "status": {}}

    @override
    def default(self, obj: JsonObject) -> JsonObject:
        spec = member_of(obj, "spec")
        if not self._has_replicas or "replicas" in spec:
            return obj
        return {**obj, "spec": {"replicas": 1, **spec}}

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        spec = member_of(obj, "spec")
        errors = [
            FieldError.required(f"spec.{name}") for name in ("selector",) if not spec.get(name)
        ]
        if not errors:
            errors += _unmatched(spec)
        if old is not None and spec.get("selector") and spec["selector"] != _selector(old):
            errors.append(
                FieldError.invalid("spec.selector", spec["selector"], "field is immutable")
            )
        return errors


def _unmatched(spec: JsonObject) -> list[FieldError]:
    wanted = member_of(member_of(spec, "selector"), "matchLabels")
    labels = member_of(member_of(member_of(spec, "template"), "metadata"), "labels")
    if wanted.items() <= labels.items():
        return []
    text = "`selector` does not match template `labels`"
    return [FieldError.invalid("spec.template.metadata.labels", labels or None, text)]


def _selector(obj: JsonObject) -> Json:
    return member_of(obj, "spec").get("selector")


class NamespaceStrategy(Strategy):
    """Namespaces: labelled with their name, held by a finalizer, Active."""

    def __init__(self) -> None:
        super().__init__(name_rule=NameRule.LABEL, has_status=True)

    @override
    def prepare_create(self, obj: JsonObject) -> JsonObject:
        labelled = _labelled(obj)
        return {
            **labelled,
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }

    @override
    def prepare_update(self, obj: JsonObject, old: JsonObject) -> JsonObject:
        kept = super().prepare_update(_labelled(obj), old)
        return {**kept, "spec": old.get("spec", {})}


def _labelled(obj: JsonObject) -> JsonObject:
    metadata = metadata_of(obj)
    labels = member_of(metadata, "labels")
    labels = {**labels, NAMESPACE_LABEL: metadata.get("name", "")}
    return {**obj, "metadata": {**metadata, "labels": labels}}


class NodeStrategy(Strategy):
    """Nodes: a kubelet registers itself with a status, so creation keeps it."""

    def __init__(self) -> None:
        super().__init__(has_status=True)

    @override
    def reset(self, obj: JsonObject, old: JsonObject | None, *, is_status: bool) -> JsonObject:
        return obj if old is None else super().reset(obj, old, is_status=is_status)

    @override
    def prepare_create(self, obj: JsonObject) -> JsonObject:
        return {"spec": {}, "status": {}, **obj}

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        spec, before = member_of(obj, "spec"), member_of(old or {}, "spec")
        return [
            FieldError.forbidden(path, _SET_ONCE.format(name))
            for path, name in (("spec.podCIDRs", "podCIDR"), ("spec.providerID", "providerID"))
            if before.get(name) and spec.get(name) != before[name]
        ]


_SET_ONCE: Final = 'node updates may not change {} except from "" to valid'


class PodStrategy(Strategy):
    """Pods: pending until somebody writes their status."""

    def __init__(self) -> None:
        super().__init__(has_status=True)

    @override
    def prepare_create(self, obj: JsonObject) -> JsonObject:
        spec = {**_POD_DEFAULTS, **member_of(obj, "spec")}
        return {**obj, "spec": spec, "status": {"phase": "Pending", "qosClass": _qos_class(spec)}}

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        if not member_of(obj, "spec").get("containers"):
            return [FieldError.required("spec.containers")]
        return []


_POD_DEFAULTS: Final[JsonObject] = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}


def _qos_class(spec: JsonObject) -> str:
    containers = spec.get("containers")
    entries = containers if isinstance(containers, list) else []
    has_needs = any(member_of(one, "resources") for one in entries if isinstance(one, dict))
    return "Burstable" if has_needs else "BestEffort"


class EventStrategy(Strategy):
    """Events: in the namespace of what they are about, and complete in their core spelling."""

    @override
    def prepare_create(self, obj: JsonObject) -> JsonObject:
        filled: JsonObject = {"reportingComponent": "", "reportingInstance": "", **obj}
        return filled

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        about = member_of(obj, "involvedObject") or member_of(obj, "regarding")
        expected = about.get("namespace") or "default"
        namespace = metadata_of(obj).get("namespace")
        if namespace == expected or (not about.get("namespace") and namespace == "kube-system"):
            return []
        path = "involvedObject.namespace" if "involvedObject" in obj else "regarding.namespace"
        given = about.get("namespace") or ""
        return [FieldError.invalid(path, given, "does not match event.namespace")]


class EndpointSliceStrategy(Strategy):
    """EndpointSlices: their address family never changes."""

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        kinds = ("FQDN", "IPv4", "IPv6")
        kind = obj.get("addressType")
        if not kind:
            return [FieldError.required("addressType")]
        if kind not in kinds:
            return [FieldError.unsupported("addressType", kind, kinds)]
        if old is not None and old.get("addressType") != kind:
            return [FieldError.invalid("addressType", kind, "field is immutable")]
        endpoints = obj.get("endpoints")
        return [
            FieldError(f"endpoints[{index}].addresses", FieldErrorKind.REQUIRED, None, _NO_ADDRESS)
            for index, endpoint in enumerate(endpoints if isinstance(endpoints, list) else [])
            if isinstance(endpoint, dict) and not endpoint.get("addresses")
        ]

    @override
    def default(self, obj: JsonObject) -> JsonObject:
        ports = obj.get("ports")
        if not isinstance(ports, list) or not ports:
            return obj
        filled: list[Json] = [
            {"name": "", "protocol": "TCP", **port} if isinstance(port, dict) else port
            for port in ports
        ]
        return {**obj, "ports": filled}
