"""Services as a kind of the registry: allocation and rules come from `services`."""

from typing import TYPE_CHECKING

from typing_extensions import override

from ferrolb.devserver.names import NameRule
from ferrolb.devserver.representations import copied
from ferrolb.devserver.service_fields import malformed
from ferrolb.devserver.service_warnings import service_warnings
from ferrolb.devserver.services import (
    default_service,
    prepare_service_create,
    prepare_service_status,
    prepare_service_update,
)
from ferrolb.devserver.strategies import Prepared, Strategy

if TYPE_CHECKING:
    from ferrolb.devserver.ranges import ServiceRanges
    from ferrolb.devserver.services import Prepared as PreparedService
    from ferrolb.model import JsonObject


class ServiceStrategy(Strategy):
    """Takes addresses and ports out of the cluster's ranges."""

    def __init__(self, ranges: "ServiceRanges") -> None:
        super().__init__(name_rule=NameRule.LABEL_1035, has_status=True)
        self._ranges = ranges

    @override
    def default(self, obj: "JsonObject") -> "JsonObject":
        if malformed(obj):
            return obj
        service = copied(obj)
        default_service(service)
        return service

    @override
    def on_create(self, obj: "JsonObject") -> Prepared:
        return self._with_metadata(prepare_service_create(obj, self._ranges), None)

    @override
    def on_update(self, obj: "JsonObject", old: "JsonObject") -> Prepared:
        return self._with_metadata(prepare_service_update(obj, old, self._ranges), old)

    @override
    def on_status(self, obj: "JsonObject", old: "JsonObject") -> Prepared:
        return self._with_metadata(prepare_service_status(obj, old), old)

    def _with_metadata(self, prepared: "PreparedService", old: "JsonObject | None") -> Prepared:
        errors = self.validate_identity(prepared.obj, old)
        warnings = () if prepared.errors else service_warnings(prepared.obj)
        return Prepared(prepared.obj, (*errors, *prepared.errors), tuple(warnings))
