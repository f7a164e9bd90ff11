"""get, list and watch."""

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.responses import Response, StreamingResponse

from ferrolb.apimachinery import FieldError
from ferrolb.devserver.calls import Call, Verb
from ferrolb.devserver.negotiation import Form
from ferrolb.devserver.representations import (
    ENCODER,
    JSON_CONTENT,
    decode,
    list_response,
    object_response,
    shown_object,
)
from ferrolb.devserver.selecting import Predicate, predicate_of
from ferrolb.devserver.statuses import (
    Target,
    bad_request,
    gone,
    invalid,
    not_found,
    too_many_requests,
    unreadable_watch_version,
    version_ahead,
)
from ferrolb.devserver.watching import (
    INITIAL_EVENTS_END,
    MAX_WATCHES,
    MIN_TIMEOUT_S,
    WatchRequest,
    stream,
)
from ferrolb.model import JsonObject, quote
from ferrolb.store import (
    BadContinueTokenError,
    Change,
    ChangeType,
    ExpiredError,
    NotFoundError,
    ObjectKey,
    Page,
    TooLargeVersionError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ferrolb.devserver.cluster import Cluster

EXPIRED_CONTINUE: Final = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


async def get_object(cluster: "Cluster", call: Call) -> Response:
    """Answer with one object."""
    _check_reached(cluster, _version_of(call))
    try:
        encoded = cluster.store.get_encoded(call.key())
    except NotFoundError as error:
        raise not_found(call.target) from error
    return object_response(call, encoded, now=cluster.now())


async def list_objects(cluster: "Cluster", call: Call) -> Response:
    """Answer with a list, or a page of it."""
    options = _list_options(cluster, call)
    page = read_page(cluster, call, options)
    metadata: JsonObject = {"resourceVersion": str(page.resource_version)}
    if page.continue_token is not None:
        metadata["continue"] = page.continue_token
        if page.remaining is not None:
            metadata["remainingItemCount"] = page.remaining
    return list_response(call, page.encoded, metadata, now=cluster.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """Which page of which state."""

    limit: int | None = None
    continue_token: str | None = None
    at: int | None = None
    matches: Predicate | None = None


def read_page(cluster: "Cluster", call: Call, options: ListOptions) -> Page:
    """Return a page of the objects that a request selects.

    Raises:
        ApiError: 400, 410 or 504, as the state asked for cannot be shown.
    """
    try:
        return cluster.store.list(
            call.resource.storage,
            call.namespace or None,
            limit=options.limit,
            continue_token=options.continue_token,
            at=options.at,
            matches=options.matches,
        )
    except BadContinueTokenError as error:
        raise bad_request(f"invalid continue token: {error}") from error
    except ExpiredError as error:
        if error.continue_token is not None:
            raise gone(EXPIRED_CONTINUE, continue_token=error.continue_token) from error
        raise gone(str(error)) from error
    except TooLargeVersionError as error:
        raise version_ahead(error.requested, error.current) from error


def _list_options(cluster: "Cluster", call: Call) -> ListOptions:
    limit = max(call.number("limit") or 0, 0) or None
    call.number("timeoutSeconds")
    token = call.query.get("continue") or None
    match_rule = call.query.get("resourceVersionMatch", "")
    _check_match_rule(call, match_rule)
    version = _version_of(call)
    if token is not None and version:
        raise bad_request("specifying resource version is not allowed when using continue")
    is_exact = match_rule == "Exact" or (not match_rule and limit is not None)
    at = version if version and is_exact else None
    if at is None:
        _check_reached(cluster, version)
    return ListOptions(limit=limit, continue_token=token, at=at, matches=predicate_of(call))


def _check_match_rule(call: Call, rule: str) -> None:
    field = "resourceVersionMatch"
    errors: list[FieldError] = []
    version = call.query.get("resourceVersion", "")
    if rule and not version:
        text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        errors.append(FieldError.forbidden(field, text))
    if rule and call.query.get("continue"):
        text = "resourceVersionMatch is forbidden when continue is provided"
        errors.append(FieldError.forbidden(field, text))
    if rule and rule not in ("Exact", "NotOlderThan"):
        errors.append(FieldError.unsupported(field, rule, ["Exact", "NotOlderThan", ""]))
    if rule == "Exact" and version == "0":
        text = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        errors.append(FieldError.forbidden(field, text))
    if "sendInitialEvents" in call.query:
        text = "sendInitialEvents is forbidden for list"
        errors.append(FieldError.forbidden("sendInitialEvents", text))
    if errors:
        raise _bad_options(errors)


def _bad_options(errors: list[FieldError]) -> Exception:
    return invalid(Target(group="meta.k8s.io", resource="ListOptions"), errors)


def _version_of(call: Call) -> int | None:
    """Return the resourceVersion a request names; None without one."""
    text = call.query.get("resourceVersion", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        shown = text[:80]
        why = f"strconv.ParseUint: parsing {quote(shown)}: invalid syntax"
        message = str(FieldError.invalid("resourceVersion", shown, why))
        if call.verb is Verb.WATCH:
            raise unreadable_watch_version(message)
        raise bad_request(f"invalid resource version: {message}")
    return int(text)


def _check_reached(cluster: "Cluster", version: int | None) -> None:
    if version is not None and version > cluster.store.resource_version:
        raise version_ahead(version, cluster.store.resource_version)


async def watch_objects(cluster: "Cluster", call: Call) -> Response:
    """Answer with a stream of changes."""
    if cluster.hub.open_watches >= MAX_WATCHES:
        raise too_many_requests(f"{MAX_WATCHES} watches are open, which is the limit")
    request = _watch_request(cluster, call)
    return StreamingResponse(_counted(cluster, call, request), media_type=JSON_CONTENT)


async def _counted(cluster: "Cluster", call: Call, request: WatchRequest) -> "AsyncIterator[bytes]":
    labels = call.watch_labels()
    cluster.metrics.watch_opened(labels)
    try:
        async with aclosing(stream(cluster.hub, request)) as events:
            async for lines in events:
                cluster.metrics.count_events(labels, lines.count(b"\n"))
                yield lines
    finally:
        cluster.metrics.watch_closed(labels)


def _watch_request(cluster: "Cluster", call: Call) -> WatchRequest:
    wants_initial = _wants_initial(call)
    version = _version_of(call)
    matches = predicate_of(call)
    if wants_initial:
        _check_reached(cluster, version)
    is_from_start = wants_initial or (not version and call.query.get("sendInitialEvents") is None)
    since = version or cluster.hub.published
    initial: list[Change] = []
    if is_from_start:
        page = read_page(cluster, call, ListOptions(matches=matches))
        since = page.resource_version
        initial = [_addition(call, encoded) for encoded in page.encoded]
    presentation = _Presentation(cluster, call)
    return WatchRequest(
        resource=call.resource.storage,
        namespace=call.namespace or None,
        matches=matches,
        since=since,
        initial=initial,
        marks_initial_end=wants_initial and call.flag("allowWatchBookmarks"),
        bookmarks=call.flag("allowWatchBookmarks"),
        timeout_s=_timeout_s(cluster, call),
        encoding=_encoding(call),
        encode=presentation.encode,
        is_first_different=call.representation.form is Form.TABLE,
        bookmark=presentation.bookmark,
    )


def _wants_initial(call: Call) -> bool:
    """Tell whether the list shall be streamed first, and check what goes with it."""
    rule = call.query.get("resourceVersionMatch", "")
    is_given = "sendInitialEvents" in call.query
    errors: list[FieldError] = []
    if is_given and rule != "NotOlderThan":
        text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        errors.append(FieldError.forbidden("resourceVersionMatch", text))
    if rule and not is_given:
        text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        errors.append(FieldError.forbidden("resourceVersionMatch", text))
    if rule not in ("", "NotOlderThan"):
        errors.append(FieldError.unsupported("resourceVersionMatch", rule, ["NotOlderThan"]))
    if errors:
        raise _bad_options(errors)
    return call.flag("sendInitialEvents")


def _timeout_s(cluster: "Cluster", call: Call) -> float:
    given = call.number("timeoutSeconds")
    return float(given) if given and given > 0 else MIN_TIMEOUT_S + cluster.spread(MIN_TIMEOUT_S)


def _addition(call: Call, encoded: bytes) -> Change:
    return Change(
        type=ChangeType.ADDED,
        key=ObjectKey(call.resource.storage, "", ""),
        resource_version=0,
        encoded=encoded,
        encoded_previous=None,
    )


def _encoding(call: Call) -> str:
    form = call.representation
    return "|".join(
        (
            call.resource.api_version,
            form.form.value,
            form.version,
            call.query.get("includeObject", ""),
        )
    )


class _Presentation:
    """Events of a watch in the representation asked for."""

    def __init__(self, cluster: "Cluster", call: Call) -> None:
        self._cluster = cluster
        self._call = call
        self._is_as_stored = (
            call.representation.form is Form.OBJECT and call.resource.is_stored_version
        )

    def encode(self, change: Change, *, is_first: bool) -> bytes:
        """Return the object of an event."""
        if self._is_as_stored:
            return change.encoded
        obj = self._call.resource.outgoing(decode(change.encoded))
        now = self._cluster.now()
        return ENCODER.encode(shown_object(self._call, obj, now=now, with_columns=is_first))

    def bookmark(self, version: int, *, ends_initial: bool) -> JsonObject:
        """Return the object of a bookmark."""
        representation = self._call.representation
        metadata: JsonObject = {"resourceVersion": str(version)}
        if ends_initial:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        empty: JsonObject = {}
        match representation.form:
            case Form.OBJECT:
                kind, api_version = self._call.resource.kind, self._call.resource.api_version
            case Form.TABLE:
                kind, api_version = Form.TABLE.value, representation.api_version
                empty = {"columnDefinitions": None, "rows": []}
            case Form.METADATA | Form.METADATA_LIST:
                kind, api_version = Form.METADATA.value, representation.api_version
        return {"kind": kind, "apiVersion": api_version, "metadata": metadata, **empty}
