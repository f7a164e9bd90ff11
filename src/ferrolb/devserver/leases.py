"""Leases: what an API server refuses of them."""

from typing_extensions import override

from ferrolb.apimachinery import FieldError
from ferrolb.devserver.strategies import Strategy, member_of
from ferrolb.model import JsonObject


class LeaseStrategy(Strategy):
    """Leases: they last, and are handed on a number of times."""

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        spec = member_of(obj, "spec")
        duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
        errors = []
        if isinstance(duration, int) and duration <= 0:
            path = "spec.leaseDurationSeconds"
            errors.append(FieldError.invalid(path, duration, "must be greater than 0"))
        if isinstance(transitions, int) and transitions < 0:
            text = "must be greater than or equal to 0"
            errors.append(FieldError.invalid("spec.leaseTransitions", transitions, text))
        return errors
