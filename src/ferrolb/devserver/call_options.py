"""Parameters that requests that write have in common, refused as an API server refuses them."""

from typing import Final

from ferrolb.apimachinery import FieldError
from ferrolb.devserver.calls import MAX_MANAGER, Call, FieldValidation, Verb
from ferrolb.devserver.statuses import Target, invalid
from ferrolb.model import Json

_KINDS: Final = {
    Verb.CREATE: "CreateOptions",
    Verb.UPDATE: "UpdateOptions",
    Verb.PATCH: "PatchOptions",
    Verb.APPLY: "PatchOptions",
}
"""What an API server calls the parameters of a request. Those of deletions may be in the body."""

_FIELD_VALIDATIONS: Final = sorted(["", *(mode.value for mode in FieldValidation)])
_DRY_RUN: Final = "All"


def check_options(call: Call) -> None:
    """Check what a request that writes asks for in its URL.

    Raises:
        ApiError: 422, a parameter has a value that is none, or one is missing.
    """
    kind = _KINDS.get(call.verb)
    if kind is None:
        return
    errors = [
        *_check_force(call),
        *_check_manager(call.query.get("fieldManager", "")),
        *dry_run_errors([value] if (value := call.query.get("dryRun", "")) else []),
    ]
    validation = call.query.get("fieldValidation", "")
    if validation not in _FIELD_VALIDATIONS:
        path = "fieldValidation"
        errors.append(FieldError.unsupported(path, validation, _FIELD_VALIDATIONS))
    if errors:
        raise invalid(Target(group="meta.k8s.io", resource=kind), errors)


def dry_run_errors(asked: list[Json]) -> list[FieldError]:
    """Return what is wrong with the kinds of dry run that are asked for."""
    if all(one == _DRY_RUN for one in asked):
        return []
    return [FieldError.unsupported("dryRun", asked, [_DRY_RUN])]


def _check_force(call: Call) -> list[FieldError]:
    if call.verb is Verb.APPLY:
        if call.query.get("fieldManager"):
            return []
        return [FieldError.required("fieldManager", "is required for apply patch")]
    if call.verb is Verb.PATCH and call.query.get("force"):
        return [FieldError.forbidden("force", "may not be specified for non-apply patch")]
    return []


def _check_manager(manager: str) -> list[FieldError]:
    errors = []
    if len(manager.encode()) > MAX_MANAGER:
        errors.append(FieldError.too_long("fieldManager", MAX_MANAGER))
    for position, mark in enumerate(manager):
        if not mark.isprintable():
            text = f"invalid character U+{ord(mark):04X} (at position {position})"
            errors.append(FieldError.invalid("fieldManager", manager, text))
            break
    return errors
