"""Questions about who users are."""

from typing import TYPE_CHECKING

from ferrolb.apimachinery import User
from ferrolb.model import JsonObject

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster


def review_token(cluster: "Cluster", _user: User, spec: JsonObject) -> JsonObject:
    """Return whose token it is."""
    token = spec.get("token")
    found = cluster.authenticator.user_of(token) if isinstance(token, str) else None
    if found is None:
        return {"authenticated": False, "error": "invalid bearer token"}
    return {"authenticated": True, "user": user_info(found)}


def review_self(_cluster: "Cluster", user: User, _spec: JsonObject) -> JsonObject:
    """Return who the caller is."""
    return {"userInfo": user_info(user)}


def user_info(user: User) -> JsonObject:
    """Return a user as reviews show it; what is empty is left out."""
    info: JsonObject = {
        "username": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra},
    }
    return {key: value for key, value in info.items() if value}
