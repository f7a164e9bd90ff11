"""Pods asked for rather than watched: the speakers' peers, and the own Pod as an owner."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from ferrolb.kube.client import ListOptions
from ferrolb.kube.errors import BadAnswerError, NotFoundError
from ferrolb.kube.l2_status_objects import PodOwner
from ferrolb.kube.resource import PODS
from ferrolb.kube.speaker_objects import PodObject, decode_pod

if TYPE_CHECKING:
    from ferrolb.kube.client import ApiClient

_PAGE_SIZE: Final = 500
"""Pods a page, some MB of JSON."""

_MAX_PAGES: Final = 100
"""More than 5,000 nodes, the most that Kubernetes supports, ever need; a server that goes on for
ever must not keep us."""


class _Meta(msgspec.Struct):
    continue_from: str | None = msgspec.field(default=None, name="continue")


class _PodList(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    items: list[PodObject] | None = None


_list_decoder: Final = msgspec.json.Decoder(_PodList)


async def list_pods(
    client: "ApiClient", *, namespace: str, label_selector: str
) -> tuple[PodObject, ...]:
    """Return the Pods of a namespace that the selector matches.

    Raises:
        ApiError: the API refused or could not be reached.
    """
    pods: list[PodObject] = []
    options = ListOptions(limit=_PAGE_SIZE, label_selector=label_selector)
    for _ in range(_MAX_PAGES):
        answer = await client.list_page(PODS.path(namespace), options)
        try:
            page = _list_decoder.decode(answer)
        except msgspec.DecodeError as error:
            raise BadAnswerError(f"the answer is not a list of Pods: {error}") from error
        pods += page.items or ()
        if not page.metadata.continue_from:
            return tuple(pods)
        options = replace(options, continue_from=page.metadata.continue_from)
    raise BadAnswerError(f"the list of Pods has more than {_MAX_PAGES} pages")


async def find_owner(client: "ApiClient", *, namespace: str, pod: str) -> PodOwner | None:
    """Return a Pod as an owner of objects; None where it does not exist.

    Raises:
        ApiError: the API refused or could not be reached.
    """
    try:
        answer = await client.get(PODS.path(namespace, pod))
    except NotFoundError:
        return None
    try:
        found = decode_pod(answer)
    except msgspec.DecodeError as error:
        raise BadAnswerError(f"the own Pod cannot be read: {error}") from error
    return PodOwner(found.metadata.name, found.metadata.uid)
