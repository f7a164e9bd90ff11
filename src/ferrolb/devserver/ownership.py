"""Who owns which field: managed fields of updates, and server-side apply."""

from typing import TYPE_CHECKING

from ferrolb import apimachinery
from ferrolb.apimachinery import (
    ApplyConflictError,
    MalformedPatchError,
    ManagedFieldsError,
    PatchError,
    Writer,
    track_update,
)
from ferrolb.devserver.statuses import (
    apply_conflict,
    bad_request,
    internal,
    unexplained,
)
from ferrolb.model import JsonObject

if TYPE_CHECKING:
    from datetime import datetime

    from ferrolb.devserver.calls import Call


def tracked(
    call: "Call", obj: JsonObject, old: JsonObject | None, *, now: "datetime"
) -> JsonObject:
    """Return the object with managed fields that tell who wrote what."""
    schema = call.resource.schema
    if schema is None:
        return obj
    return track_update(old, obj, _writer(call, now), schema=schema)


def applied(
    call: "Call", live: JsonObject | None, request: JsonObject, *, now: "datetime"
) -> JsonObject:
    """Return the object that server-side apply of a request makes of the live one.

    Raises:
        ApiError: 400, the request cannot be applied to anything; 409, others own what it changes.
    """
    schema = call.resource.schema
    if schema is None:
        raise internal("the resource has no schema")
    try:
        writer = _writer(call, now)
        return apimachinery.apply(
            _without_nulls(live), request, writer, schema=schema, force=call.flag("force")
        )
    except ApplyConflictError as error:
        raise apply_conflict(error) from error
    except (MalformedPatchError, ManagedFieldsError) as error:
        raise bad_request(str(error)) from error
    except PatchError as error:
        raise unexplained(str(error)) from error


def _without_nulls(live: JsonObject | None) -> JsonObject | None:
    """Return an object without members that say that there is nothing: nobody owns those."""
    if live is None:
        return None
    return {name: value for name, value in live.items() if value is not None}


def _writer(call: "Call", now: "datetime") -> Writer:
    return Writer(
        manager=call.manager,
        api_version=call.resource.api_version,
        now=now,
        subresource=call.path.subresource,
    )
