"""Questions that are created to be answered, and never stored."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from ferrolb.apimachinery import User
from ferrolb.devserver.access_reviews import (
    LOCAL,
    access_errors,
    placed,
    review_access,
    review_own_access,
    review_rules,
)
from ferrolb.devserver.bodies import parse_body
from ferrolb.devserver.identity_reviews import review_self, review_token
from ferrolb.devserver.representations import json_response
from ferrolb.devserver.statuses import Target, bad_request, invalid, no_such_path
from ferrolb.devserver.strategies import member_of
from ferrolb.model import JsonObject

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster

AUTHORIZATION: Final = "authorization.k8s.io"
AUTHENTICATION: Final = "authentication.k8s.io"

REVIEWS: Final[dict[tuple[str, str, str], str]] = {
    (AUTHORIZATION, "v1", "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    (AUTHORIZATION, "v1", "subjectaccessreviews"): "SubjectAccessReview",
    (AUTHORIZATION, "v1", "localsubjectaccessreviews"): "LocalSubjectAccessReview",
    (AUTHORIZATION, "v1", "selfsubjectrulesreviews"): "SelfSubjectRulesReview",
    (AUTHENTICATION, "v1", "tokenreviews"): "TokenReview",
    (AUTHENTICATION, "v1", "selfsubjectreviews"): "SelfSubjectReview",
}
"""Kinds that are created to be answered, and never stored."""


def review(
    cluster: "Cluster",
    reviewed: tuple[str, str],
    body: bytes,
    *,
    headers: Mapping[str, str],
    user: User,
) -> Response:
    """Answer a review; `reviewed` is its kind and the namespace in the path.

    Raises:
        ApiError: 400 or 415, it cannot be read; 404, it belongs elsewhere; 422, it asks nothing.
    """
    kind, namespace = reviewed
    if bool(namespace) is not (kind == LOCAL):
        raise no_such_path()
    group = AUTHENTICATION if kind in _OF_AUTHENTICATION else AUTHORIZATION
    obj = _parse(headers, body)
    if kind == LOCAL:
        obj = placed(obj, namespace)
    errors = access_errors(kind, obj)
    if errors:
        raise invalid(Target(group=group), errors)
    status = _ANSWERS[kind](cluster, user, member_of(obj, "spec"))
    answer: JsonObject = {
        **obj,
        "kind": kind,
        "apiVersion": f"{group}/v1",
        "metadata": member_of(obj, "metadata"),
        "status": status,
    }
    return json_response(answer, status=201)


def _parse(headers: Mapping[str, str], body: bytes) -> JsonObject:
    media_type = headers.get("content-type", "").partition(";")[0].strip()
    document = parse_body(body or b"{}", media_type)
    if not isinstance(document, dict):
        raise bad_request("the body of the request is not an object")
    return document


_ANSWERS: Final[dict[str, Callable[["Cluster", User, JsonObject], JsonObject]]] = {
    "SelfSubjectAccessReview": review_own_access,
    "SubjectAccessReview": review_access,
    "LocalSubjectAccessReview": review_access,
    "SelfSubjectRulesReview": review_rules,
    "TokenReview": review_token,
    "SelfSubjectReview": review_self,
}

_OF_AUTHENTICATION: Final = frozenset({"TokenReview", "SelfSubjectReview"})
