"""Rules for what the life of an object hangs on: its finalizers and its owners."""

from enum import StrEnum
from typing import Final

from ferrolb.apimachinery import FieldError
from ferrolb.devserver.names import qualified_name_problems
from ferrolb.model import Json, JsonObject, quote

FINALIZERS: Final = "metadata.finalizers"
OWNERS: Final = "metadata.ownerReferences"

FOREGROUND: Final = "foregroundDeletion"
"""Holds an object until its dependents that block it are gone."""
ORPHAN: Final = "orphan"
"""Holds an object until its dependents have forgotten it."""


class Policy(StrEnum):
    """What is to become of the dependents of an object that is deleted."""

    FOREGROUND = "Foreground"
    BACKGROUND = "Background"
    ORPHAN = "Orphan"


STANDARD_FINALIZERS: Final = frozenset({"kubernetes", FOREGROUND, ORPHAN})
"""Finalizers without a domain that built-in kinds may have."""

_NOT_QUALIFIED: Final = "name is neither a standard finalizer name nor is it fully qualified"
_PREFER_QUALIFIED: Final = (
    "prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer "
    "writers"
)
_ONE_CONTROLLER: Final = (
    'Only one reference can have Controller set to true. Found "true" in references for {} and {}'
)
_REPEATED_OWNERS: Final = (
    ".metadata.ownerReferences contains duplicate entries{}; API server dedups owner references in "
    "1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate "
    "UID(s) observed: {}"
)


def deletion_finalizers(policy: Policy | None, given: list[str]) -> list[str]:
    """Return the finalizers that an object has once it is deleted; None: those it had."""
    if policy is None:
        return given
    kept = [name for name in given if name not in (FOREGROUND, ORPHAN)]
    match policy:
        case Policy.FOREGROUND:
            return [*kept, FOREGROUND]
        case Policy.ORPHAN:
            return [*kept, ORPHAN]
        case Policy.BACKGROUND:
            return kept


def owners_of(metadata: JsonObject) -> list[JsonObject]:
    """Return the owner references of an object; what is none is left out."""
    owners = metadata.get("ownerReferences")
    return [one for one in owners if isinstance(one, dict)] if isinstance(owners, list) else []


def finalizers_of(metadata: JsonObject) -> list[str]:
    """Return the finalizers of an object."""
    finalizers = metadata.get("finalizers")
    given = finalizers if isinstance(finalizers, list) else []
    return [one for one in given if isinstance(one, str)]


def validate_finalizers(
    metadata: JsonObject, old: JsonObject | None, *, are_qualified: bool
) -> list[FieldError]:
    """Return what is wrong with finalizers; `are_qualified`: they need a domain, or to be known."""
    given = metadata.get("finalizers")
    if given is not None and not isinstance(given, list):
        return [FieldError.invalid(FINALIZERS, given, "must be a list of strings")]
    finalizers = finalizers_of(metadata)
    if given is not None and len(finalizers) != len(given):
        return [FieldError.invalid(FINALIZERS, given, "must be a list of strings")]
    errors = _added_too_late(finalizers, old)
    errors += [
        FieldError.invalid(FINALIZERS, name, why)
        for name in finalizers
        for why in qualified_name_problems(name)
    ]
    if ORPHAN in finalizers and FOREGROUND in finalizers:
        text = f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set"
        errors.append(FieldError.invalid(FINALIZERS, [*finalizers], text))
    if are_qualified:
        errors += [
            FieldError.invalid(f"{FINALIZERS}[{index}]", name, _NOT_QUALIFIED)
            for index, name in enumerate(finalizers)
            if "/" not in name and name not in STANDARD_FINALIZERS
        ]
    return errors


def _added_too_late(finalizers: list[str], old: JsonObject | None) -> list[FieldError]:
    if old is None or old.get("deletionTimestamp") is None:
        return []
    added = sorted(set(finalizers) - set(finalizers_of(old)))
    if not added:
        return []
    listed = ", ".join(f'"{name}"' for name in added)
    text = (
        "no new finalizers can be added if the object is being deleted, found new finalizers "
        f"[]string{{{listed}}}"
    )
    return [FieldError.forbidden(FINALIZERS, text)]


def validate_owners(owners: Json) -> list[FieldError]:
    """Return what is wrong with the owner references of an object."""
    if owners is None:
        return []
    if not isinstance(owners, list):
        return [FieldError.invalid(OWNERS, owners, "must be a list of owner references")]
    errors: list[FieldError] = []
    controller = ""
    for owner in owners:
        members = owner if isinstance(owner, dict) else {}
        errors += _validate_owner(members)
        if members.get("controller") is True:
            name = f"{members.get('kind')}/{members.get('name')}"
            if controller:
                text = _ONE_CONTROLLER.format(controller, name)
                errors.append(FieldError.invalid(OWNERS, owners, text))
            else:
                controller = name
    return errors


def _validate_owner(owner: JsonObject) -> list[FieldError]:
    api_version = str(owner.get("apiVersion") or "")
    errors = []
    if not api_version or api_version.count("/") > 1 or api_version.endswith("/"):
        text = "version must not be empty"
        errors.append(FieldError.invalid(f"{OWNERS}.apiVersion", api_version, text))
    errors += [
        FieldError.invalid(f"{OWNERS}.{member}", "", "must not be empty")
        for member in ("kind", "name", "uid")
        if not owner.get(member)
    ]
    if (api_version, owner.get("kind")) == ("v1", "Event"):
        text = "/v1, Kind=Event is disallowed from being an owner"
        errors.append(FieldError.invalid(OWNERS, owner, text))
    return errors


def finalizer_warnings(metadata: JsonObject, old: JsonObject) -> tuple[str, ...]:
    """Return what is said of new finalizers without a domain where none is asked for."""
    before = finalizers_of(old)
    return tuple(
        f"{FINALIZERS}: {quote(name)}: {_PREFER_QUALIFIED}"
        for name in finalizers_of(metadata)
        if "/" not in name and name not in STANDARD_FINALIZERS and name not in before
    )


def without_repeated_owners(
    metadata: JsonObject, *, is_patched: bool = False
) -> tuple[JsonObject, list[str]]:
    """Return metadata that names each owner once, and the warning that it took."""
    owners = metadata.get("ownerReferences")
    if not isinstance(owners, list) or len(owners) < 2:
        return metadata, []
    kept: list[Json] = []
    repeated: dict[str, None] = {}
    seen: set[str] = set()
    for owner in owners:
        uid = str(owner.get("uid")) if isinstance(owner, dict) else ""
        if uid in seen and owner in kept:
            repeated[uid] = None
            continue
        seen.add(uid)
        kept.append(owner)
    if not repeated:
        return metadata, []
    when = " after mutating admission happens" if is_patched else ""
    warning = _REPEATED_OWNERS.format(when, ", ".join(repeated))
    return {**metadata, "ownerReferences": kept}, [warning]
