"""Paths that name no resource: version, health, discovery, OpenAPI, metrics."""

import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, Response

from ferrolb.devserver import discovery
from ferrolb.devserver.metrics import CONTENT_TYPE
from ferrolb.devserver.openapi import OpenApi
from ferrolb.devserver.representations import ENCODER, encoded_response, json_response
from ferrolb.devserver.statuses import method_not_allowed, no_such_path
from ferrolb.model import JsonObject

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster

SPOKEN_VERSION: Final = "v1.34.3"
"""The Kubernetes version whose built-in schemas and behaviour are served."""


class Documents:
    """Answers the paths that describe the server."""

    def __init__(self, cluster: "Cluster", *, address: str) -> None:
        self._cluster = cluster
        self._address = address
        self._openapi_documents = OpenApi(cluster.registry)
        self._openapi = OpenApi(cluster.registry)

    def answer(self, path: str, method: str, headers: Mapping[str, str]) -> Response:
        """Answer a path.

        Raises:
            ApiError: 404, there is none such; 405, it can only be read.
        """
        if method not in ("GET", "HEAD"):
            raise method_not_allowed()
        match path.strip("/").split("/"):
            case ["healthz" | "livez" | "readyz", *_]:
                return PlainTextResponse("ok")
            case ["version"]:
                return json_response(version_info())
            case ["metrics"]:
                return Response(self._cluster.metrics.text(), media_type=CONTENT_TYPE)
            case ["api" | "apis", *rest] as segments if len(rest) <= 2:
                return self._discovery(segments, headers.get("accept", ""))
            case ["openapi", "v3", *rest]:
                return self._openapi_document("/".join(rest))
            case [""]:
                return json_response({"paths": [*self._paths()]})
            case _:
                raise no_such_path()

    def _discovery(self, segments: list[str], accept: str) -> Response:
        registry = self._cluster.registry
        version = discovery.aggregated_version(accept) if len(segments) == 1 else None
        if version is not None:
            made = discovery.aggregated(registry, version, is_core=segments == ["api"])
            content = discovery.aggregated_media_type(version)
            return Response(ENCODER.encode(made), media_type=content, headers={"vary": "Accept"})
        document: JsonObject | None
        match segments:
            case ["api"]:
                document = discovery.core_versions(self._address)
            case ["apis"]:
                document = discovery.group_list(registry)
            case ["api", version]:
                document = discovery.resource_list(registry, "", version)
            case ["apis", group]:
                document = discovery.group_document(registry, group)
            case ["apis", group, version]:
                document = discovery.resource_list(registry, group, version)
            case _:
                document = None
        if document is None:
            raise no_such_path()
        return json_response(document)

    def _openapi_document(self, path: str) -> Response:
        if not path:
            return json_response(self._openapi.index())
        content = self._openapi.document(path)
        if content is None:
            raise no_such_path()
        return encoded_response(content)

    def _paths(self) -> list[str]:
        groups = self._cluster.registry.groups()
        found = ["/api", "/api/v1", "/apis"]
        for group, versions in sorted(groups.items()):
            if group:
                found += [f"/apis/{group}", *(f"/apis/{group}/{each}" for each in versions)]
        return [*found, "/healthz", "/livez", "/metrics", "/openapi/v3", "/readyz", "/version"]


def version_info() -> JsonObject:
    """Return what `kubectl version` shows of the server."""
    major, minor, _ = SPOKEN_VERSION.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{SPOKEN_VERSION}+ferrolb",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "python",
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }
