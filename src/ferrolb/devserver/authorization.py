"""What users may do."""

from dataclasses import dataclass

from ferrolb.apimachinery import PathRequest, ResourceRequest, User
from ferrolb.model import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a request is allowed, and why."""

    allowed: bool
    reason: str = ""


class Authorizer:
    """Tells what users may do: everything."""

    def check(self, user: User, request: ResourceRequest | PathRequest) -> None:
        """Pass a request that is allowed.

        Raises:
            ApiError: 403, it is not.
        """

    def decide(self, _user: User, _request: ResourceRequest | PathRequest) -> Decision:
        """Tell whether a request is allowed."""
        return Decision(allowed=True, reason="the development server has no authorization")

    def rules_of(self, _user: User, _namespace: str) -> JsonObject:
        """Return what a user may do in a namespace, as a rules review has it."""
        return {
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": False,
        }
