"""Which version of which object is in force where objects conflict (decision C-17).

An object may be in force as it is written now, as it was last accepted, or not at all. Versions
accepted together do not conflict, so what is in force can always be kept.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from ferrolb.config.errors import Issue
from ferrolb.model import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_ROUNDS: Final = 16
"""Times that the objects are gone through because one fell back to its accepted version. Each
time costs a pass over all prefixes; one or two are usual, and more take a chain of objects which
all moved, at once, to where the next one was."""

_TOO_MANY: Final = "too many conflicting changes at once, the version in force is kept"

DraftT = TypeVar("DraftT")
_InputT_contra = TypeVar("_InputT_contra", contravariant=True)


class Ledger(Protocol[_InputT_contra]):
    """What is in force so far."""

    def conflicts(self, draft: _InputT_contra, /) -> list[Issue]:
        """Return what speaks against putting `draft` in force as well."""
        ...

    def add(self, draft: _InputT_contra, place: int, /) -> None:
        """Put `draft` in force."""
        ...

    def covers(self, draft: _InputT_contra, /) -> bool:
        """Tell whether `draft` claims nothing but what is in force."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate(Generic[DraftT]):
    """One object as written now; with issues, `draft` is what of it could be read."""

    ref: ObjectRef
    draft: DraftT
    issues: list[Issue]
    created: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Generic[DraftT]):
    """What is in force, and for each candidate (by index) all that is wrong with it."""

    in_force: "Mapping[ObjectRef, DraftT]"
    issues: tuple[list[Issue], ...]


def settle(
    candidates: "Sequence[Candidate[DraftT]]",
    accepted: "Mapping[ObjectRef, DraftT]",
    new_ledger: "Callable[[], Ledger[DraftT]]",
) -> Settled[DraftT]:
    """Choose the version of each object; the candidates come in the order of their messages.

    What is accepted and unchanged goes first, then changes that claim nothing which the accepted
    version did not have, then other changes, then what is new; among equals the older, then the
    earlier candidate.
    """
    return _Settling(candidates, accepted, new_ledger).run()


class _Settling(Generic[DraftT]):
    def __init__(
        self,
        candidates: "Sequence[Candidate[DraftT]]",
        accepted: "Mapping[ObjectRef, DraftT]",
        new_ledger: "Callable[[], Ledger[DraftT]]",
    ) -> None:
        self._candidates = candidates
        self._accepted = _accepted_by_index(candidates, accepted)
        self._is_changed = [
            bool(one.issues) or index not in self._accepted or self._accepted[index] != one.draft
            for index, one in enumerate(candidates)
        ]
        self._ranks = [self._rank(index, new_ledger) for index in range(len(candidates))]
        self._new_ledger = new_ledger
        # indexes of candidates that are not in force as written, with the conflicts that say why
        self._held: dict[int, list[Issue]] = {
            index: [] for index, one in enumerate(candidates) if one.issues
        }

    def run(self) -> Settled[DraftT]:
        """Go round until no conflict is left in which something accepted would be lost."""
        for _ in range(MAX_ROUNDS):
            in_force, ledger, fallen = self._round()
            if not fallen:
                return self._settled(in_force, ledger)
            self._held.update(fallen)
        for index in self._accepted:
            if self._is_changed[index] and index not in self._held:
                self._held[index] = [Issue("", _TOO_MANY)]
        in_force, ledger, _ = self._round()
        return self._settled(in_force, ledger)

    def _round(
        self,
    ) -> "tuple[dict[int, DraftT], Ledger[DraftT], dict[int, list[Issue]]]":
        """Put in force what can be; return it, and which changes of accepted objects cannot."""
        ledger = self._new_ledger()
        in_force: dict[int, DraftT] = {}
        fallen: dict[int, list[Issue]] = {}
        for index in sorted(range(len(self._candidates)), key=self._precedence):
            is_held, is_accepted = index in self._held, index in self._accepted
            if is_held and not is_accepted:
                continue
            draft = self._accepted[index] if is_held else self._candidates[index].draft
            conflicts = ledger.conflicts(draft)
            if not conflicts:
                ledger.add(draft, index)
                in_force[index] = draft
            elif is_accepted and not is_held:
                fallen[index] = conflicts
        return in_force, ledger, fallen

    def _rank(self, index: int, new_ledger: "Callable[[], Ledger[DraftT]]") -> int:
        if index not in self._accepted:
            return 3
        if not self._is_changed[index]:
            return 0
        before = new_ledger()
        before.add(self._accepted[index], index)
        return 1 if before.covers(self._candidates[index].draft) else 2

    def _precedence(self, index: int) -> tuple[int, bool, str, int]:
        created = self._candidates[index].created
        is_kept = index in self._held and index in self._accepted
        return 0 if is_kept else self._ranks[index], not created, created, index

    def _settled(self, in_force: "dict[int, DraftT]", ledger: "Ledger[DraftT]") -> Settled[DraftT]:
        issues: list[list[Issue]] = []
        for index, one in enumerate(self._candidates):
            conflicts = self._held.get(index, [])
            if index not in in_force:
                # now that all is known; an accepted version would stand in the way of its own
                conflicts = ledger.conflicts(one.draft) or conflicts
            issues.append([*one.issues, *conflicts])
        return Settled(
            in_force={self._candidates[index].ref: in_force[index] for index in sorted(in_force)},
            issues=tuple(issues),
        )


def _accepted_by_index(
    candidates: "Sequence[Candidate[DraftT]]", accepted: "Mapping[ObjectRef, DraftT]"
) -> dict[int, DraftT]:
    """Give each accepted version to one candidate, also where an object is listed twice."""
    first: dict[ObjectRef, int] = {}
    for index, one in enumerate(candidates):
        first.setdefault(one.ref, index)
    return {index: accepted[ref] for ref, index in first.items() if ref in accepted}
