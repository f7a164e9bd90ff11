"""What a new API server is waited for and given, so that it starts as the dev API server does."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

import httpx2

from ferrolb.crds import JsonObject, load_crds
from ferrolb.kube import USER_AGENT
from ferrolb.pki import Endpoint
from ferrolb.runtime import StartupError

START_S: Final = 90.0
"""Seconds for everything to be there. An idle machine takes four, a loaded one twenty."""

REQUEST_S: Final = 10.0
_POLL_S: Final = 0.05

NAMESPACE: JsonObject = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "metallb-system"},
}

AWAITED: Final = (
    "/api/v1/namespaces/default",
    "/api/v1/namespaces/kube-node-lease",
    "/api/v1/namespaces/kube-public",
    "/api/v1/namespaces/kube-system",
    "/api/v1/namespaces/default/services/kubernetes",
)
"""What the API server makes by itself, in moments of its own."""

_DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_DISCOVERY: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
"""All groups in one answer, as kubectl asks for them; kept apart from the groups themselves."""


class Steps:
    """The steps of a start; each is asked for again until it succeeds."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self.last_failure = "no answer"

    async def answers(self) -> None:
        """Wait until the API server calls itself ready."""
        await self._until_there("/readyz")

    async def seeded(self) -> None:
        """Make our namespace and definitions; wait for them and for what the API server makes.

        Definitions of an earlier version are brought to this one's state.
        """
        definitions = load_crds()
        await self._apply("/api/v1/namespaces", NAMESPACE)
        for definition in definitions:
            await self._apply(_DEFINITIONS, definition)
        for path in AWAITED:
            await self._until_there(path)
        for path in sorted({path for one in definitions for path in _collections(one)}):
            await self._until_there(f"{path}?limit=1")
        wanted = {path for one in definitions for path in _group_versions(one)}
        discovery = self._http.build_request("GET", "/apis", headers={"accept": _DISCOVERY})
        found: set[str] = set()

        def is_discovered(answer: httpx2.Response) -> bool:
            found.update(_discovered(answer))
            return wanted <= found

        await self._until(discovery, is_discovered)
        await self._until(
            self._http.build_request("GET", "/openapi/v3"),
            lambda answer: found <= set(answer.json()["paths"]),
        )

    async def _apply(self, collection: str, obj: JsonObject) -> None:
        metadata = obj["metadata"]
        name = metadata["name"] if isinstance(metadata, dict) else ""
        await self._until(
            self._http.build_request(
                "PATCH",
                f"{collection}/{name}?fieldManager=ferrolb-envtest&force=true",
                json=obj,
                headers={"content-type": "application/apply-patch+yaml"},
            )
        )

    async def _until_there(self, path: str) -> None:
        await self._until(self._http.build_request("GET", path))

    async def _until(
        self, request: httpx2.Request, is_enough: Callable[[httpx2.Response], bool] = lambda _: True
    ) -> None:
        while True:
            try:
                response = await self._http.send(request)
            except httpx2.HTTPError as error:
                self.last_failure = f"{request.method} {request.url}: {error!r}"
            else:
                if response.is_success and is_enough(response):
                    return
                self.last_failure = (
                    f"{request.method} {request.url}: {response.status_code} {response.text[:400]}"
                )
            await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def starting(endpoint: Endpoint, *, within_s: float = START_S) -> AsyncIterator[Steps]:
    """Give the steps of a start, which must be through in time.

    Raises:
        StartupError: they were not.
    """
    async with httpx2.AsyncClient(
        base_url=endpoint.url,
        headers={"authorization": f"Bearer {endpoint.token}", "user-agent": USER_AGENT},
        verify=ssl.create_default_context(cadata=endpoint.ca_pem),
        timeout=REQUEST_S,
        trust_env=False,
    ) as http:
        steps = Steps(http)
        try:
            async with asyncio.timeout(within_s):
                yield steps
        except TimeoutError as error:
            text = f"not ready within {within_s:.0f} s; the last answer: {steps.last_failure}"
            raise StartupError(text) from error


def _group_versions(definition: JsonObject) -> Iterator[str]:
    """Return the paths of the group versions that a definition is served in."""
    spec = _spec(definition)
    versions = spec["versions"]
    for version in versions if isinstance(versions, list) else ():
        if isinstance(version, dict) and version["served"]:
            yield f"apis/{spec['group']}/{version['name']}"


def _collections(definition: JsonObject) -> Iterator[str]:
    """Return the paths where the objects of a definition are listed."""
    names = _spec(definition)["names"]
    if isinstance(names, dict):
        for path in _group_versions(definition):
            yield f"/{path}/{names['plural']}"


def _discovered(answer: httpx2.Response) -> Iterator[str]:
    """Return the paths of the group versions that kubectl finds."""
    for group in answer.json()["items"]:
        for version in group["versions"]:
            yield f"apis/{group['metadata']['name']}/{version['version']}"


def _spec(definition: JsonObject) -> JsonObject:
    spec = definition["spec"]
    return spec if isinstance(spec, dict) else {}
