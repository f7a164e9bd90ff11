"""What users may do: everything, until roles are looked at."""

from ferrolb.apimachinery import PathRequest, ResourceRequest, User
from ferrolb.model import JsonObject


class Authorizer:
    """Refuses nothing yet, so nobody is let in but the administrator."""

    def check(self, user: User, request: ResourceRequest | PathRequest) -> None:
        """Pass every request; the place where one that no role allows will be refused."""

    def rules_of(self, _user: User, _namespace: str) -> JsonObject:
        """Return what a user may do in a namespace, as a rules review has it."""
        return {
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": False,
        }
