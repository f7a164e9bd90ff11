"""Which resource a URL path names."""

from dataclasses import dataclass
from typing import Final

MAX_SEGMENTS: Final = 12
"""Segments of a path: the deepest that is served has 9; a longer one names nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePath:
    """A path below a group version; empty strings for what it does not name."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def place(self) -> str:
        """The namespace that roles see; a Namespace is in itself."""
        return self.namespace or (self.name if self.plural == "namespaces" else "")


def parse_resource_path(path: str) -> ResourcePath | None:
    """Return what a path names, or None where it names no resource."""
    segments = path.strip("/").split("/", MAX_SEGMENTS)
    match segments:
        case ["api", version, *rest]:
            return _parse_rest("", version, rest)
        case ["apis", group, version, *rest]:
            return _parse_rest(group, version, rest)
        case _:
            return None


def _parse_rest(group: str, version: str, rest: list[str]) -> ResourcePath | None:
    if "" in rest:
        return None
    namespace = ""
    match rest:
        case ["namespaces", _, "status" | "finalize"]:
            pass
        case ["namespaces", namespace, _, *_]:
            rest = rest[2:]
        case _:
            pass
    if not 1 <= len(rest) <= 3:
        return None
    plural, name, subresource = [*rest, "", ""][:3]
    return ResourcePath(
        group=group,
        version=version,
        plural=plural,
        namespace=namespace,
        name=name,
        subresource=subresource,
    )
