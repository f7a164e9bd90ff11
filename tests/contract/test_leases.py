"""Leases: times to the microsecond, and what is refused."""

from typing import Any

import pytest
from tests.api_server import ApiServer

TIME = "2026-11-24T01:00:00.123456Z"


@pytest.fixture
def path(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def _lease(**spec: Any) -> Any:
    return {"metadata": {"name": "leader"}, "spec": spec}


def test_a_leases_times_keep_their_microseconds(api: ApiServer, path: str) -> None:
    spec = {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "acquireTime": TIME,
        "renewTime": TIME,
        "leaseTransitions": 0,
    }
    assert api.http.post(path, json=_lease(**spec)).json()["spec"] == spec
    assert api.http.get(f"{path}/leader").json()["spec"] == spec


@pytest.mark.only_on("real", "checked against their schema and a few rules")
def test_a_leases_time_needs_its_microseconds(api: ApiServer, path: str) -> None:
    answer = api.http.post(path, json=_lease(holderIdentity="a", renewTime="2026-11-24T01:00:00Z"))
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_leases_duration_is_positive(api: ApiServer, path: str, seconds: int) -> None:
    answer = api.http.post(path, json=_lease(leaseDurationSeconds=seconds))
    (cause,) = answer.json()["details"]["causes"]
    assert cause["field"] == "spec.leaseDurationSeconds"
    assert cause["message"] == f"Invalid value: {seconds}: must be greater than 0"


def test_a_leases_transitions_are_not_negative(api: ApiServer, path: str) -> None:
    answer = api.http.post(path, json=_lease(leaseTransitions=-1))
    (cause,) = answer.json()["details"]["causes"]
    text = "Invalid value: -1: must be greater than or equal to 0"
    assert (cause["field"], cause["message"]) == ("spec.leaseTransitions", text)


def test_two_candidates_do_not_renew_one_version(api: ApiServer, path: str) -> None:
    lease = api.http.post(path, json=_lease(holderIdentity="a")).json()
    taken = {**lease, "spec": {"holderIdentity": "b"}}
    assert api.http.put(f"{path}/leader", json=taken).status_code == 200
    answer = api.http.put(f"{path}/leader", json=lease)
    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")


def test_a_missing_lease_is_made_by_an_update(api: ApiServer, path: str) -> None:
    answer = api.http.put(f"{path}/leader", json=_lease(holderIdentity="a"))
    assert answer.status_code == 201
