"""What a request asks for, as roles see it, whether or not there is such a resource."""

from collections.abc import Mapping
from typing import Final

from ferrolb.apimachinery import ResourceRequest
from ferrolb.devserver.calls import Verb, is_set
from ferrolb.devserver.paths import ResourcePath

ON_OBJECT: Final = {
    "GET": Verb.GET,
    "PUT": Verb.UPDATE,
    "PATCH": Verb.PATCH,
    "DELETE": Verb.DELETE,
}
ON_COLLECTION: Final = {
    "GET": Verb.LIST,
    "POST": Verb.CREATE,
    "DELETE": Verb.DELETE_COLLECTION,
}

_ROLE_VERBS: Final = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
"""What roles call a method; unlike handlers they know it at every path."""


def named_verb(method: str, path: ResourcePath, query: Mapping[str, str]) -> Verb | None:
    """Return what a method means at a path; None: nothing."""
    if path.subresource and method == "POST":
        return Verb.CREATE
    verb = (ON_OBJECT if path.name else ON_COLLECTION).get(method)
    return Verb.WATCH if verb is Verb.LIST and is_set(query, "watch") else verb


def asked_of(method: str, path: ResourcePath, query: Mapping[str, str]) -> ResourceRequest:
    """Return what a request asks for."""
    verb = _ROLE_VERBS.get(method, "")
    name = path.name
    if not name and verb == "get":
        verb = "watch" if is_set(query, "watch") else "list"
        name = _selected_name(query.get("fieldSelector", ""))
    elif not name and verb == "delete":
        verb = "deletecollection"
    return ResourceRequest(
        verb=verb,
        group=path.group,
        resource=path.plural,
        subresource=path.subresource,
        namespace=path.place,
        name=name,
    )


def _selected_name(selector: str) -> str:
    """Return the one name that a field selector leaves; empty: it leaves several, or none."""
    for term in selector.split(","):
        field, is_equal, value = term.partition("=")
        if field == "metadata.name" and is_equal:
            name = value.removeprefix("=")
            return name if name not in (".", "..") and not set(name) & set("/%") else ""
    return ""
