"""Questions about what users may do."""

from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery import FieldError, PathRequest, ResourceRequest, User
from ferrolb.devserver.statuses import bad_request
from ferrolb.devserver.strategies import member_of, metadata_of
from ferrolb.model import Json, JsonObject

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster

LOCAL: Final = "LocalSubjectAccessReview"
"""Asks about its own namespace, and is created there."""

_OF_SUBJECTS: Final = frozenset({"SubjectAccessReview", LOCAL})
_OF_ACCESS: Final = _OF_SUBJECTS | {"SelfSubjectAccessReview"}

_RESOURCE: Final = "resourceAttributes"
_PATH: Final = "nonResourceAttributes"

_OF_SERVER: Final = frozenset({"creationTimestamp", "managedFields"})
"""What clients send of metadata without meaning anything by it."""


def review_own_access(cluster: "Cluster", user: User, spec: JsonObject) -> JsonObject:
    """Return whether a request of the caller would be allowed."""
    decision = cluster.authorizer.decide(user, _request_of(spec))
    status: JsonObject = {"allowed": decision.is_allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return status


def review_access(cluster: "Cluster", _user: User, spec: JsonObject) -> JsonObject:
    """Return whether a request of the user named would be allowed."""
    user = User(
        name=_text(spec, "user"),
        uid=_text(spec, "uid"),
        groups=tuple(_strings(spec.get("groups"))),
    )
    return review_own_access(cluster, user, spec)


def review_rules(cluster: "Cluster", user: User, spec: JsonObject) -> JsonObject:
    """Return what the caller may do in a namespace.

    Raises:
        ApiError: 400, none is named.
    """
    namespace = _text(spec, "namespace")
    if not namespace:
        raise bad_request("no namespace on request")
    return cluster.authorizer.rules_of(user, namespace)


def placed(obj: JsonObject, namespace: str) -> JsonObject:
    """Return a review that is created in a namespace, with that in its metadata.

    Raises:
        ApiError: 400, it says that it is in another one.
    """
    metadata = metadata_of(obj)
    if metadata.get("namespace") not in (None, "", namespace):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return {**obj, "metadata": {**metadata, "namespace": namespace}}


def access_errors(kind: str, obj: JsonObject) -> list[FieldError]:
    """Return what is wrong with a question about access; of other reviews nothing is."""
    if kind not in _OF_ACCESS:
        return []
    spec = member_of(obj, "spec")
    errors = _spec_errors(spec)
    if kind in _OF_SUBJECTS and not spec.get("user") and not spec.get("groups"):
        detail = "at least one of user or group must be specified"
        errors.append(FieldError.invalid("spec.user", "", detail))
    metadata = {name: value for name, value in metadata_of(obj).items() if name not in _OF_SERVER}
    if kind == LOCAL:
        if not errors:
            errors = _local_errors(spec, metadata.pop("namespace", ""))
    elif metadata:
        errors.append(FieldError.invalid("metadata", metadata, "must be empty"))
    return errors


def _spec_errors(spec: JsonObject) -> list[FieldError]:
    has_resource, path = isinstance(spec.get(_RESOURCE), dict), spec.get(_PATH)
    if has_resource and isinstance(path, dict):
        detail = f"cannot be specified in combination with {_RESOURCE}"
        return [FieldError.invalid(f"spec.{_PATH}", _shown(path), detail)]
    if not has_resource and not isinstance(path, dict):
        detail = f"exactly one of {_PATH} or {_RESOURCE} must be specified"
        return [FieldError.invalid(f"spec.{_RESOURCE}", None, detail)]
    return []


def _local_errors(spec: JsonObject, namespace: Json) -> list[FieldError]:
    path = spec.get(_PATH)
    if isinstance(path, dict):
        detail = "disallowed on this kind of request"
        return [FieldError.invalid(f"spec.{_PATH}", _shown(path), detail)]
    asked = _text(member_of(spec, _RESOURCE), "namespace")
    if asked != namespace:
        field = f"spec.{_RESOURCE}.namespace"
        return [FieldError.invalid(field, asked, "must match metadata.namespace")]
    return []


def _shown(path: JsonObject) -> JsonObject:
    return {"Path": _text(path, "path"), "Verb": _text(path, "verb")}


def _request_of(spec: JsonObject) -> ResourceRequest | PathRequest:
    path = spec.get(_PATH)
    if isinstance(path, dict):
        return PathRequest(verb=_text(path, "verb"), path=_text(path, "path"))
    asked = member_of(spec, _RESOURCE)
    return ResourceRequest(
        verb=_text(asked, "verb"),
        group=_text(asked, "group"),
        resource=_text(asked, "resource"),
        subresource=_text(asked, "subresource"),
        namespace=_text(asked, "namespace"),
        name=_text(asked, "name"),
    )


def _text(obj: JsonObject, name: str) -> str:
    value = obj.get(name)
    return value if isinstance(value, str) else ""


def _strings(value: Json) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
