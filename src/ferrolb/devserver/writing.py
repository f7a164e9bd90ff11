"""create, update and patch."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from ferrolb.apimachinery import (
    MalformedPatchError,
    PatchError,
    json_patch,
    merge_patch,
    strategic_patch,
)
from ferrolb.devserver.admission import (
    check_namespace_open,
    check_version_given,
    checked,
    matching_path,
    named,
    preconditions_of,
)
from ferrolb.devserver.bodies import known_fields, parse_document, parse_object
from ferrolb.devserver.calls import Call, Verb
from ferrolb.devserver.ownership import applied, tracked
from ferrolb.devserver.representations import object_response
from ferrolb.devserver.statuses import (
    already_exists,
    bad_request,
    conflict,
    not_found,
    unprocessable,
    unsupported_media_type,
    unsupported_patch,
)
from ferrolb.devserver.strategies import metadata_of
from ferrolb.model import Json, JsonObject
from ferrolb.store import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    Precondition,
    Write,
)

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"

NAME_TRIES: Final = 8
"""Names generated before a creation gives up: with 14 million suffixes the second one is free."""


async def create_object(cluster: "Cluster", call: Call) -> Response:
    """Store a new object."""
    obj = known_fields(call, parse_object(call))
    return await create_from(cluster, call, obj)


async def create_from(cluster: "Cluster", call: Call, obj: JsonObject) -> Response:
    """Store a new object that was decoded already."""
    is_generated = not metadata_of(obj).get("name")
    for attempt in range(NAME_TRIES):
        try:
            write = _create(cluster, call, named(call, obj))
        except AlreadyExistsError as error:
            if is_generated and attempt + 1 < NAME_TRIES:
                continue
            raise already_exists(call.target_named(error.key.name)) from error
        break
    await cluster.committed(write.change)
    return object_response(call, write.encoded, now=cluster.now(), status=201)


def _create(cluster: "Cluster", call: Call, obj: JsonObject) -> Write:
    name = str(metadata_of(obj).get("name") or "")
    resource = call.resource
    check_namespace_open(cluster, call, name)
    sent = owned(cluster, call, resource.strategy.default(obj), None)
    new = checked(call, resource.strategy.on_create(sent), name)
    return cluster.store.create(
        call.key(name),
        resource.incoming(new),
        uid=cluster.new_uid(),
        now=cluster.now(),
        has_generation=resource.traits.has_generation,
        dry_run=call.is_dry_run,
    )


def owned(cluster: "Cluster", call: Call, obj: JsonObject, old: JsonObject | None) -> JsonObject:
    """Return what the endpoint takes of an object, with managed fields.

    Server-side apply has written those already.
    """
    if call.verb is Verb.APPLY:
        return obj
    written = call.resource.strategy.reset(obj, old, is_status=call.is_status)
    return tracked(call, written, old, now=cluster.now())


async def update_object(cluster: "Cluster", call: Call) -> Response:
    """Replace an object, or its status."""
    obj = matching_path(call, known_fields(call, parse_object(call)))
    try:
        stored = cluster.store.get(call.key())
    except NotFoundError as error:
        if call.resource.traits.creates_on_update and not call.is_status:
            return await create_from(cluster, call, _without_version(obj))
        raise not_found(call.target) from error
    check_version_given(call, obj)
    return await _store_update(cluster, call, obj, stored)


def _without_version(obj: JsonObject) -> JsonObject:
    metadata = {k: v for k, v in metadata_of(obj).items() if k != "resourceVersion"}
    return {**obj, "metadata": metadata}


async def _store_update(
    cluster: "Cluster", call: Call, obj: JsonObject, stored: JsonObject
) -> Response:
    write = updated(cluster, call, obj, stored)
    await cluster.committed(write.change)
    return object_response(call, write.encoded, now=cluster.now())


def updated(cluster: "Cluster", call: Call, obj: JsonObject, stored: JsonObject) -> Write:
    """Store the object in place of the one stored, unless a rule is against it.

    Raises:
        ApiError: 409, it is not the version the client knows; 422, fields are wrong.
    """
    resource = call.resource
    old = resource.outgoing(stored)
    sent = owned(cluster, call, resource.strategy.default(obj), old)
    if call.is_status:
        prepared = resource.strategy.on_status(sent, old)
    else:
        prepared = resource.strategy.on_update(sent, old)
    new = checked(call, prepared, call.path.name)
    try:
        return cluster.store.update(
            call.key(),
            resource.incoming(new),
            preconditions=preconditions_of(obj),
            generation_changed=False if call.is_status else None,
            dry_run=call.is_dry_run,
        )
    except ConflictError as error:
        raise conflict(call.target, conflict_text(error)) from error


def conflict_text(error: ConflictError) -> str:
    """Return why a precondition does not hold, as the API words it."""
    if error.precondition is Precondition.RESOURCE_VERSION:
        return ""
    return (
        f"Precondition failed: UID in precondition: {error.expected}, UID in object meta: "
        f"{error.actual}"
    )


async def patch_object(cluster: "Cluster", call: Call) -> Response:
    """Change an object, or its status, by one of the patch formats."""
    if call.content_type == APPLY_PATCH:
        return await apply_object(cluster, call)
    patcher = _PATCHERS.get(call.content_type)
    if patcher is None:
        raise unsupported_patch()
    accepted = accepted_patches(call)
    if call.content_type not in accepted:
        raise unsupported_media_type(accepted)
    try:
        stored = cluster.store.get(call.key())
    except NotFoundError as error:
        raise not_found(call.target) from error
    old = call.resource.outgoing(stored)
    obj = matching_path(call, known_fields(call, _patched(call, patcher, old), old))
    return await _store_update(cluster, call, obj, stored)


async def apply_object(cluster: "Cluster", call: Call) -> Response:
    """Bring an object to what a manager wants of it, and make it where it is not there yet."""
    request = matching_path(call, known_fields(call, parse_object(call)))
    if metadata_of(request).get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    try:
        stored = cluster.store.get(call.key())
    except NotFoundError as error:
        if call.is_status or metadata_of(request).get("uid"):
            raise not_found(call.target) from error
        obj = applied(call, None, _applicable(call, request), now=cluster.now())
        return await create_from(cluster, call, obj)
    live = call.resource.outgoing(stored)
    obj = applied(call, live, _applicable(call, request), now=cluster.now())
    return await _store_update(cluster, call, obj, stored)


def _applicable(call: Call, request: JsonObject) -> JsonObject:
    """Return what of an apply request the addressed endpoint takes."""
    if not call.resource.traits.has_status:
        return request
    if call.is_status:
        kept = ("apiVersion", "kind", "metadata", "status")
        return {name: request[name] for name in kept if name in request}
    return {name: value for name, value in request.items() if name != "status"}


def accepted_patches(call: Call) -> list[str]:
    """Return the patch formats that a resource takes."""
    formats = [JSON_PATCH, MERGE_PATCH]
    if not call.resource.traits.is_custom:
        formats.append(STRATEGIC_PATCH)
    return [*formats, APPLY_PATCH]


Patcher = Callable[[Call, JsonObject, Json], Json]


def _strategic(call: Call, old: JsonObject, patch: Json) -> Json:
    return strategic_patch(old, patch, call.resource.schema)


_PATCHERS: Final[dict[str, Patcher]] = {
    JSON_PATCH: lambda _call, old, patch: json_patch(old, patch),
    MERGE_PATCH: lambda _call, old, patch: merge_patch(old, patch),
    STRATEGIC_PATCH: _strategic,
}


def _patched(call: Call, patcher: Patcher, old: JsonObject) -> JsonObject:
    try:
        patched = patcher(call, old, parse_document(call))
    except MalformedPatchError as error:
        raise bad_request(str(error)) from error
    except PatchError as error:
        raise unprocessable(str(error)) from error
    if not isinstance(patched, dict):
        raise bad_request("the patched object is not an object")
    for field in ("apiVersion", "kind"):
        if patched.get(field) != old.get(field):
            raise bad_request(f"{field} cannot be changed by a patch")
    return patched
