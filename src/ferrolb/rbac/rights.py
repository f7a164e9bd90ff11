"""The right that a request needs, as the API server derives it from method and path."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACES: Final = "namespaces"
_NAME_FIELD: Final = "metadata.name="


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Right:
    """One verb on one resource."""

    group: str = ""
    """Empty: the core group."""
    resource: str
    """Plural, with its subresource: `services/status`."""
    verb: str
    namespace: str = ""
    """Empty: all namespaces, or a resource without any."""
    name: str = ""
    """Of the object asked for; empty where there is none."""

    @property
    def scope(self) -> str:
        """Where the right is needed, in words."""
        return f"namespace {self.namespace}" if self.namespace else "cluster"

    @property
    def role_kind(self) -> str:
        """In what kind of role the right is to be granted."""
        return "Role" if self.namespace else "ClusterRole"

    @property
    def yaml_rule(self) -> str:
        """The line of a role's `rules` that grants it."""
        return (
            f'- {{apiGroups: ["{self.group}"], resources: ["{self.resource}"], '
            f'verbs: ["{self.verb}"]}}'
        )


def right_of(method: str, path: str, query: Mapping[str, str]) -> Right | None:
    """Return what a request needs; None where it is about no resource."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, rest = "", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, rest = parts[1], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == _NAMESPACES and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else _selected_name(query)
    return Right(
        group=group,
        resource="/".join([rest[0], *rest[2:3]]),
        verb=_verb(method, query, has_name=len(rest) > 1),
        namespace=namespace,
        name=name,
    )


def _selected_name(query: Mapping[str, str]) -> str:
    selector = query.get("fieldSelector", "")
    if selector.startswith(_NAME_FIELD) and "," not in selector:
        return selector.removeprefix(_NAME_FIELD)
    return ""


def _verb(method: str, query: Mapping[str, str], *, has_name: bool) -> str:
    if method in ("GET", "HEAD"):
        if query.get("watch") in ("true", "1"):
            return "watch"
        return "get" if has_name else "list"
    verb = _VERBS.get(method, method.lower())
    return "deletecollection" if verb == "delete" and not has_name else verb
