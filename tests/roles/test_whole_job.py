"""The whole job with MetalLB's roles and with ours; one story, each test goes on from the last."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.cluster import pool, service, wait_until
from tests.roles.grants import Grant, grants_of, our_manifests, uncovered, unused
from tests.roles.installation import NAMESPACE, NODES, Installation, new_installation
from tests.roles.metallb import metallb_manifests

from ferrolb.rbac import Right

WEB = "10.0.0.128"
ACCOUNTS = ("controller", "speaker")


MANIFESTS = {"metallb": metallb_manifests, "ours": our_manifests}


@pytest.fixture(scope="module", params=list(MANIFESTS))
def roles(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def installation(roles: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp(roles)
    with new_installation(folder, MANIFESTS[roles]()) as made:
        made.cluster.apply(
            service("web"),
            made.endpoints("web"),
            service("refused", loadBalancerIP="4.3.2.1"),
            service("hole", annotations={"metallb.io/address-pool": "unheard"}),
        )
        made.start_controller()
        yield made


def state(made: Installation, name: str) -> dict[str, Any]:
    items = made.cluster.get("configurationstates", "-n", NAMESPACE)["items"]
    return next((one for one in items if one["metadata"]["name"] == name), {})


def result(made: Installation, name: str) -> str:
    return str(state(made, name).get("status", {}).get("result", ""))


def wait_result(made: Installation, name: str, wanted: str) -> None:
    wait_until(f"{name} says {wanted}", lambda: result(made, name) == wanted)


def wait_ready(made: Installation, node: str) -> None:
    wait_until(f"{node} is ready", lambda: made.speaker_readiness(node) == "ok")


def owner(made: Installation, name: str) -> str:
    owners = state(made, name).get("metadata", {}).get("ownerReferences", [])
    return ",".join(str(one["name"]) for one in owners)


def statuses(made: Installation) -> list[dict[str, Any]]:
    items = made.cluster.get("servicel2statuses", "-n", NAMESPACE)["items"]
    return [one for one in items if one.get("status", {}).get("serviceName") == "web"]


def wait_announced(made: Installation, *nodes: str) -> str:
    """Wait for exactly one status, of one of these nodes; return the node."""

    def check() -> str:
        found = [one["status"]["node"] for one in statuses(made)]
        return str(found[0]) if len(found) == 1 and found[0] in nodes else ""

    return str(wait_until(f"one of {nodes} says that it announces", check))


def other(node: str) -> str:
    return NODES[1 - NODES.index(node)]


def repeats(made: Installation, name: str, reason: str) -> int:
    events = [one for one in made.cluster.events(name) if one["reason"] == reason]
    return max((one.get("count", 1) for one in events), default=0)


def test_c01_addresses_events_and_counters(installation):
    cluster = installation.cluster
    cluster.wait_address("web", WEB)
    cluster.wait_event("web", "IPAllocated", f'Assigned IP ["{WEB}"]')
    cluster.wait_event(
        "refused",
        "AllocationFailed",
        'Failed to allocate IP for "default/refused": "4.3.2.1" is not allowed in config',
    )
    found = cluster.get("service", "web")
    assert found["metadata"]["annotations"]["metallb.io/ip-allocated-from-pool"] == "p"

    expected = {"assignedIPv4": 1, "assignedIPv6": 0, "availableIPv4": 15, "availableIPv6": 0}

    def counted() -> bool:
        status = cluster.get("ipaddresspools", "p", "-n", NAMESPACE).get("status", {})
        return bool(status == expected)

    wait_until("the pool's counters are right", counted)


def test_the_memberlist_secret_is_there_and_owned(installation):
    secret = installation.cluster.get("secret", "memberlist", "-n", NAMESPACE)
    [reference] = secret["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["name"]) == ("Deployment", "controller")
    installation.save_memberlist_key()


def test_c20_a_repeat_is_counted(installation):
    cluster = installation.cluster
    cluster.apply(service("refused", loadBalancerIP="10.0.0.140"))
    cluster.wait_address("refused", "10.0.0.140")
    cluster.apply(service("refused", loadBalancerIP="4.3.2.1"))
    wait_until("it is counted", lambda: repeats(installation, "refused", "AllocationFailed") == 2)


def test_speakers_announce_and_say_so(installation):
    for node in NODES:
        installation.start_speaker(node)
    node = wait_announced(installation, *NODES)
    installation.cluster.wait_event("web", "nodeAssigned", f'announcing from node "{node}"')
    assert installation.answers(WEB, to=other(node))
    for name in NODES:
        wait_result(installation, f"speaker-{name}", "Valid")
        wait_ready(installation, name)


def test_a_status_that_somebody_edits_is_put_right(installation):
    [status] = statuses(installation)
    where = ("servicel2status", status["metadata"]["name"], "-n", NAMESPACE)
    installation.cluster.kubectl("label", *where, "metallb.io/service-name-")

    def is_right() -> bool:
        [found] = statuses(installation)
        assert found["metadata"]["name"] == status["metadata"]["name"]
        return bool(found["metadata"]["labels"].get("metallb.io/service-name") == "web")

    wait_until("the label is there again", is_right)


def test_c20_an_announcement_that_comes_back_is_counted(installation):
    cluster = installation.cluster
    node = wait_announced(installation, *NODES)
    cluster.kubectl("delete", "endpointslice", "web-by-hand")
    wait_until("nobody says that it announces", lambda: not statuses(installation))
    assert not installation.answers(WEB, to=other(node))
    cluster.apply(installation.endpoints("web"))
    assert wait_announced(installation, *NODES) == node
    wait_until("it is counted", lambda: repeats(installation, "web", "nodeAssigned") == 2)


def test_the_configuration_s_errors_are_reported_and_go_again(installation):
    cluster = installation.cluster
    names = ("controller", *(f"speaker-{node}" for node in NODES))
    for wanted, manifest in (("Invalid", pool("bad", "10.9.9.9")), ("Valid", None)):
        if manifest is not None:
            cluster.apply(manifest)
        else:
            cluster.kubectl("delete", "ipaddresspool", "bad", "-n", NAMESPACE)
        for name in names:
            wait_result(installation, name, wanted)
    conditions = state(installation, "controller")["status"]["conditions"]
    assert {one["type"]: one["status"] for one in conditions}["ferrolb.io/rightsGranted"] == "True"


def test_a_speaker_that_ends_hands_over_and_takes_its_state_back_as_a_new_pod(installation):
    node = wait_announced(installation, *NODES)
    installation.stop_speaker(node)
    assert wait_announced(installation, other(node)) == other(node)
    assert installation.answers(WEB, to=node)
    installation.start_speaker(node)
    wait_until(
        "the new Pod owns the state",
        lambda: owner(installation, f"speaker-{node}") == f"speaker-{node}-pod-1",
    )
    assert wait_announced(installation, node) == node


def test_a_controller_that_starts_again_writes_to_no_service_and_no_pool(installation):
    cluster = installation.cluster
    cluster.wait_event("hole", "notAnnounced")
    installation.stop_controller()
    before = cluster.quiet_writes()
    installation.start_controller()
    wait_until(
        "the new Pod owns the state",
        lambda: owner(installation, "controller") == "controller-pod-1",
    )
    written = cluster.quiet_writes() - before
    assert written["configurationstates"] == 1
    assert not {"services", "services/status", "ipaddresspools/status"} & set(written)
    assert "ok" in installation.controller_readiness().splitlines()[0]


def test_c25_an_address_that_nobody_announces_is_told(installation):
    event = installation.cluster.wait_event("hole", "notAnnounced")
    assert event["message"].endswith('no advertisement selects the address pool "unheard"')


def refused(made: Installation, account: str) -> set[tuple[str, str]]:
    return {(one.resource, one.verb) for one in made.recorder.rights(account, code=403)}


EXPECTED_REFUSALS: dict[str, dict[str, set[tuple[str, str]]]] = {
    "ours": {"controller": set(), "speaker": set()},
    "metallb": {
        "controller": {
            ("services/status", "patch"),
            ("ipaddresspools/status", "patch"),
            ("addresspools", "list"),
            ("nodes", "watch"),
        },
        "speaker": {("addresspools", "list")},
    },
}


@pytest.mark.parametrize("account", ACCOUNTS)
def test_c17_only_what_there_is_a_way_without_was_refused(installation, roles, account):
    assert refused(installation, account) == EXPECTED_REFUSALS[roles][account]
    log = installation.logs()
    assert '"level": "error"' not in "\n".join(
        line for line in log.splitlines() if "10.9.9.9" not in line
    )
    assert "a right is missing" not in log


def test_c01_the_fallback_is_said_once_a_program_and_resource(installation, roles):
    said = [
        json.loads(line)["resource"]
        for line in installation.logs().splitlines()
        if "status is written by update from now on" in line
    ]
    expected = ["services/status", "ipaddresspools/status"] if roles == "metallb" else []
    assert set(said) == set(expected)
    assert said.count("services/status") == len(expected) // 2


def grants(roles: str, account: str) -> list[Grant]:
    return grants_of(MANIFESTS[roles](), account)


@pytest.mark.parametrize("account", ACCOUNTS)
def test_one_verb_more_is_flagged(installation, roles, account):
    if roles == "metallb":
        pytest.skip("MetalLB's roles are as they are")
    made = installation.recorder.rights(account)
    granted = grants(roles, account)
    assert unused(granted, made) == []
    for extra in (
        Grant("", "", "services", "get"),
        Grant(NAMESPACE, "", "secrets", "list"),
        Grant("", "metallb.io", "ipaddresspools", "delete"),
    ):
        assert unused([*granted, extra], made) == [extra]


@pytest.mark.parametrize("account", ACCOUNTS)
def test_one_verb_less_is_missed(installation, roles, account):
    if roles == "metallb":
        pytest.skip("MetalLB's roles are as they are")
    made = installation.recorder.rights(account)
    granted = grants(roles, account)
    assert uncovered(granted, made) == []
    for grant in granted:
        rest = [one for one in granted if one != grant]
        missing = uncovered(rest, made)
        assert missing
        assert all(_is_of(right, grant) for right in missing)


def _is_of(right: Right, grant: Grant) -> bool:
    return (right.group, right.resource, right.verb) == (grant.group, grant.resource, grant.verb)
