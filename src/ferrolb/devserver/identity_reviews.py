"""Questions about who users are."""

from typing import TYPE_CHECKING

from ferrolb.apimachinery import User
from ferrolb.devserver.authentication import Recognized
from ferrolb.devserver.statuses import bad_request
from ferrolb.model import JsonObject

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster


def review_token(cluster: "Cluster", _user: User, spec: JsonObject) -> JsonObject:
    """Return whose token it is.

    Raises:
        ApiError: 400, there is none.
    """
    token, given = spec.get("token"), spec.get("audiences")
    if not isinstance(token, str) or not token:
        raise bad_request("token is required for TokenReview in authentication")
    asked = given if isinstance(given, list) else []
    audiences = [each for each in asked if isinstance(each, str)]
    found = cluster.authenticator.review(token, audiences)
    if not isinstance(found, Recognized):
        invalid = "invalid bearer token"
        return {"user": {}, "error": f"[{invalid}, {found.why}]" if found.why else invalid}
    return {
        "authenticated": True,
        "user": user_info(found.user),
        "audiences": list(found.audiences),
    }


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
