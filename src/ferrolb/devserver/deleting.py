"""delete and deletecollection."""

from typing import TYPE_CHECKING

from starlette.responses import Response

from ferrolb.devserver.bodies import parse_document
from ferrolb.devserver.calls import Call
from ferrolb.devserver.reading import ListOptions, read_page
from ferrolb.devserver.representations import (
    decode,
    json_response,
    list_response,
    object_response,
)
from ferrolb.devserver.selecting import predicate_of
from ferrolb.devserver.statuses import bad_request, conflict, forbidden, not_found, success
from ferrolb.devserver.strategies import member_of, metadata_of
from ferrolb.devserver.writing import conflict_text
from ferrolb.model import JsonObject
from ferrolb.store import ConflictError, NotFoundError, ObjectKey, Preconditions, Write

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster

PROTECTED_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})
"""Namespaces that clusters never let go."""

ANSWERED_WITH_OBJECT = frozenset({"pods", "services", "serviceaccounts"})
"""Core resources whose deletion answers with the object instead of a Status."""


async def delete_object(cluster: "Cluster", call: Call) -> Response:
    """Delete an object, or mark it while it has finalizers."""
    options = _delete_options(call)
    write = _delete(cluster, call, call.key(), options)
    await cluster.committed(write.change)
    resource = call.resource
    is_gone = write.is_removal or (call.is_dry_run and not _is_held(write))
    if not is_gone or (not resource.group and resource.plural in ANSWERED_WITH_OBJECT):
        return object_response(call, write.encoded, now=cluster.now())
    uid = metadata_of(decode(write.encoded)).get("uid")
    return json_response(success(call.target, str(uid)))


def _is_held(write: Write) -> bool:
    return metadata_of(decode(write.encoded)).get("deletionTimestamp") is not None


def _delete(cluster: "Cluster", call: Call, key: ObjectKey, options: JsonObject) -> Write:
    if call.resource.plural == "namespaces" and key.name in PROTECTED_NAMESPACES:
        raise forbidden(call.target, "this namespace may not be deleted")
    given = member_of(options, "preconditions")
    uid, version = given.get("uid"), given.get("resourceVersion")
    preconditions = Preconditions(
        uid=uid if isinstance(uid, str) else None,
        resource_version=version if isinstance(version, str) else None,
    )
    try:
        return cluster.store.delete(
            key, now=cluster.now(), preconditions=preconditions, dry_run=_is_dry(call, options)
        )
    except NotFoundError as error:
        raise not_found(call.target_named(key.name)) from error
    except ConflictError as error:
        text = conflict_text(error) or (
            "Precondition failed: ResourceVersion in precondition: "
            f"{error.expected}, ResourceVersion in object meta: {error.actual}"
        )
        raise conflict(call.target_named(key.name), text) from error


def _is_dry(call: Call, options: JsonObject) -> bool:
    return call.is_dry_run or options.get("dryRun") == ["All"]


def _delete_options(call: Call) -> JsonObject:
    if not call.body:
        return {}
    document = parse_document(call)
    if not isinstance(document, dict) or document.get("kind", "DeleteOptions") != "DeleteOptions":
        raise bad_request("the body of a deletion is a DeleteOptions object")
    return document


async def delete_collection(cluster: "Cluster", call: Call) -> Response:
    """Delete all objects that the selectors choose."""
    options = _delete_options(call)
    page = read_page(cluster, call, ListOptions(matches=predicate_of(call)))
    deleted: list[bytes] = []
    for encoded in page.encoded:
        metadata = metadata_of(decode(encoded))
        key = ObjectKey(
            call.resource.storage, str(metadata.get("namespace") or ""), str(metadata["name"])
        )
        write = _delete(cluster, call, key, options)
        await cluster.committed(write.change)
        deleted.append(write.encoded)
    version = str(cluster.store.resource_version)
    return list_response(call, deleted, {"resourceVersion": version}, now=cluster.now())
