"""The names of a definition's kind: may it have them, and what its status says about that."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ferrolb.devserver.definition_rules import list_of
from ferrolb.devserver.strategies import member_of
from ferrolb.model import Json, JsonObject
from ferrolb.store import ResourceId, timestamp

if TYPE_CHECKING:
    from ferrolb.devserver.registry import Registry

_AS_OTHERS: Final = "no conflicts found"


@dataclass(frozen=True, slots=True)
class Naming:
    """The names that a definition has come to have, and why not those that it wants."""

    accepted: JsonObject
    reason: str = ""
    problem: str = ""


def settle_names(
    names: JsonObject, before: JsonObject, registry: "Registry", own: ResourceId
) -> Naming:
    """Return what of the wanted names no other definition of the group has.

    `before` are the names accepted so far; those stay where a new one is taken. The last conflict
    is the one that is told.
    """
    others = [
        other for other in registry.resources() if other.group == own.group and other.storage != own
    ]
    plain = {name for o in others for name in (o.plural, o.names.singular, *o.names.short)}
    kinds = {name for other in others for name in (other.kind, other.names.of_list)}
    accepted: JsonObject = {"kind": "", "plural": "", **before}
    reason = problem = ""
    for member, taken, why in (
        ("plural", plain, "PluralConflict"),
        ("singular", plain, "SingularConflict"),
        ("shortNames", plain, "ShortNamesConflict"),
        ("kind", kinds, "KindConflict"),
        ("listKind", kinds, "ListKindConflict"),
    ):
        wanted = names.get(member)
        given = wanted if isinstance(wanted, list) else [wanted]
        lost = [name for name in given if isinstance(name, str) and name in taken]
        if lost:
            reason, problem = why, f'"{lost[0]}" is already in use'
        elif wanted:
            accepted[member] = wanted
    if names.get("categories"):
        accepted["categories"] = names["categories"]
    return Naming(accepted, reason, problem)


def status_of(naming: Naming, before: JsonObject, storage: str, *, now: datetime) -> JsonObject:
    """Return the status of a definition; `storage` is the version that objects are stored in."""
    stored = [text for text in list_of(before, "storedVersions") if isinstance(text, str)]
    if storage and storage not in stored:
        stored.append(storage)
    is_accepted = not naming.problem
    was_established = any(
        one.get("type") == "Established" and one.get("status") == "True"
        for one in list_of(before, "conditions")
        if isinstance(one, dict)
    )
    accepted = ("NamesAccepted", "NoConflicts", _AS_OTHERS)
    established = (
        "Established",
        "InitialNamesAccepted",
        "the initial names have been accepted",
    )
    if not is_accepted:
        accepted = ("NamesAccepted", naming.reason, naming.problem)
    if not is_accepted and not was_established:
        established = ("Established", "NotAccepted", "not all names are accepted")
    conditions: list[Json] = [
        _condition(before, accepted, is_true=is_accepted, now=now),
        _condition(before, established, is_true=is_accepted or was_established, now=now),
    ]
    return {
        "acceptedNames": naming.accepted,
        "conditions": conditions,
        "storedVersions": [*stored],
    }


def _condition(
    before: JsonObject, words: tuple[str, str, str], *, is_true: bool, now: datetime
) -> JsonObject:
    kind, reason, message = words
    status = "True" if is_true else "False"
    since: Json = timestamp(now)
    for old in list_of(before, "conditions"):
        if isinstance(old, dict) and (old.get("type"), old.get("status")) == (kind, status):
            since = old.get("lastTransitionTime")
    return {
        "type": kind,
        "status": status,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }


def accepted_names(status: JsonObject) -> JsonObject:
    """Return the names that a definition's status says it has."""
    return member_of(status, "acceptedNames")
