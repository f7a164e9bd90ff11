"""One request on a resource, as the handlers see it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

from ferrolb.apimachinery import ResourceRequest, User
from ferrolb.devserver.metrics import RequestLabels, WatchLabels
from ferrolb.devserver.negotiation import Representation
from ferrolb.devserver.paths import ResourcePath
from ferrolb.devserver.registry import ServedResource
from ferrolb.devserver.statuses import Target, bad_request
from ferrolb.model import quote
from ferrolb.store import ObjectKey

MAX_QUERY_FIELDS: Final = 64
"""Parameters in one URL; the API knows 20."""

MAX_MANAGER: Final = 128
"""Characters of a field manager's name, as the API has it."""

_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


class Verb(StrEnum):
    """What a request does, as authorizers and metrics call it."""

    GET = "get"
    LIST = "list"
    WATCH = "watch"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    APPLY = "apply"
    DELETE = "delete"
    DELETE_COLLECTION = "deletecollection"

    @property
    def label(self) -> str:
        """The verb as metrics spell it."""
        return _LABELS.get(self, self.value.upper())


_LABELS: Final = {Verb.CREATE: "POST", Verb.UPDATE: "PUT"}


class FieldValidation(StrEnum):
    """What is done about fields that the schema does not have, or that are there twice."""

    IGNORE = "Ignore"
    WARN = "Warn"
    STRICT = "Strict"


@dataclass(slots=True, kw_only=True)
class Call:
    """A request on a resource: what it names, what it says, and the warnings it earns."""

    verb: Verb
    resource: ServedResource
    path: ResourcePath
    query: Mapping[str, str]
    headers: Mapping[str, str]
    user: User
    representation: Representation
    body: bytes = b""
    warnings: list[str] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        """The namespace in the path, empty without one."""
        return self.path.namespace

    @property
    def is_status(self) -> bool:
        """Whether `/status` is addressed."""
        return self.path.subresource == "status"

    @property
    def creation(self) -> ResourceRequest:
        """What else is asked for where an update or a patch makes the object."""
        return ResourceRequest(
            verb=Verb.CREATE.value,
            group=self.path.group,
            resource=self.path.plural,
            subresource=self.path.subresource,
            namespace=self.path.place,
            name=self.path.name,
        )

    @property
    def target(self) -> Target:
        """What refusals are about."""
        return self.target_named(self.path.name)

    @property
    def content_type(self) -> str:
        """Media type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_dry_run(self) -> bool:
        """Whether nothing shall be stored."""
        return self.query.get("dryRun") == "All"

    @property
    def field_validation(self) -> FieldValidation:
        """What to do about unknown fields; warn unless the client says otherwise."""
        return FieldValidation(self.query.get("fieldValidation") or FieldValidation.WARN)

    @property
    def manager(self) -> str:
        """Who is writing, for managed fields: named, or the program in User-Agent."""
        given = self.query.get("fieldManager", "")
        agent = self.headers.get("user-agent", "").partition("/")[0]
        return (given or agent or "unknown")[:MAX_MANAGER]

    def key(self, name: str | None = None) -> ObjectKey:
        """Return what an object is stored under: the one in the path, or one of that name."""
        return ObjectKey(
            self.resource.storage, self.namespace, self.path.name if name is None else name
        )

    def target_named(self, name: str) -> Target:
        """Return what refusals about an object of this resource are about."""
        return Target(group=self.resource.group, resource=self.resource.plural, name=name)

    def kind_target(self, name: str) -> Target:
        """Return the same for refusals that name the kind."""
        return Target(group=self.resource.group, resource=self.resource.kind, name=name)

    def flag(self, name: str) -> bool:
        """Return a boolean parameter: false when absent, true when it does not say false."""
        return is_set(self.query, name)

    def number(self, name: str) -> int | None:
        """Return a parameter that is a whole number; None when absent.

        Raises:
            ApiError: 400, it is none.
        """
        text = self.query.get(name, "")
        if not text:
            return None
        if not _WHOLE_NUMBER.fullmatch(text):
            raise bad_request(f"strconv.ParseInt: parsing {quote(text[:40])}: invalid syntax")
        return int(text)

    def request_labels(self, code: int) -> RequestLabels:
        """Return the labels under which the request is counted."""
        return RequestLabels(
            verb=self.verb.label,
            group=self.resource.group,
            version=self.resource.version,
            resource=self.resource.plural,
            subresource=self.path.subresource,
            scope=self._scope,
            dry_run="All" if self.is_dry_run else "",
            code=str(code),
        )

    def watch_labels(self) -> WatchLabels:
        """Return the labels under which a watch is counted."""
        return WatchLabels(
            group=self.resource.group,
            version=self.resource.version,
            resource=self.resource.plural,
            scope=self._scope,
        )

    @property
    def _scope(self) -> str:
        if self.path.name or self.verb is Verb.CREATE:
            return "resource"
        return "namespace" if self.namespace else "cluster"


def is_set(query: Mapping[str, str], name: str) -> bool:
    """Tell whether a parameter is there and does not say false."""
    text = query.get(name)
    return text is not None and text != "0" and text.lower() != "false"


def parse_query(query: bytes) -> dict[str, str]:
    """Return the parameters of a URL, the first of each name.

    Raises:
        ApiError: 400, there are too many.
    """
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS
        )
    except ValueError as error:
        raise bad_request(f"the query cannot be read: {error}") from error
    return dict(reversed(pairs))
