"""What users may do: all, or what roles and bindings say."""

from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery import (
    Decision,
    Grants,
    HeldRules,
    PathRequest,
    ResourceRequest,
    User,
    join_reasons,
)
from ferrolb.devserver.authentication import MASTERS
from ferrolb.devserver.plain import without_markup
from ferrolb.devserver.statuses import Target, not_allowed
from ferrolb.model import Json, JsonObject, quote
from ferrolb.store import ChangeType

if TYPE_CHECKING:
    from ferrolb.store import Change

_EVERYTHING: Final = Decision(is_allowed=True)
_UNENFORCED: Final = Decision(is_allowed=True, reason="this server enforces no roles")

_ALL_RULES: Final[tuple[JsonObject, ...]] = (
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
)


class Authorizer:
    """Decides by the roles and bindings that are stored; without enforcement allows everything."""

    def __init__(self, *, is_enforced: bool = False) -> None:
        self.is_enforced: Final = is_enforced
        self._grants = Grants()

    def changed(self, change: "Change") -> None:
        """Take notice of a change of a role or binding."""
        if change.type is ChangeType.DELETED:
            self._grants.remove(change.obj)
        else:
            self._grants.put(change.obj)

    def decide(self, user: User, request: ResourceRequest | PathRequest) -> Decision:
        """Tell whether a user may do something, and what allows it."""
        if not self.is_enforced:
            return _UNENFORCED
        if MASTERS in user.groups:
            return _EVERYTHING
        return self._grants.decide(user, request)

    def check(self, user: User, request: ResourceRequest | PathRequest) -> None:
        """Refuse what no role allows.

        Raises:
            ApiError: 403, with who may not do what.
        """
        decision = self.decide(user, request)
        if decision.is_allowed:
            return
        why = _denial(user, request)
        if decision.reason:
            why = f"{why}: {decision.reason}"
        if isinstance(request, PathRequest):
            raise not_allowed(Target(), why)
        target = Target(group=request.group, resource=request.resource, name=request.name)
        raise not_allowed(target, why)

    def held(self, user: User, namespace: str) -> HeldRules:
        """Return the rules that a user has in a namespace, in `""` those that hold everywhere."""
        if not self.is_enforced:
            return HeldRules(rules=_ALL_RULES)
        return self._grants.held(user, namespace)

    def rules_of(self, user: User, namespace: str) -> JsonObject:
        """Return what a user may do in a namespace, as a rules review has it."""
        held = self.held(user, namespace)
        status: JsonObject = {
            "resourceRules": [
                _with(rule, "apiGroups", "resources", "resourceNames")
                for rule in held.rules
                if rule.get("resources")
            ],
            "nonResourceRules": [
                _with(rule, "nonResourceURLs") for rule in held.rules if rule.get("nonResourceURLs")
            ],
            "incomplete": False,
        }
        if held.errors:
            status["evaluationError"] = join_reasons(held.errors)
        return status


def _with(rule: JsonObject, *names: str) -> Json:
    return {name: rule[name] for name in ("verbs", *names) if rule.get(name)}


def _denial(user: User, request: ResourceRequest | PathRequest) -> str:
    who = f"User {quote(user.name)} cannot {request.verb}"
    if isinstance(request, PathRequest):
        return without_markup(f"{who} path {quote(request.path)}")
    place = f"in the namespace {quote(request.namespace)}"
    return without_markup(
        f"{who} resource {quote(request.combined)} in API group {quote(request.group)} "
        f"{place if request.namespace else 'at the cluster scope'}"
    )
