"""Which representation a client asks for in `Accept`."""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from ferrolb.devserver.statuses import no_such_form, not_acceptable

JSON_TYPE: Final = "application/json"
JSON_TYPES: Final = frozenset({JSON_TYPE, "*/*"})
"""`application/*` is not among them: a real server does not take it either."""
META_GROUP: Final = "meta.k8s.io"
META_VERSIONS: Final = frozenset({"v1", "v1beta1"})

MAX_ACCEPT_ENTRIES: Final = 32
"""Media types read from one header; kubectl sends three."""


class Form(Enum):
    """How objects are shown; the value is what `as=` says."""

    OBJECT = ""
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"
    METADATA_LIST = "PartialObjectMetadataList"


@dataclass(frozen=True, slots=True)
class Representation:
    """A form, and the version of `meta.k8s.io` it is asked for in."""

    form: Form = Form.OBJECT
    version: str = "v1"

    @property
    def api_version(self) -> str:
        """The apiVersion of a Table or of partial metadata."""
        return f"{META_GROUP}/{self.version}"


@lru_cache(maxsize=128)
def negotiate(accept: str) -> Representation:
    """Return the first representation of an `Accept` header that can be served.

    Raises:
        ApiError: 406, none of them can be.
    """
    entries = accept.split(",", MAX_ACCEPT_ENTRIES)[:MAX_ACCEPT_ENTRIES]
    media_types = {entry.partition(";")[0].strip() for entry in entries}
    for entry in entries:
        found = _representation(entry)
        if found is not None:
            return found
    if not accept.strip():
        return Representation()
    if media_types & JSON_TYPES:
        raise no_such_form([JSON_TYPE])
    raise not_acceptable([JSON_TYPE])


def _representation(entry: str) -> Representation | None:
    media_type, *parameters = (part.strip() for part in entry.split(";"))
    if media_type not in JSON_TYPES:
        return None
    given = dict(_split(parameter) for parameter in parameters)
    if "as" not in given:
        return Representation()
    forms = {form.value: form for form in Form if form.value}
    form = forms.get(given["as"])
    version = given.get("v", "")
    if form is None or version not in META_VERSIONS or given.get("g") != META_GROUP:
        return None
    return Representation(form, version)


def _split(parameter: str) -> tuple[str, str]:
    name, _, value = parameter.partition("=")
    return name.strip(), value.strip()
