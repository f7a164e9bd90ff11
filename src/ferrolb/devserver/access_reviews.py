"""Questions about what users may do."""

from typing import TYPE_CHECKING

from ferrolb.apimachinery import User
from ferrolb.model import JsonObject

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster


def review_access(_cluster: "Cluster", _user: User, _spec: JsonObject) -> JsonObject:
    """Return whether a request would be allowed: always."""
    return {"allowed": True, "reason": "the development server has no authorization"}


def review_rules(cluster: "Cluster", user: User, spec: JsonObject) -> JsonObject:
    """Return what the caller may do in a namespace."""
    return cluster.authorizer.rules_of(user, str(spec.get("namespace") or ""))
