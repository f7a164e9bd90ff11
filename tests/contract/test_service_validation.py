"""What becomes of a Service when it is created, and what is refused, word for word.

The tables beside this file hold one case a line.
"""

import json
from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.services import Services, cases_of, causes, warnings_of

REFUSALS = cases_of("service_refusals.json")
SPECS = cases_of("service_specs.json")


@pytest.fixture(scope="module")
def services(api: ApiServer) -> Services:
    return Services(api, api.new_namespace())


@pytest.mark.parametrize("case", REFUSALS, ids=[case["behaviour"] for case in REFUSALS])
def test_refused(services: Services, case: Any) -> None:
    metadata = {"name": "web", **case.get("metadata", {})}
    answer = services.api.http.post(
        services.path(), json={"metadata": metadata, "spec": case["spec"]}
    )
    assert answer.status_code == case["status"], answer.text
    assert answer.json()["details"]["causes"] == case["causes"]


@pytest.mark.parametrize("case", SPECS, ids=[case["behaviour"] for case in SPECS])
def test_becomes(services: Services, case: Any) -> None:
    answer = services.create(**case["spec"])
    assert answer.status_code == 201, answer.text
    service = answer.json()
    assert _anonymous(service["spec"], case["spec"]) == case["becomes"]
    assert service["status"] == {"loadBalancer": {}}
    assert warnings_of(answer) == case.get("warnings", [])
    services.delete(service)


def test_port_and_protocol_are_unique(services: Services) -> None:
    answer = services.create(ports=[{"port": 80, "name": "a"}, {"port": 80, "name": "b"}])
    ((field, message),) = causes(answer)
    assert field == "spec.ports[1]"
    kind, _, shown = message.partition(": ")
    zeros = {"Name": "", "AppProtocol": None, "TargetPort": 0, "NodePort": 0}
    assert (kind, json.loads(shown)) == (
        "Duplicate value",
        {"Port": 80, "Protocol": "TCP", **zeros},
    )


def test_the_tables_are_whole() -> None:
    assert (len(REFUSALS), len(SPECS)) == (76, 43)


def _anonymous(value: Any, asked: Any) -> Any:
    """Return what a server answers, with words in place of what it chose by itself."""
    if isinstance(value, list):
        return [_anonymous(item, asked) for item in value]
    if isinstance(value, dict):
        return {key: _anonymous_member(key, item, asked) for key, item in value.items()}
    if isinstance(value, str) and value not in str(asked):
        if value.startswith("10.96."):
            return "<an IPv4 address>"
        if value.startswith("fd00:10:96::"):
            return "<an IPv6 address>"
    return value


def _anonymous_member(key: str, value: Any, asked: Any) -> Any:
    is_port = key in ("nodePort", "healthCheckNodePort")
    if is_port and str(value) not in str(asked):
        assert 30000 <= value <= 32767
        return "<a node port>"
    return _anonymous(value, asked)
