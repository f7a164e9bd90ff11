"""Nobody hands on more rights than they have, unless a right of its own lets them."""

from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery import (
    RBAC_GROUP,
    ResourceRequest,
    join_reasons,
    parse_rules,
    quoted_list,
    uncovered,
)
from ferrolb.devserver.authentication import MASTERS
from ferrolb.devserver.builtin import CLUSTER_ROLES, ROLES_AND_BINDINGS
from ferrolb.devserver.statuses import Target, forbidden, not_found, unexplained
from ferrolb.devserver.strategies import member_of, metadata_of
from ferrolb.model import JsonObject, quote
from ferrolb.store import NotFoundError, ObjectKey, ResourceId

if TYPE_CHECKING:
    from ferrolb.devserver.calls import Call
    from ferrolb.devserver.cluster import Cluster

_ROLES: Final = ResourceId(RBAC_GROUP, "roles")

_EVERYTHING: Final[list[JsonObject]] = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
]
"""What an aggregation may gather."""


def check_escalation(
    cluster: "Cluster", call: "Call", obj: JsonObject, old: JsonObject | None
) -> None:
    """Refuse a role or binding that grants what its writer does not have.

    Raises:
        ApiError: 403, it does; 404, there is no such role to bind.
    """
    if call.resource.storage not in ROLES_AND_BINDINGS or MASTERS in call.user.groups:
        return
    is_role = call.resource.storage in (CLUSTER_ROLES, _ROLES)
    explicit = _escalate(call) if is_role else _bind(call, obj)
    if explicit is not None and cluster.authorizer.decide(call.user, explicit).is_allowed:
        return
    if old is not None and _concerns_collection_only(obj, old):
        return
    if is_role:
        _check_role(cluster, call, obj, old)
    else:
        _check_held(cluster, call, obj, _rules_of_role(cluster, call, obj))


def _check_role(cluster: "Cluster", call: "Call", obj: JsonObject, old: JsonObject | None) -> None:
    _check_held(cluster, call, obj, _rules(obj))
    if not (_has_aggregation(obj) or _has_aggregation(old or {})):
        return
    held = parse_rules(list(cluster.authorizer.held(call.user, call.namespace).rules))
    if uncovered(held, _EVERYTHING):
        why = "must have cluster-admin privileges to use the aggregationRule"
        raise forbidden(_target(call, obj), why)


def _check_held(
    cluster: "Cluster", call: "Call", obj: JsonObject, wanted: list[JsonObject]
) -> None:
    user = call.user
    held = cluster.authorizer.held(user, call.namespace)
    missing = uncovered(parse_rules(list(held.rules)), wanted)
    if not missing:
        return
    why = (
        f"user {quote(user.name)} (groups={quoted_list(user.groups)}) is attempting to grant RBAC "
        "permissions not currently held:\n" + "\n".join(missing)
    )
    if held.errors:
        errors = [_of_resource(error, call.resource.plural) for error in held.errors]
        why += f"; resolution errors: [{join_reasons(errors)}]"
    raise forbidden(_target(call, obj), why)


def _escalate(call: "Call") -> ResourceRequest:
    return ResourceRequest(
        verb="escalate",
        group=RBAC_GROUP,
        resource=call.resource.plural,
        namespace=call.namespace,
        name=call.path.name,
    )


def _bind(call: "Call", obj: JsonObject) -> ResourceRequest | None:
    role = member_of(obj, "roleRef")
    plural = {"ClusterRole": "clusterroles", "Role": "roles"}.get(str(role.get("kind")))
    if plural is None:
        return None
    return ResourceRequest(
        verb="bind",
        group=str(role.get("apiGroup") or ""),
        resource=plural,
        namespace=call.namespace,
        name=str(role.get("name") or ""),
    )


def _rules_of_role(cluster: "Cluster", call: "Call", binding: JsonObject) -> list[JsonObject]:
    role = member_of(binding, "roleRef")
    kind, name = str(role.get("kind") or ""), str(role.get("name") or "")
    if kind == "ClusterRole":
        key = ObjectKey(CLUSTER_ROLES, "", name)
    elif kind == "Role":
        key = ObjectKey(_ROLES, call.namespace, name)
    else:
        raise unexplained(f"unsupported role reference kind: {quote(kind)}")
    try:
        return _rules(cluster.store.get(key))
    except NotFoundError as error:
        raise not_found(call.target_named(name)) from error


def _of_resource(error: str, resource: str) -> str:
    """Return an error of a missing role as a write has it: named as what is written."""
    kind, dot, rest = error.partition(".")
    return f"{resource}.{rest}" if dot and kind in ("role", "clusterrole") else error


def _concerns_collection_only(obj: JsonObject, old: JsonObject) -> bool:
    """Tell whether a change is about owners and finalizers alone: whoever may write, may that."""
    return _without_collection(obj) == _without_collection(old)


def _without_collection(obj: JsonObject) -> JsonObject:
    ignored = ("ownerReferences", "finalizers", "managedFields")
    metadata = {key: value for key, value in metadata_of(obj).items() if key not in ignored}
    kept: JsonObject = {key: value for key, value in obj.items() if value is not None}
    return {**kept, "metadata": metadata}


def _has_aggregation(role: JsonObject) -> bool:
    return bool(member_of(role, "aggregationRule").get("clusterRoleSelectors"))


def _rules(role: JsonObject) -> list[JsonObject]:
    rules = role.get("rules")
    return [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []


def _target(call: "Call", obj: JsonObject) -> Target:
    return call.target_named(str(metadata_of(obj).get("name") or ""))
