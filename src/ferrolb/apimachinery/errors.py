"""What the room raises when input cannot be worked with."""

from dataclasses import dataclass

from ferrolb.model import JsonObject


class ApiMachineryError(Exception):
    """Base of the room's errors; the text is fit to be shown to the client."""


class PatchError(ApiMachineryError):
    """The patch does not apply to this object: answer 422."""


class MalformedPatchError(PatchError):
    """The patch would apply to no object at all: answer 400."""


class TooManyOperationsError(MalformedPatchError):
    """A JSON patch is too long: answer 413."""


class SelectorError(ApiMachineryError):
    """A label or field selector cannot be read, or names an unsupported field: answer 400."""


class ManagedFieldsError(ApiMachineryError):
    """The managedFields of the object or of the client cannot be read: answer 400."""


@dataclass(frozen=True, slots=True, order=True)
class Conflict:
    """A field of an apply request that another manager owns with another value."""

    manager: str
    """The other manager as messages name it: `"name" using v1`, with quotes."""
    field: str
    """The path of the field, as `.spec.ports[port=80,protocol="TCP"].nodePort`."""
    path: tuple[str, ...]
    """The same path by elements."""

    @property
    def cause(self) -> JsonObject:
        """The entry of `Status.details.causes`."""
        return {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {self.manager}",
            "field": self.field,
        }


class ApplyConflictError(ApiMachineryError):
    """Server-side apply met fields of other managers: answer 409, with `conflicts` as causes."""

    def __init__(self, conflicts: tuple[Conflict, ...]) -> None:
        super().__init__(_describe(conflicts))
        self.conflicts = conflicts


def _describe(conflicts: tuple[Conflict, ...]) -> str:
    if len(conflicts) == 1:
        only = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {only.manager}: {only.field}"
    lines: list[str] = []
    manager = None
    for conflict in conflicts:
        if conflict.manager != manager:
            manager = conflict.manager
            lines.append(f"conflicts with {manager}:")
        lines.append(f"- {conflict.field}")
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
