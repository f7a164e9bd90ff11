"""Rules of faults: which requests meet which fault, how often, and by what chance.

Everything here is a function of its arguments: `now` is monotonic seconds, and chance is drawn from
a rule's seed, so that the same requests in the same order meet the same faults again.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

import msgspec

from ferrolb.apimachinery import FieldError
from ferrolb.model import Json, JsonObject

MAX_RULES: Final = 64
"""Rules at one time; each is held against every request. A rule that has ended makes room."""

MAX_TEXT: Final = 253
"""Characters of a text to match: as long as a name of the API may be."""

MAX_TIMES: Final = 1_000_000
"""How often a rule may act; more is the same as for ever."""

MAX_SECONDS: Final = 3600.0
"""How long a rule or a stall may last: nobody tries faults for longer than an hour."""

MAX_DELAY_S: Final = 60.0
"""A request waits at most so long, also by several rules: it holds its connection meanwhile."""

MAX_RETRY_AFTER_S: Final = 3600
"""Seconds that a client may be asked to wait."""

_DRAW_BYTES: Final = 8
_DRAWS: Final = 1 << (8 * _DRAW_BYTES)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")
_PLACE: Final = re.compile(r"(?s)(?P<what>.*?)(?: - at `(?:key in )?\$\.?(?P<path>.*)`)?")

FaultVerb = Literal[
    "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"
]
"""As roles spell them: server-side apply is `patch`."""

_Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=MAX_SECONDS)]


class Delay(msgspec.Struct, frozen=True, tag="Delay", forbid_unknown_fields=True):
    """The request waits before anything is done about it."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=MAX_DELAY_S)]


class Cut(msgspec.Struct, frozen=True, tag="Cut", forbid_unknown_fields=True):
    """The connection is closed without a whole answer."""

    where: Literal["BeforeWork", "AfterWork", "InBody"]


class Refuse(msgspec.Struct, frozen=True, tag="Refuse", forbid_unknown_fields=True, rename="camel"):
    """The request is answered by an error, and nothing is done."""

    code: Literal[409, 410, 429, 500, 503]
    retry_after_seconds: Annotated[int, msgspec.Meta(ge=0, le=MAX_RETRY_AFTER_S)] | None = None
    """For 429 and 503; they say 1 without."""

    def __post_init__(self) -> None:
        if self.retry_after_seconds is not None and self.code not in (429, 503):
            raise ValueError("retryAfterSeconds is for the codes 429 and 503 only")


class WatchEnd(msgspec.Struct, frozen=True, tag="WatchEnd", forbid_unknown_fields=True):
    """A watch ends in order, without a last bookmark."""


class WatchError(msgspec.Struct, frozen=True, tag="WatchError", forbid_unknown_fields=True):
    """A watch ends with an ERROR event."""

    code: Literal[410, 500] = 410


class WatchStall(msgspec.Struct, frozen=True, tag="WatchStall", forbid_unknown_fields=True):
    """A watch stays open and says nothing, then goes on where it was."""

    seconds: _Seconds | None = None
    """None: until the rule is deleted."""


Action = Delay | Cut | Refuse | WatchEnd | WatchError | WatchStall

_WATCH_ONLY: Final = (WatchEnd, WatchError, WatchStall)


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Which requests a rule is about: all that is given has to hold."""

    verbs: Annotated[tuple[FaultVerb, ...], msgspec.Meta(min_length=1, max_length=8)] | None = None
    group: _Text | None = None
    """Empty: the core group."""
    resource: _Text | None = None
    """The plural."""
    subresource: _Text | None = None
    """Empty: none."""
    namespace: _Text | None = None
    """Empty: a request that names no namespace."""
    name: _Text | None = None
    """As in the path; empty: a collection, which a creation addresses too."""
    user: _Text | None = None
    user_agent_prefix: _Text | None = None


class FaultRule(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True
):
    """Which requests meet which fault."""

    action: Action
    match: Match = msgspec.field(default_factory=Match)
    times: Annotated[int, msgspec.Meta(ge=1, le=MAX_TIMES)] | None = None
    """How often it acts; None: always."""
    seconds: _Seconds | None = None
    """For how long it acts; None: until it is deleted."""
    probability: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    """Decides with `probability` which of the matching requests are met."""

    def __post_init__(self) -> None:
        verbs = self.match.verbs
        if isinstance(self.action, _WATCH_ONLY) and verbs is not None and "watch" not in verbs:
            raise ValueError("the action is for watches, which match.verbs leaves out")

    @property
    def acts_on_running(self) -> bool:
        """Whether watches that are open already meet it too."""
        action = self.action
        return isinstance(action, _WATCH_ONLY) or action == Cut(where="InBody")


class FaultRuleError(Exception):
    """The rule cannot be used: tell the one who sent it."""

    def __init__(self, error: FieldError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """What rules look at of a request."""

    verb: str
    group: str = ""
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    user: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a request: a wait, then `action` of the rule, None for none."""

    delay_s: float = 0.0
    action: Action | None = None
    rule: str = ""


