"""A right taken away: what the program says, what its users see, and that it mends by itself."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.cluster import service, wait_until
from tests.roles.grants import our_manifests
from tests.roles.installation import NAMESPACE, NODES, Installation, new_installation

ASKED_AGAIN = 20
"""Requests in a minute that a program may make for what it was refused; it asks every 10 s."""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Our roles, a controller that works, no speaker."""
    with new_installation(tmp_path_factory.mktemp("missing"), our_manifests()) as made:
        made.start_controller()
        yield made


def without(role: dict[str, Any], resource: str, verb: str) -> dict[str, Any]:
    rules = [
        {**rule, "verbs": [one for one in rule["verbs"] if one != verb]}
        if resource in rule["resources"]
        else rule
        for rule in role["rules"]
    ]
    rules = [rule for rule in rules if rule["verbs"]]
    assert rules != role["rules"]
    return {**role, "rules": rules}


@contextmanager
def taken_away(made: Installation, name: str, resource: str, verb: str) -> Iterator[None]:
    """Apply a role without one verb; then as it was."""
    [role] = [
        one
        for one in our_manifests()
        if one["kind"] in ("Role", "ClusterRole") and one["metadata"]["name"] == name
    ]
    made.cluster.apply(without(role, resource, verb))
    account = "speaker" if name in ("pod-lister", "metallb-system:speaker") else "controller"
    group = next(rule["apiGroups"][0] for rule in role["rules"] if resource in rule["resources"])
    where = f"{resource.partition('/')[0]}{'.' + group if group else ''}"
    sub = resource.partition("/")[2]
    words = ["auth", "can-i", verb, where, *([f"--subresource={sub}"] if sub else [])]
    words += ["-n", NAMESPACE, f"--as=system:serviceaccount:{NAMESPACE}:{account}"]
    wait_until("the right is gone", lambda: "no" in can_i(made, words))
    try:
        yield
    finally:
        made.cluster.apply(role)


def can_i(made: Installation, words: list[str]) -> str:
    try:
        return made.cluster.kubectl(*words)
    except AssertionError as error:
        return str(error)


def said(made: Installation, resource: str, verb: str) -> list[dict[str, Any]]:
    """Return what the logs tell of a missing right."""
    lines = [
        json.loads(line) for line in made.logs().splitlines() if '"a right is missing"' in line
    ]
    return [one for one in lines if (one["resource"], one["verb"]) == (resource, verb)]


def wait_said(made: Installation, resource: str, verb: str) -> dict[str, Any]:
    wait_until(f"{verb} {resource} is missed", lambda: said(made, resource, verb))
    [line] = said(made, resource, verb)
    return line


def condition(made: Installation) -> dict[str, Any]:
    items = made.cluster.get("configurationstates", "-n", NAMESPACE)["items"]
    [state] = [one for one in items if one["metadata"]["name"] == "controller"]
    found = {one["type"]: one for one in state.get("status", {}).get("conditions", [])}
    return dict(found.get("ferrolb.io/rightsGranted", {}))


def test_c01_without_any_right_to_write_a_status_services_wait_and_the_cause_is_told(installation):
    cluster = installation.cluster
    with taken_away(installation, "metallb-system:controller", "services/status", "patch"):
        cluster.apply(service("waits"))
        line = wait_said(installation, "services/status", "patch")
        add = '- {apiGroups: [""], resources: ["services/status"], verbs: ["patch"]}'
        assert (line["add"], line["to"]) == (add, "ClusterRole")
        assert line["effect"] == "no Service gets an address, none is taken back"
        wait_until("the state says so", lambda: add in condition(installation).get("message", ""))
        assert condition(installation)["status"] == "False"
        readiness = installation.controller_readiness().splitlines()
        assert readiness[0] == "ok"
        assert add in readiness[1]
        assert cluster.address("waits") == ""
        began, before = time.monotonic(), len(installation.recorder.made)
        cluster.apply(*(service(f"waits-too-{number}") for number in range(8)))
        wait_until(
            "all have been looked at",
            lambda: len(cluster.events("waits-too-7")) > 0 or time.monotonic() > began + 4,
        )
        asked = [
            one
            for one in installation.recorder.made[before:]
            if one.code == 403 and one.account == "controller"
        ]
        assert len(asked) < ASKED_AGAIN
    cluster.wait_address("waits")
    cluster.wait_address("waits-too-7")
    wait_until("nothing is missing", lambda: condition(installation).get("status") == "True")
    assert len(said(installation, "services/status", "patch")) == 1


