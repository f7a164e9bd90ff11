"""Words that the cases about reading share: objects, lists, watches, Tables."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from tests.api_server import ApiServer

TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA: Final = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}
WATCH_S: Final = "20"
"""A watch that is waited for longer shows nothing."""

DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True)
class Things:
    """One collection of objects: by default the config maps of a namespace."""

    api: ApiServer
    path: str

    def create(self, name: str, labels: dict[str, str] | None = None, **members: Any) -> str:
        """Make an object and return its resourceVersion."""
        body = {"metadata": {"name": name, "labels": labels or {}}, **members}
        return str(self.made(body)["metadata"]["resourceVersion"])

    def made(self, body: dict[str, Any]) -> Any:
        """Make an object and return it."""
        answer = self.api.http.post(self.path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def patch(self, name: str, patch: dict[str, Any]) -> str:
        """Change an object and return its resourceVersion."""
        answer = self.api.http.patch(f"{self.path}/{name}", json=patch, headers=MERGE_PATCH)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["metadata"]["resourceVersion"])

    def delete(self, name: str) -> None:
        """Delete an object that has no reason to stay."""
        assert self.api.http.delete(f"{self.path}/{name}").status_code == 200

    def get(self, accept: str = "application/json", **query: Any) -> httpx2.Response:
        """Ask for the list."""
        return self.api.http.get(self.path, params=query, headers={"Accept": accept})

    def listed(self, **query: Any) -> Any:
        """Return the list."""
        answer = self.get(**query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def names(self, **query: Any) -> list[str]:
        """Return the names in the list."""
        return names(self.listed(**query))

    @property
    def version(self) -> str:
        """The resourceVersion of the list."""
        return str(self.listed()["metadata"]["resourceVersion"])

    @contextmanager
    def watch(self, accept: str = "application/json", **query: str) -> Iterator[Iterator[Any]]:
        """Give the events of a watch as they come."""
        parameters = {"watch": "1", "timeoutSeconds": WATCH_S, **query}
        with self.api.http.stream(
            "GET", self.path, params=parameters, headers={"Accept": accept}
        ) as answer:
            assert answer.status_code == 200, answer.read()
            yield (json.loads(line) for line in answer.iter_lines() if line)


def names(listed: Any) -> list[str]:
    """Return the names of a list's items."""
    return [item["metadata"]["name"] for item in listed["items"]]


def seen(event: Any) -> tuple[str, str]:
    """Return what happened to which object."""
    return event["type"], event["object"]["metadata"]["name"]


def config_maps(api: ApiServer, namespace: str) -> Things:
    """Return the config maps of a namespace."""
    return Things(api, f"/api/v1/namespaces/{namespace}/configmaps")


def assert_status(answer: httpx2.Response, code: int, reason: str) -> Any:
    """Check that an answer is a failure Status, and return it."""
    assert answer.status_code == code, answer.text
    assert answer.headers["content-type"] == "application/json"
    status = answer.json()
    assert (status["kind"], status["apiVersion"]) == ("Status", "v1")
    assert (status["status"], status["code"], status["reason"]) == ("Failure", code, reason)
    assert status["metadata"] == {}
    return status


def definition(group: str, *, columns: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return a definition of Gadgets in a group of one's own."""
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "description": "What is wanted of a gadget.",
                "properties": {
                    "size": {"type": "integer", "description": "How large it is."},
                    "color": {"type": "string"},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "port": {"x-kubernetes-int-or-string": True},
                    "parts": {
                        "type": "array",
                        "x-kubernetes-list-type": "set",
                        "items": {"type": "string"},
                    },
                },
            },
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "kind": "Gadget",
                "listKind": "GadgetList",
                "plural": "gadgets",
                "singular": "gadget",
                "shortNames": ["gdg"],
                "categories": ["playthings"],
            },
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                    **({"additionalPrinterColumns": columns} if columns else {}),
                }
            ],
        },
    }


def gadget(group: str, name: str, **spec: Any) -> dict[str, Any]:
    """Return a Gadget."""
    return {
        "apiVersion": f"{group}/v1",
        "kind": "Gadget",
        "metadata": {"name": name},
        "spec": spec,
    }


def serve_definition(api: ApiServer, body: dict[str, Any]) -> None:
    """Make a definition and wait, by watching it, until the server serves its resource."""
    name = body["metadata"]["name"]
    assert api.http.post(DEFINITIONS, json=body).status_code == 201
    definitions = Things(api, DEFINITIONS)
    with definitions.watch(fieldSelector=f"metadata.name={name}") as events:
        next(event for event in events if _is_established(event["object"]))
    plural, group = name.split(".", 1)
    version = body["spec"]["versions"][0]["name"]
    asked = 0
    while api.http.get(f"/apis/{group}/{version}/{plural}").status_code == 404:
        # Established is said a moment before the resource answers.
        asked += 1
        assert asked < 1000, f"{name} is established and not served"


def _is_established(obj: Any) -> bool:
    conditions = obj.get("status", {}).get("conditions") or []
    return any((one["type"], one["status"]) == ("Established", "True") for one in conditions)
