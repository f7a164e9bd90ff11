"""Users who act as others: the `Impersonate-*` headers (Kubernetes, "User impersonation")."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from ferrolb.apimachinery import ResourceRequest, User
from ferrolb.devserver.accounts import account_groups, account_user_name, split_account
from ferrolb.devserver.authentication import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED

if TYPE_CHECKING:
    from starlette.datastructures import Headers

    from ferrolb.devserver.authorization import Authorizer

USER: Final = "impersonate-user"
GROUP: Final = "impersonate-group"
UID: Final = "impersonate-uid"
EXTRA: Final = "impersonate-extra-"
"""Followed by the key, with what no header name may hold as `%XX`."""

AUTHENTICATION: Final = "authentication.k8s.io"

_BAD_ESCAPE: Final = re.compile("%(?![0-9a-fA-F]{2})")


class NobodyToActAsError(Exception):
    """Groups, a uid or extras are asked for, and no user; says which, as the API has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Whom a request wants to act as; no user: nobody else."""

    user: str
    groups: tuple[str, ...]
    uid: str
    extra: dict[str, tuple[str, ...]]

    @property
    def references(self) -> Iterator[str]:
        """What is asked for beside the user, as the API prints references to objects."""
        for group in self.groups:
            yield f"{{Group  {group}    }}"
        for key, values in self.extra.items():
            for value in values:
                yield f"{{UserExtra  {value}  {AUTHENTICATION}/v1  {key}}}"
        if self.uid:
            yield f"{{UID  {self.uid}  {AUTHENTICATION}/v1  }}"


def acting_user(user: User, headers: "Headers", authorizer: "Authorizer") -> User:
    """Return who a request counts as: its user, or whom that user may and wants to act as.

    Raises:
        NobodyToActAsError: parts of a user are asked for, but no user.
        ApiError: 403, a role must allow `impersonate` on each part, and one is not allowed.
    """
    wanted = _wanted(headers)
    if not wanted.user:
        if references := " ".join(wanted.references):
            raise NobodyToActAsError(f"requested [{references}] without impersonating a user")
        return user
    for request in _requests(wanted):
        authorizer.check(user, request)
    account = split_account(wanted.user)
    name = account_user_name(*account) if account else wanted.user
    groups = wanted.groups or (account_groups(account[0]) if account else ())
    return User(
        name=name,
        uid=wanted.uid,
        groups=_with_standing(name, groups),
        extra=tuple(wanted.extra.items()),
    )


def _wanted(headers: "Headers") -> _Wanted:
    extra: dict[str, tuple[str, ...]] = {}
    for header in headers:
        if header.startswith(EXTRA):
            key = _unescaped(header.removeprefix(EXTRA))
            if key not in extra:
                extra[key] = tuple(map(_text, headers.getlist(header)))
    return _Wanted(
        user=_text(headers.get(USER, "")),
        groups=tuple(map(_text, headers.getlist(GROUP))),
        uid=_text(headers.get(UID, "")),
        extra=extra,
    )


def _requests(wanted: _Wanted) -> Iterator[ResourceRequest]:
    account = split_account(wanted.user)
    if account:
        namespace, name = account
        yield _request("", "serviceaccounts", name, namespace=namespace)
    else:
        yield _request("", "users", wanted.user)
    for group in wanted.groups:
        yield _request("", "groups", group)
    for key, values in wanted.extra.items():
        for value in values:
            yield _request(AUTHENTICATION, "userextras", value, subresource=key)
    if wanted.uid:
        yield _request(AUTHENTICATION, "uids", wanted.uid)


def _request(
    group: str, resource: str, name: str, *, namespace: str = "", subresource: str = ""
) -> ResourceRequest:
    return ResourceRequest(
        verb="impersonate",
        group=group,
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name,
    )


def _with_standing(name: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """Return groups with the one that tells known users from unknown ones, given or not."""
    if AUTHENTICATED in groups or UNAUTHENTICATED in groups:
        return groups
    return (*groups, UNAUTHENTICATED if name == ANONYMOUS.name else AUTHENTICATED)


def _unescaped(key: str) -> str:
    """Return the key of an extra; with an escape that is none it stays as it is."""
    if _BAD_ESCAPE.search(key):
        return key
    return unquote_to_bytes(key).decode("utf-8", "replace")


def _text(header: str) -> str:
    """Return a header's value as clients mean it, who send UTF-8."""
    return header.encode("latin-1").decode("utf-8", "replace")