def test_without_the_right_to_create_events_addresses_are_given(installation):
    cluster = installation.cluster
    with taken_away(installation, "metallb-system:controller", "events", "create"):
        cluster.apply(service("silent"))
        cluster.wait_address("silent")
        line = wait_said(installation, "events", "create")
        assert line["to"] == "ClusterRole"
        assert cluster.events("silent") == []
    assert "users are not told" in line["effect"]


def test_without_the_right_to_write_pool_status_the_rest_goes_on(installation):
    cluster = installation.cluster
    with taken_away(installation, "controller", "ipaddresspools/status", "patch"):
        cluster.apply(service("uncounted"))
        cluster.wait_address("uncounted")
        line = wait_said(installation, "ipaddresspools/status", "patch")
        assert (line["to"], line["scope"]) == ("Role", f"namespace {NAMESPACE}")


def test_without_the_right_to_list_services_it_waits_and_says_so(installation):
    installation.stop_controller()
    with taken_away(installation, "metallb-system:controller", "services", "list"):
        process = installation.start_controller(wait=False)
        wait_said(installation, "services", "list")
        readiness = installation.controller_readiness()
        assert "waiting for services\n" in readiness
        assert "lacks: " in readiness
        assert process.popen.poll() is None
        assert '"msg": "started"' not in process.text()
    wait_until("it has started", lambda: '"msg": "started"' in process.text())
    wait_until("it is ready", lambda: installation.controller_readiness() == "ok")


def test_without_the_right_to_make_the_secret_addresses_are_given(installation):
    cluster = installation.cluster
    installation.stop_controller()
    cluster.kubectl("delete", "secret", "memberlist", "-n", NAMESPACE)
    with taken_away(installation, "controller", "secrets", "create"):
        installation.start_controller()
        cluster.apply(service("without-secret"))
        cluster.wait_address("without-secret")
        wait_said(installation, "secrets", "create")
        assert "failing: memberlist secret" in installation.controller_readiness()
    wait_until("it is ready", lambda: installation.controller_readiness() == "ok")
    cluster.get("secret", "memberlist", "-n", NAMESPACE)


def test_a_speaker_that_cannot_see_the_others_announces_nothing(installation):
    cluster = installation.cluster
    installation.save_memberlist_key()
    at = NODES[0]
    with taken_away(installation, "pod-lister", "pods", "list"):
        log = installation.start_speaker(at)
        wait_said(installation, "pods", "list")
        wait_until(
            "it waits for the others only",
            lambda: installation.speaker_readiness(at).startswith("waiting for members"),
        )
        assert '"msg": "started"' not in log.read_text()
    wait_until("it is ready", lambda: installation.speaker_readiness(at) == "ok")
    cluster.kubectl("get", "configurationstates", f"speaker-{at}", "-n", NAMESPACE)


def test_without_the_right_to_write_statuses_a_speaker_announces(installation):
    at = NODES[0]
    with taken_away(installation, "pod-lister", "servicel2statuses", "create"):
        installation.cluster.apply(installation.endpoints("waits"))
        installation.cluster.wait_event("waits", "nodeAssigned", f'announcing from node "{at}"')
        wait_said(installation, "servicel2statuses", "create")
        assert installation.answers(installation.cluster.address("waits"), to=NODES[1])
