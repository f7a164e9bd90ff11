"""Words that the contract cases about Services share."""

import json
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx2
from tests.api_server import ApiServer

FOLDER: Final = Path(__file__).parent
MERGE: Final = "application/merge-patch+json"


def cases_of(file: str) -> list[Any]:
    """Return the cases of a table beside the tests, each with its behaviour as `behaviour`."""
    cases = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    assert len({case["behaviour"] for case in cases}) == len(cases)
    return list(cases)


@dataclass
class Services:
    """The Services of one namespace."""

    api: ApiServer
    namespace: str
    _numbers: Any = field(default_factory=count)

    def path(self, name: str = "", subresource: str = "") -> str:
        parts = ("/api/v1/namespaces", self.namespace, "services", name, subresource)
        return "/".join(part for part in parts if part)

    def create(self, name: str = "", /, **spec: Any) -> httpx2.Response:
        """Try to create one, of one port unless the spec says otherwise."""
        metadata = {"name": name or f"web-{next(self._numbers)}"}
        body = {"metadata": metadata, "spec": {"ports": [{"port": 80}], **spec}}
        return self.api.http.post(self.path(), json=body)

    def made(self, name: str = "", /, **spec: Any) -> Any:
        """Create one that nothing is wrong with."""
        answer = self.create(name, **spec)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def get(self, name: str) -> Any:
        return self.api.http.get(self.path(name)).json()

    def put(self, service: Any, **spec: Any) -> httpx2.Response:
        """Replace one by itself with other fields in its spec; None takes a field away."""
        wanted = {**service["spec"], **spec}
        kept = {key: value for key, value in wanted.items() if value is not None}
        body = {**service, "spec": kept}
        return self.api.http.put(self.path(service["metadata"]["name"]), json=body)

    def patch(self, service: Any, **spec: Any) -> httpx2.Response:
        """Change fields of a spec by merge patch."""
        return self._merge(self.path(service["metadata"]["name"]), {"spec": spec})

    def patched(self, service: Any, **spec: Any) -> Any:
        """Change fields of a spec where nothing is wrong with it; return the spec."""
        answer = self.patch(service, **spec)
        assert answer.status_code == 200, answer.text
        return answer.json()["spec"]

    def report(self, service: Any, **status: Any) -> httpx2.Response:
        """Change fields of a status, through its subresource."""
        path = self.path(service["metadata"]["name"], "status")
        return self._merge(path, {"status": status})

    def delete(self, service: Any) -> None:
        answer = self.api.http.delete(self.path(service["metadata"]["name"]))
        assert answer.status_code == 200, answer.text

    def _merge(self, path: str, body: Any) -> httpx2.Response:
        headers = {"Content-Type": MERGE}
        return self.api.http.patch(path, content=json.dumps(body), headers=headers)


def causes(answer: httpx2.Response) -> list[Any]:
    """Return what a refusal names, as (field, message)."""
    assert answer.status_code >= 400, answer.text
    found = answer.json()["details"]["causes"]
    return [(cause.get("field"), cause["message"]) for cause in found]


def warnings_of(answer: httpx2.Response) -> list[str]:
    """Return the texts of the warnings of an answer, in order."""
    found = answer.headers.get_list("warning")
    assert all(item.startswith('299 - "') and item.endswith('"') for item in found), found
    return [item[7:-1].replace('\\"', '"') for item in found]
