"""delete and deletecollection."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from ferrolb.apimachinery import FieldError
from ferrolb.devserver.body_text import UnreadableBodyError, read_text
from ferrolb.devserver.builtin import DEFINITIONS
from ferrolb.devserver.call_options import dry_run_errors
from ferrolb.devserver.calls import Call
from ferrolb.devserver.definitions import CLEANUP_FINALIZER
from ferrolb.devserver.lifetimes import Policy, deletion_finalizers
from ferrolb.devserver.reading import ListOptions, read_page
from ferrolb.devserver.representations import (
    decode,
    json_response,
    list_response,
    object_response,
)
from ferrolb.devserver.selecting import predicate_of
from ferrolb.devserver.statuses import (
    Target,
    conflict,
    forbidden,
    invalid,
    not_found,
    success,
    unexplained,
)
from ferrolb.devserver.strategies import member_of, metadata_of
from ferrolb.model import JsonObject, quote
from ferrolb.store import (
    NO_PRECONDITIONS,
    ConflictError,
    NotFoundError,
    ObjectKey,
    Precondition,
    Preconditions,
    Write,
)

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster

PROTECTED_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})
"""Namespaces that clusters never let go."""

ANSWERED_WITH_OBJECT = frozenset({"pods", "services", "serviceaccounts"})
"""Core resources whose deletion answers with the object instead of a Status."""

_POLICIES: Final = tuple(Policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """What a client asks of a deletion, in its body or in its URL."""

    policy: Policy | None = None
    """What is to become of the object's dependents; None: as its finalizers say."""
    preconditions: Preconditions = NO_PRECONDITIONS
    is_dry_run: bool = False

    def finalizers(self, given: list[str]) -> list[str]:
        """Return the finalizers that the object of a deletion has."""
        return deletion_finalizers(self.policy, given)


async def delete_object(cluster: "Cluster", call: Call) -> Response:
    """Delete an object, or mark it while it has finalizers."""
    options = _delete_options(call)
    write = await _delete(cluster, call, call.key(), options)
    resource = call.resource
    is_gone = write.is_removal or (options.is_dry_run and not _is_held(write))
    if not is_gone or (not resource.group and resource.plural in ANSWERED_WITH_OBJECT):
        return object_response(call, write.encoded, now=cluster.now())
    uid = metadata_of(decode(write.encoded)).get("uid")
    return json_response(success(call.target, str(uid)))


def _is_held(write: Write) -> bool:
    return metadata_of(decode(write.encoded)).get("deletionTimestamp") is not None


async def _delete(cluster: "Cluster", call: Call, key: ObjectKey, options: DeleteOptions) -> Write:
    """Delete one object; what it is held by goes on it first."""
    if call.resource.plural == "namespaces" and key.name in PROTECTED_NAMESPACES:
        raise forbidden(call.target, "this namespace may not be deleted")

    def finalizers(given: list[str]) -> list[str]:
        left = options.finalizers(given)
        is_missing = key.resource == DEFINITIONS and CLEANUP_FINALIZER not in left
        return [*left, CLEANUP_FINALIZER] if is_missing else left

    try:
        write = cluster.store.delete(
            key,
            now=cluster.now(),
            preconditions=options.preconditions,
            finalizers=finalizers,
            dry_run=options.is_dry_run,
        )
    except NotFoundError as error:
        raise not_found(call.target_named(key.name)) from error
    except ConflictError as error:
        raise conflict(call.kind_target(key.name), _conflict_text(error)) from error
    await cluster.committed(write.change)
    return write


def _conflict_text(error: ConflictError) -> str:
    if error.precondition is Precondition.UID:
        return (
            f"the UID in the precondition ({error.expected}) does not match the UID in record "
            f"({error.actual}). The object might have been deleted and then recreated"
        )
    return (
        f"the ResourceVersion in the precondition ({error.expected}) does not match the "
        f"ResourceVersion in record ({error.actual}). The object might have been modified"
    )


def _delete_options(call: Call) -> DeleteOptions:
    """Return what is asked for in the body, or, where there is none, in the URL.

    Raises:
        ApiError: 422, it is not to be had; 500, the body cannot be read.
    """
    given: JsonObject = _body_options(call) if call.body else {**call.query}
    if not call.body and "dryRun" in given:
        given["dryRun"] = [given["dryRun"]]
    errors = []
    policy, orphan = given.get("propagationPolicy"), given.get("orphanDependents")
    path = "propagationPolicy"
    if policy and orphan is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(FieldError.invalid(path, policy, text))
    elif policy and policy not in _POLICIES:
        errors.append(FieldError.unsupported(path, policy, [*_POLICIES, "nil"]))
    dry_run = given.get("dryRun")
    asked = dry_run if isinstance(dry_run, list) else []
    errors += dry_run_errors(asked)
    if errors:
        raise invalid(Target(group="meta.k8s.io", resource="DeleteOptions"), errors)
    if orphan is not None:
        policy = Policy.BACKGROUND if orphan in (False, "false", "0") else Policy.ORPHAN
    return DeleteOptions(
        policy=Policy(str(policy)) if policy else None,
        preconditions=_preconditions(member_of(given, "preconditions")),
        is_dry_run=bool(asked) or call.is_dry_run,
    )


def _preconditions(given: JsonObject) -> Preconditions:
    uid, version = given.get("uid"), given.get("resourceVersion")
    return Preconditions(
        uid=uid if isinstance(uid, str) else None,
        resource_version=version if isinstance(version, str) else None,
    )


def _body_options(call: Call) -> JsonObject:
    try:
        document = read_text(call.body, call.content_type).document
    except UnreadableBodyError as error:
        raise unexplained(f"couldn't get version/kind; json parse error: {error}") from error
    if document is None:
        return {}
    kind = document.get("kind", "DeleteOptions") if isinstance(document, dict) else ""
    if not isinstance(document, dict) or kind != "DeleteOptions":
        version = document.get("apiVersion", "v1") if isinstance(document, dict) else "v1"
        raise unexplained(
            f"no kind {quote(str(kind))} is registered for version {quote(str(version))} in "
            'scheme "pkg/runtime/scheme.go:110"'
        )
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
        write = await _delete(cluster, call, key, options)
        deleted.append(write.encoded)
    version = str(cluster.store.resource_version)
    return list_response(call, deleted, {"resourceVersion": version}, now=cluster.now())
