"""`/token` below a service account, where tokens of it are asked for."""

import contextlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from ferrolb.apimachinery import FieldError, table_format
from ferrolb.devserver.access_reviews import placed
from ferrolb.devserver.account_tokens import DEFAULT_AUDIENCES, MAX_TOKEN, Account
from ferrolb.devserver.admission import check_namespace_open, time_text
from ferrolb.devserver.bodies import known_fields, parse_object
from ferrolb.devserver.body_text import UnreadableBodyError, read_text
from ferrolb.devserver.builtin import SERVICE_ACCOUNTS
from ferrolb.devserver.calls import Call
from ferrolb.devserver.registry import TOKEN_REQUEST, Names, ServedResource
from ferrolb.devserver.representations import json_response
from ferrolb.devserver.schemas import schema_for
from ferrolb.devserver.statuses import (
    Target,
    bad_request,
    conflict,
    invalid,
    not_found,
)
from ferrolb.devserver.strategies import Strategy, member_of, metadata_of
from ferrolb.model import JsonObject, quote
from ferrolb.store import NotFoundError, ObjectKey

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster
    from ferrolb.store import Store

DEFAULT_LIFETIME_S: Final = 3600
"""What a token lasts that nobody says more of, as the API has it."""

MIN_LIFETIME_S: Final = 600
MAX_LIFETIME_S: Final = 2**32
"""The API's own limits: ten minutes, and 136 years."""

GROUP, VERSION, KIND = TOKEN_REQUEST

TOKEN_REQUESTS: Final = ServedResource(
    group=GROUP,
    version=VERSION,
    names=Names(kind=KIND, plural="tokenrequests", singular="tokenrequest"),
    is_namespaced=True,
    storage=SERVICE_ACCOUNTS,
    storage_api_version=f"{GROUP}/{VERSION}",
    table=table_format(SERVICE_ACCOUNTS.group, "ServiceAccount"),
    strategy=Strategy(),
    schema=schema_for(*TOKEN_REQUEST),
)
"""What bodies are read as; it is asked of accounts and served nowhere else."""


async def request_token(cluster: "Cluster", call: Call) -> Response:
    """Answer with a new token of the account that the path names; nothing is stored.

    Raises:
        ApiError: 400, the body is no such request; 404, there is no such account; 409, it was made
            again; 422, the request names another one, or a lifetime that is out of range.
    """
    asked = replace(call, resource=TOKEN_REQUESTS)
    _check_kind(cluster, asked)
    request = placed(known_fields(asked, parse_object(asked)), call.namespace)
    check_namespace_open(cluster, call, call.path.name)
    account = _account(cluster, call, metadata_of(request))
    spec = member_of(request, "spec")
    lifetime_s = _lifetime(spec)
    if spec.get("boundObjectRef") is not None:
        raise bad_request("spec.boundObjectRef: this server binds tokens to accounts only")
    audiences = _audiences(spec)
    now = cluster.now()
    end = now + timedelta(seconds=lifetime_s)
    token = cluster.account_tokens.mint(account, audiences, end=end)
    if len(token) > MAX_TOKEN:
        raise bad_request(f"the token would be longer than {MAX_TOKEN} characters")
    answer: JsonObject = {
        "kind": KIND,
        "apiVersion": TOKEN_REQUESTS.api_version,
        "metadata": _shown_metadata(request, account, now=now),
        "spec": {
            "audiences": list(audiences),
            "expirationSeconds": lifetime_s,
            "boundObjectRef": None,
        },
        "status": {"token": token, "expirationTimestamp": time_text(end)},
    }
    return json_response(answer, status=201)


def uid_of_account(store: "Store", namespace: str, name: str) -> str | None:
    """Return the uid of an account; None: there is none of that name."""
    try:
        account = store.get(ObjectKey(SERVICE_ACCOUNTS, namespace, name))
    except NotFoundError:
        return None
    return str(metadata_of(account).get("uid"))


def _check_kind(cluster: "Cluster", call: Call) -> None:
    """Check that a body is of no other kind that is known; of unknown ones more is said later."""
    document = None
    with contextlib.suppress(UnreadableBodyError):
        document = read_text(call.body, call.content_type).document
    if not isinstance(document, dict):
        return
    version, kind = document.get("apiVersion"), document.get("kind")
    for resource in cluster.registry.resources():
        if (resource.api_version, resource.kind) == (version, kind):
            raise bad_request(
                f"{resource.kind} in version {quote(resource.version)} cannot be handled as a "
                f"{KIND}: converting ({resource.version}.{resource.kind}) to "
                f"(authentication.{KIND}): unknown conversion"
            )


def _account(cluster: "Cluster", call: Call, metadata: JsonObject) -> Account:
    target = Target(group=GROUP, resource=KIND, name=call.path.name)
    name, uid = metadata.get("name"), metadata.get("uid")
    if name and name != call.path.name:
        why = "must match the service account name if specified"
        raise invalid(target, [FieldError.invalid("metadata.name", name, why)])
    found = uid_of_account(cluster.store, call.namespace, call.path.name)
    if found is None:
        raise not_found(call.target)
    if uid and uid != found:
        why = (
            f"the UID in the token request ({uid}) does not match the UID of the service account "
            f"({found})"
        )
        raise conflict(target, why)
    return Account(namespace=call.namespace, name=call.path.name, uid=found)


def _lifetime(spec: JsonObject) -> int:
    given = spec.get("expirationSeconds")
    lifetime_s = given if isinstance(given, int) else DEFAULT_LIFETIME_S
    why = ""
    if lifetime_s < MIN_LIFETIME_S:
        why = "may not specify a duration less than 10 minutes"
    elif lifetime_s > MAX_LIFETIME_S:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        error = FieldError.invalid("spec.expirationSeconds", lifetime_s, why)
        raise invalid(Target(group=GROUP, resource=KIND), [error])
    return lifetime_s


def _audiences(spec: JsonObject) -> tuple[str, ...]:
    given = spec.get("audiences")
    named = [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
    return tuple(named) or DEFAULT_AUDIENCES


def _shown_metadata(request: JsonObject, account: Account, *, now: datetime) -> JsonObject:
    return {
        **metadata_of(request),
        "name": account.name,
        "namespace": account.namespace,
        "uid": account.uid,
        "creationTimestamp": time_text(now),
    }
