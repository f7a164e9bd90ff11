"""What stands between a decoded object and the store: its name, its namespace, its kind."""

import re
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery import FieldError, FieldErrorKind
from ferrolb.devserver.builtin import NAMESPACES
from ferrolb.devserver.calls import Call, Verb
from ferrolb.devserver.lifetimes import without_repeated_owners
from ferrolb.devserver.names import MAX_GENERATED
from ferrolb.devserver.statuses import (
    Target,
    bad_request,
    forbidden,
    internal,
    invalid,
    not_found,
    unexplained,
)
from ferrolb.devserver.strategies import Prepared, metadata_of
from ferrolb.model import JsonObject, quote
from ferrolb.store import NotFoundError, ObjectKey, Preconditions

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster

GENERATED_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Characters of generated names: no vowels and no lookalikes, so that no words come about."""
GENERATED_LENGTH: Final = 5

_SET_BY_SERVER: Final = (
    "uid",
    "selfLink",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
"""What clients may say of a new object, and nobody listens."""

_NO_VERSION: Final = (None, "", "0")
"""Values of resourceVersion that ask for none."""

_VERSION: Final = re.compile(r"[0-9]+", re.ASCII)


def named(call: "Call", obj: JsonObject) -> JsonObject:
    """Return a new object with the namespace of the path, and a name where it asks for one.

    Raises:
        ApiError: 400, the object names another namespace; 500, it names a resourceVersion.
    """
    metadata = _with_owners_once(call, dict(metadata_of(obj)))
    _check_namespace(call, metadata)
    if metadata.pop("resourceVersion", None) not in _NO_VERSION:
        raise unexplained("resourceVersion should not be set on objects to be created")
    for field in _SET_BY_SERVER:
        metadata.pop(field, None)
    prefix = metadata.get("generateName")
    if not metadata.get("name") and isinstance(prefix, str) and prefix:
        metadata["name"] = prefix[:MAX_GENERATED] + _random_suffix()
    return {**obj, "metadata": metadata}


def matching_path(call: "Call", obj: JsonObject) -> JsonObject:
    """Return an object for update, checked to be the one that the path names.

    Raises:
        ApiError: 400, it is another, or names none.
    """
    metadata = _with_owners_once(call, dict(metadata_of(obj)))
    name = metadata.get("name")
    if not name:
        raise bad_request(
            f"the name of the object ({call.path.name} based on URL) was undeterminable: "
            "name must be provided"
        )
    _check_namespace(call, metadata)
    if name != call.path.name:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({call.path.name})"
        )
    metadata["name"] = name
    return {**obj, "metadata": metadata}


def _with_owners_once(call: "Call", metadata: JsonObject) -> JsonObject:
    is_patched = call.verb in (Verb.PATCH, Verb.APPLY)
    kept, warnings = without_repeated_owners(metadata, is_patched=is_patched)
    call.warnings += warnings
    return kept


def _check_namespace(call: "Call", metadata: JsonObject) -> None:
    given = metadata.get("namespace") or call.namespace
    if call.resource.is_namespaced and given != call.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata.pop("namespace", None)
    if call.resource.is_namespaced:
        metadata["namespace"] = call.namespace


def _random_suffix() -> str:
    return "".join(secrets.choice(GENERATED_ALPHABET) for _ in range(GENERATED_LENGTH))


def check_namespace_open(cluster: "Cluster", call: "Call", name: str) -> None:
    """Check that objects may be made in the namespace of a path.

    Raises:
        ApiError: 404, there is no such namespace; 403, it is being deleted.
    """
    if not call.resource.is_namespaced:
        return
    try:
        namespace = cluster.store.get(ObjectKey(NAMESPACES, "", call.namespace))
    except NotFoundError as error:
        raise not_found(Target(resource="namespaces", name=call.namespace)) from error
    if metadata_of(namespace).get("deletionTimestamp") is not None:
        cause: JsonObject = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {call.namespace} is being terminated",
            "field": "metadata.namespace",
        }
        why = (
            f"unable to create new content in namespace {call.namespace} because it is being "
            "terminated"
        )
        raise forbidden(call.target_named(name), why, [cause])


def checked(call: "Call", prepared: Prepared, name: str) -> JsonObject:
    """Return the object to store.

    Raises:
        ApiError: 422, fields are wrong; 500, the server has nothing left to give.
    """
    if not prepared.errors:
        call.warnings += prepared.warnings
        return prepared.obj
    broken = [error for error in prepared.errors if error.kind is FieldErrorKind.INTERNAL]
    if broken:
        raise internal(broken[0].detail)
    raise invalid(call.kind_target(name), prepared.errors)


def preconditions_of(call: "Call", obj: JsonObject) -> Preconditions:
    """Return what an object to be written says of the one it replaces.

    Raises:
        ApiError: 500, its resourceVersion is none.
    """
    metadata = metadata_of(obj)
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    if version in _NO_VERSION:
        version = None
    elif not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise unexplained(f"strconv.ParseUint: parsing {quote(str(version))}: invalid syntax")
    is_named = call.verb is Verb.UPDATE and isinstance(uid, str) and uid
    return Preconditions(uid=str(uid) if is_named else None, resource_version=version)


def check_version_given(call: "Call", obj: JsonObject) -> None:
    """Check that a PUT of a custom resource says which version it replaces.

    Raises:
        ApiError: 422, it does not.
    """
    version = metadata_of(obj).get("resourceVersion")
    if call.resource.traits.needs_version_on_update and version in _NO_VERSION:
        text = "must be specified for an update"
        error = FieldError.invalid("metadata.resourceVersion", 0, text)
        raise invalid(call.target, [error])


def time_text(now: datetime) -> str:
    """Return a point in time as managed fields have it."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")