@dataclass(slots=True, kw_only=True)
class _Entry:
    rule: FaultRule
    added_at: float
    matched: int = 0
    acted: int = 0

    def has_ended(self, now: float) -> bool:
        rule = self.rule
        is_used_up = rule.times is not None and self.acted >= rule.times
        return is_used_up or (rule.seconds is not None and now >= self.added_at + rule.seconds)

    def acts(self, facts: RequestFacts, now: float) -> bool:
        """Tell whether a request meets the rule, and count it."""
        rule = self.rule
        if self.has_ended(now) or not covers(rule.match, facts):
            return False
        if isinstance(rule.action, _WATCH_ONLY) and facts.verb != "watch":
            return False
        self.matched += 1
        if not draws(rule.seed, self.matched, rule.probability):
            return False
        self.acted += 1
        return True


@dataclass(slots=True)
class FaultTable:
    """The rules in force, in the order in which they were added."""

    _entries: dict[str, _Entry] = field(default_factory=dict)
    _added: int = 0

    def add(self, rule: FaultRule, *, now: float) -> str | None:
        """Add a rule; return its id, None where there are too many that have not ended."""
        if len(self._entries) >= MAX_RULES:
            ended = [key for key, entry in self._entries.items() if entry.has_ended(now)]
            if not ended:
                return None
            del self._entries[ended[0]]
        self._added += 1
        key = str(self._added)
        self._entries[key] = _Entry(rule=rule, added_at=now)
        return key

    def remove(self, key: str) -> bool:
        """Delete a rule; False where there is none of that id."""
        return self._entries.pop(key, None) is not None

    def keys(self) -> tuple[str, ...]:
        """Return the ids of all rules."""
        return tuple(self._entries)

    def decide(self, facts: RequestFacts, *, now: float) -> Decision:
        """Say what a request meets: the waits of all rules, and the first other action.

        Rules behind the one whose action is taken neither act nor count.
        """
        delay_s = 0.0
        for key, entry in self._entries.items():
            if not entry.acts(facts, now):
                continue
            action = entry.rule.action
            if not isinstance(action, Delay):
                return Decision(delay_s=delay_s, action=action, rule=key)
            delay_s = min(MAX_DELAY_S, delay_s + action.seconds)
        return Decision(delay_s=delay_s)

    def decide_running(self, facts: RequestFacts, key: str, *, now: float) -> Action | None:
        """Say what a watch that is open meets by one rule."""
        entry = self._entries[key]
        return entry.rule.action if entry.acts(facts, now) else None

    def shown(self, key: str, *, now: float) -> JsonObject | None:
        """Return a rule with its counts, as JSON; None where there is none of that id."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        rule: Json = msgspec.to_builtins(entry.rule)
        return {
            "id": key,
            "rule": _without_none(rule),
            "matched": entry.matched,
            "acted": entry.acted,
            "hasEnded": entry.has_ended(now),
        }

    def listing(self, *, now: float) -> JsonObject:
        """Return all rules as JSON."""
        return {"rules": [self.shown(key, now=now) for key in self._entries]}


def parse_rule(document: Json) -> FaultRule:
    """Return the rule that a document describes.

    Raises:
        FaultRuleError: it is none; a field that is not known is an error, named by its path.
    """
    try:
        return msgspec.convert(document, FaultRule)
    except msgspec.ValidationError as error:
        raise FaultRuleError(_field_error(str(error))) from error


def covers(match: Match, facts: RequestFacts) -> bool:
    """Tell whether a request is one of those that `match` describes."""
    wanted = (
        (match.group, facts.group),
        (match.resource, facts.resource),
        (match.subresource, facts.subresource),
        (match.namespace, facts.namespace),
        (match.name, facts.name),
        (match.user, facts.user),
    )
    return (
        (match.verbs is None or facts.verb in match.verbs)
        and all(expected is None or expected == found for expected, found in wanted)
        and facts.user_agent.startswith(match.user_agent_prefix or "")
    )


def draws(seed: int, number: int, probability: float) -> bool:
    """Tell whether the request of this number is met; the same for the same arguments."""
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    drawn = int.from_bytes(digest[:_DRAW_BYTES], "big")
    return drawn < probability * _DRAWS


def _field_error(text: str) -> FieldError:
    found = _PLACE.fullmatch(text)
    what, path = (text, "") if found is None else (found["what"], found["path"] or "")
    if (unknown := _UNKNOWN.fullmatch(what)) is not None:
        return FieldError.forbidden(_joined(path, unknown[1]), "unknown field")
    if (missing := _MISSING.fullmatch(what)) is not None:
        return FieldError.required(_joined(path, missing[1]))
    return FieldError.forbidden(path or "rule", what[:1].lower() + what[1:])


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _without_none(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    return {name: _without_none(item) for name, item in value.items() if item is not None}
