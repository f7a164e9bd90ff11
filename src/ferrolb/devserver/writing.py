"""create, update and patch."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from ferrolb.apimachinery import (
    MalformedPatchError,
    PatchError,
    TooManyOperationsError,
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
from ferrolb.devserver.bodies import (
    SCHEME,
    check_kind,
    known_fields,
    not_a_map,
    not_operations,
    parse_applied,
    parse_object,
    parse_patch,
)
from ferrolb.devserver.body_text import STRATEGIC_PATCH
from ferrolb.devserver.calls import Call, Verb
from ferrolb.devserver.escalation import check_escalation
from ferrolb.devserver.ownership import applied, tracked
from ferrolb.devserver.representations import ENCODER, object_response
from ferrolb.devserver.statuses import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    not_found,
    patch_refused,
    patch_rejected,
    too_many_operations,
    unexplained,
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
    Preconditions,
    Write,
)

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"

_STORAGE_PATHS: Final = {
    "services": "services/specs",
    "endpoints": "services/endpoints",
    "nodes": "minions",
}
"""Where a real server stores kinds that are not stored under their plural; some refusals say so."""

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
            raise _taken(cluster, call, obj, error) from error
        break
    await cluster.committed(write.change)
    return object_response(call, write.encoded, now=cluster.now(), status=201)


def _taken(cluster: "Cluster", call: Call, obj: JsonObject, error: AlreadyExistsError) -> ApiError:
    there = metadata_of(cluster.store.get(error.key))
    return already_exists(
        call.target_named(error.key.name),
        is_going=there.get("deletionTimestamp") is not None,
        is_generated=bool(metadata_of(obj).get("generateName")),
    )


def _create(cluster: "Cluster", call: Call, obj: JsonObject) -> Write:
    name = str(metadata_of(obj).get("name") or "")
    resource = call.resource
    check_namespace_open(cluster, call, name)
    sent = owned(cluster, call, resource.strategy.default(obj), None)
    check_escalation(cluster, call, sent, None)
    new = checked(call, resource.strategy.on_create(sent), name)
    if call.verb is not Verb.CREATE:
        cluster.authorizer.check(call.user, call.creation)
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
    wanted = resource.strategy.default(obj)
    check_escalation(cluster, call, wanted, old)
    preconditions = preconditions_of(call, obj)
    _check_preconditions(call, preconditions, stored)
    sent = owned(cluster, call, wanted, old)
    if call.is_status:
        prepared = resource.strategy.on_status(sent, old)
    else:
        prepared = resource.strategy.on_update(sent, old)
    new = checked(call, prepared, call.path.name)
    return cluster.store.update(
        call.key(),
        resource.incoming(new),
        generation_changed=_has_generation_changed(call, new, old),
        dry_run=call.is_dry_run,
    )


def _has_generation_changed(call: Call, new: JsonObject, old: JsonObject) -> bool | None:
    """Tell whether a write is one of those that generations count; None: the store sees it."""
    if call.is_status:
        return False
    traits = call.resource.traits
    if call.resource.kind == "Deployment" and not traits.is_custom:
        before, after = metadata_of(old).get("annotations"), metadata_of(new).get("annotations")
        return True if before != after else None
    if traits.is_custom and not traits.has_status and new.get("status") != old.get("status"):
        return True
    return None


def _check_preconditions(call: Call, preconditions: Preconditions, stored: JsonObject) -> None:
    """Check, before anything else about it, that the object is the one that the client knows."""
    key = call.key()
    try:
        preconditions.check(key, stored)
    except ConflictError as error:
        if error.precondition is Precondition.RESOURCE_VERSION:
            raise conflict(call.target) from error
        place = "/".join(part for part in (key.namespace, key.name) if part)
        text = (
            f"StorageError: invalid object, Code: 4, Key: /registry/{_storage_path(call)}/{place}, "
            "ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: "
            f"{error.expected}, UID in object meta: {error.actual}"
        )
        raise conflict(call.target, text) from error


def _storage_path(call: Call) -> str:
    resource = call.resource
    if resource.traits.is_custom:
        return f"{resource.group}/{resource.plural}"
    return _STORAGE_PATHS.get(resource.plural, resource.plural)


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
    patched = _patched(call, patcher, old)
    obj = matching_path(call, known_fields(call, patched, old))
    return await _store_update(cluster, call, obj, stored)


async def apply_object(cluster: "Cluster", call: Call) -> Response:
    """Bring an object to what a manager wants of it, and make it where it is not there yet."""
    request = _applicable(call, parse_applied(call))
    metadata = metadata_of(request)
    matching_path(call, {**request, "metadata": {"name": call.path.name, **metadata}})
    try:
        stored = cluster.store.get(call.key())
    except NotFoundError as error:
        if call.is_status:
            raise not_found(call.target) from error
        if uid := metadata.get("uid"):
            text = (
                f"uid mismatch: the provided object specified uid {uid}, and no existing object "
                "was found"
            )
            raise conflict(call.target, text) from error
        matching_path(call, request)
        obj = applied(call, None, _without_version(request), now=cluster.now())
        return await create_from(cluster, call, known_fields(call, obj))
    live = call.resource.outgoing(stored)
    obj = matching_path(call, applied(call, live, request, now=cluster.now()))
    return await _store_update(cluster, call, known_fields(call, obj, live), stored)


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
    patch = parse_patch(call)
    if not isinstance(patch, list if call.content_type == JSON_PATCH else dict):
        raise _not_a_patch(call, patch)
    try:
        patched = patcher(call, old, patch)
    except TooManyOperationsError as error:
        raise too_many_operations(str(error)) from error
    except MalformedPatchError as error:
        raise bad_request(f"error decoding patch: {error}") from error
    except PatchError as error:
        if call.content_type == JSON_PATCH:
            raise patch_rejected() from error
        raise unexplained(str(error)) from error
    if not isinstance(patched, dict):
        raise patch_refused(ENCODER.encode(patched).decode(), "the patched object is no object")
    _check_identity(call, patched)
    return patched


def _not_a_patch(call: Call, patch: Json) -> ApiError:
    if patch is None:
        return bad_request("Invalid JSON Patch")
    if call.content_type == JSON_PATCH:
        return bad_request(f"error decoding patch: {not_operations(patch)}")
    text = not_a_map(patch)
    is_merge = call.content_type == MERGE_PATCH
    return bad_request(f"error decoding patch: {text}" if is_merge else text)


def _check_identity(call: Call, patched: JsonObject) -> None:
    """Check that a patched object is still of its kind."""
    resource = call.resource
    if resource.traits.is_custom:
        check_kind(call, patched)
        return
    kind, version = patched.get("kind"), patched.get("apiVersion")
    if (kind, version) != (resource.kind, resource.api_version):
        text = f'no kind "{kind}" is registered for version "{version}" {SCHEME}'
        raise patch_refused(ENCODER.encode(patched).decode(), text)
