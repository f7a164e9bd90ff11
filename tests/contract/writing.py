"""Words that the cases about writing share: objects of one collection, patches, refusals."""

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
from tests.api_server import ApiServer
from tests.contract.reading import assert_status
from tests.contract.waiting import wait_for

FOLDER: Final = Path(__file__).parent

MERGE: Final = "application/merge-patch+json"
JSON: Final = "application/json-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"

HOLD: Final = "example.com/hold"
"""A finalizer that only a test takes away."""

STALE: Final = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


@dataclass(frozen=True)
class Objects:
    """One collection of objects of one kind."""

    api: ApiServer
    path: str
    identity: dict[str, str] = field(default_factory=dict)
    """apiVersion and kind, where bodies have to say them."""

    def body(self, name: str, members: dict[str, Any]) -> dict[str, Any]:
        """Return an object of that name."""
        metadata = {"name": name, **members.get("metadata", {})}
        return {**self.identity, **members, "metadata": metadata}

    def post(self, body: dict[str, Any], **query: str) -> httpx2.Response:
        """Try to make an object."""
        return self.api.http.post(self.path, json={**self.identity, **body}, params=query)

    def made(self, name: str, **members: Any) -> Any:
        """Make an object that nothing is wrong with."""
        answer = self.post(self.body(name, members))
        assert answer.status_code == 201, answer.text
        return answer.json()

    def ask(self, name: str) -> httpx2.Response:
        """Ask for an object."""
        return self.api.http.get(f"{self.path}/{name}")

    def get(self, name: str) -> Any:
        """Return an object that is there."""
        answer = self.ask(name)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def is_gone(self, name: str) -> bool:
        """Tell whether an object is not there."""
        return self.ask(name).status_code == 404

    def wait_gone(self, name: str) -> None:
        """Wait until an object is not there."""
        wait_for(lambda: self.is_gone(name))

    def put(self, obj: Any, **query: str) -> httpx2.Response:
        """Try to put an object in the place of the one of its name."""
        place = f"{self.path}/{obj['metadata']['name']}"
        return self.api.http.put(place, json=obj, params=query)

    def merge(self, name: str, patch: Any, **query: str) -> httpx2.Response:
        """Try to change an object by merge patch."""
        return self.patch(name, patch, MERGE, **query)

    def patch(self, name: str, patch: Any, content_type: str, **query: str) -> httpx2.Response:
        """Try to change an object, or with `name/status` its status, by a patch."""
        headers = {"Content-Type": content_type}
        body = patch if isinstance(patch, bytes) else json.dumps(patch).encode()
        return self.api.http.patch(
            f"{self.path}/{name}", content=body, headers=headers, params=query
        )

    def merged(self, name: str, patch: Any) -> Any:
        """Change an object by a merge patch that nothing is wrong with."""
        answer = self.merge(name, patch)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def apply(self, name: str, manager: str, /, force: bool = False, **members: Any) -> Any:
        """Try to apply an object for a manager."""
        path, _, _ = name.partition("/")
        query = {"fieldManager": manager, **({"force": "true"} if force else {})}
        return self.patch(name, self.body(path, members), APPLY, **query)

    def applied(self, name: str, manager: str, /, force: bool = False, **members: Any) -> Any:
        """Apply an object that nothing is wrong with."""
        answer = self.apply(name, manager, force=force, **members)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def delete(self, name: str, **options: Any) -> httpx2.Response:
        """Try to delete an object, with options in the body if there are any."""
        return self.api.http.request("DELETE", f"{self.path}/{name}", json=options or None)

    def release(self, name: str) -> None:
        """Take all finalizers from an object."""
        answer = self.merge(name, {"metadata": {"finalizers": None}})
        assert answer.status_code in (200, 404), answer.text


def config_maps(api: ApiServer, namespace: str) -> Objects:
    """Return the config maps of a namespace."""
    identity = {"apiVersion": "v1", "kind": "ConfigMap"}
    return Objects(api, f"/api/v1/namespaces/{namespace}/configmaps", identity)


def pools(api: ApiServer, namespace: str) -> Objects:
    """Return the address pools of a namespace: a custom resource that is always served."""
    return own_resources(api, namespace, "IPAddressPool")


def own_resources(api: ApiServer, namespace: str, kind: str, version: str = "v1beta1") -> Objects:
    """Return the objects of a kind of FerroLB's in a namespace."""
    plural = f"{kind.lower()}s".replace("communitys", "communities")
    identity = {"apiVersion": f"metallb.io/{version}", "kind": kind}
    path = f"/apis/metallb.io/{version}/namespaces/{namespace}/{plural}"
    return Objects(api, path, identity)


POOL: Final[dict[str, Any]] = {"spec": {"addresses": ["192.0.2.0/28"]}}
"""What an address pool needs."""


def cases_of(file: str) -> list[Any]:
    """Return the cases of a table beside the tests, each with its behaviour as `behaviour`."""
    return list(json.loads((FOLDER / file).read_text(encoding="utf-8")))


def ids_of(cases: list[Any]) -> list[str]:
    """Return what the cases of a table are called."""
    return [case["behaviour"] for case in cases]


def causes(answer: httpx2.Response) -> set[tuple[str, str, str]]:
    """Return what a refusal names, as (field, reason, message); some servers repeat themselves.

    A definition with a sole version is told about without the version: one place for both.
    """
    assert answer.status_code >= 400, answer.text
    return as_set(answer.json()["details"]["causes"])


def as_set(listed: list[Any]) -> set[tuple[str, str, str]]:
    """Return causes, in no order."""
    return {(cause["field"], cause["reason"], cause["message"]) for cause in listed}


def assert_invalid(answer: httpx2.Response, *expected: tuple[str, str, str]) -> Any:
    """Check that an object was refused for these causes; return the Status."""
    status = assert_status(answer, 422, "Invalid")
    assert causes(answer) == set(expected)
    return status


def assert_conflict(answer: httpx2.Response, target: str, name: str, why: str) -> None:
    """Check that a write was refused since the object is not what the client thinks."""
    status = assert_status(answer, 409, "Conflict")
    message = f'Operation cannot be fulfilled on {target} "{name}": {why}'
    assert status["message"] == message
    details = status["details"]
    plural, _, _ = target.partition(".")
    assert (details["name"], details["kind"]) == (name, plural)


def warnings_of(answer: httpx2.Response) -> list[str]:
    """Return the texts of the warnings of an answer, in order."""
    found = answer.headers.get_list("warning")
    assert all(item.startswith('299 - "') and item.endswith('"') for item in found), found
    return [item[7:-1].replace('\\"', '"') for item in found]


def fields_by_manager(obj: Any) -> dict[str, Any]:
    """Return who owns which fields: `manager Operation[ subresource]` to FieldsV1."""
    return {
        " ".join(
            (entry["manager"], entry["operation"], *filter(None, [entry.get("subresource")]))
        ): entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields", [])
    }


def version_of(obj: Any) -> str:
    """Return the resourceVersion of an object."""
    return str(obj["metadata"]["resourceVersion"])


def changed(obj: Any, **members: Any) -> Any:
    """Return a copy of an object with other members."""
    return {**copy.deepcopy(obj), **members}


def with_metadata(obj: Any, **metadata: Any) -> Any:
    """Return a copy of an object with other metadata; None takes a field away."""
    kept = {key: value for key, value in {**obj["metadata"], **metadata}.items() if value}
    return {**copy.deepcopy(obj), "metadata": kept}
