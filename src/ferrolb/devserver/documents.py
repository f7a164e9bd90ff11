"""Paths that name no resource: version, health, discovery, OpenAPI, metrics."""

import platform
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse, Response

from ferrolb.devserver import discovery
from ferrolb.devserver.metrics import CONTENT_TYPE
from ferrolb.devserver.openapi import OpenApi, digest_of
from ferrolb.devserver.plain import HEALTH_PATHS, health, no_page, tagged_response
from ferrolb.devserver.representations import ENCODER, json_response
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
        self._openapi = OpenApi(cluster.registry)

    def answer(
        self, path: str, method: str, headers: Mapping[str, str], *, query: Mapping[str, str]
    ) -> Response:
        """Answer a path, with a plain 404 where nothing of the server's is.

        Raises:
            ApiError: 404, a group that is there has none such; 405, it can only be read.
        """
        segments = path.strip("/").split("/")
        if segments[0] in HEALTH_PATHS and method in ("GET", "HEAD"):
            return health(segments, is_verbose="verbose" in query)
        if method != "GET":
            if self._is_served(segments):
                raise method_not_allowed()
            return no_page()
        match segments:
            case ["version"]:
                return json_response(version_info())
            case ["metrics"]:
                return Response(self._cluster.metrics.text(), media_type=CONTENT_TYPE)
            case ["api" | "apis", *rest] if len(rest) <= 2:
                return self._discovery(segments, headers)
            case ["openapi", "v3", *rest]:
                return self._openapi_document("/".join(rest), headers, query)
            case [""]:
                return json_response({"paths": [*self._paths()]})
            case _:
                return self.nothing_at(path)

    def nothing_at(self, path: str) -> Response:
        """Answer a path that names nothing.

        Raises:
            ApiError: 404, it lies in a group that is built in.
        """
        match path.strip("/").split("/"):
            case ["api", *_]:
                raise no_such_path()
            case ["apis", group, *_] if group in self._cluster.registry.builtin_groups():
                raise no_such_path()
            case _:
                return no_page()

    def _is_served(self, segments: list[str]) -> bool:
        return segments[0] in ("api", "apis", "version", "metrics", "openapi")

    def _discovery(self, segments: list[str], headers: Mapping[str, str]) -> Response:
        registry = self._cluster.registry
        accept = headers.get("accept", "")
        version = discovery.aggregated_version(accept) if len(segments) == 1 else None
        if version is not None:
            made = discovery.aggregated(registry, version, is_core=segments == ["api"])
            media_type = discovery.aggregated_media_type(version)
            return tagged_response(ENCODER.encode(made), headers, media_type=media_type)
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
            return self.nothing_at("/".join(segments))
        return json_response(document)

    def _openapi_document(
        self, path: str, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> Response:
        if not path:
            return json_response(self._openapi.index())
        content = self._openapi.document(path)
        if content is None:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        digest = digest_of(content)
        if query.get("hash", digest) != digest:
            return RedirectResponse(
                f"/openapi/v3/{path}?hash={digest}", HTTPStatus.MOVED_PERMANENTLY
            )
        return tagged_response(content, headers)

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
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": f"{SPOKEN_VERSION}+ferrolb",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "python",
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }
