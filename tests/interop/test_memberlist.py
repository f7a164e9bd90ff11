"""One cluster of memberlist itself (Go, the version that MetalLB links) and members of ours."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.peers.gossip import Peer, Segment, build_memberlist, new_segment, wait_for_members

ENCRYPTED = "-secret=AAECAwQFBgcICQoLDA0ODw"
"""Any, of the form that the controller makes; gossip is encrypted wherever it is given."""

LONG = "-secret=0123456789abcdef0123456789abcdef and more"
"""Longer than the key that is made of it."""

CRASH_MIN_S = 4.0
CRASH_MAX_S = 10.0
"""Three members, LAN profile: a probe interval and a suspicion of 4 s, 5.0 to 7.9 s measured with
memberlist alone (layer2.md section 12); the promised bound is 10 s."""

LEAVE_MAX_S = 1.0

PROBED_S = 8.0
"""For each of up to five members to have probed each of the others at least once."""

REJOIN_S = 1.0
"""Instead of a minute, so that a test need not wait for it."""


@pytest.fixture(scope="session")
def memberlist() -> Path:
    """The Go program."""
    program = build_memberlist()
    if program is None:
        pytest.skip("needs Go, to build memberlist")
    return program


@pytest.fixture
def segment(memberlist: Path, tmp_path: Path) -> Iterator[Segment]:
    """Five hosts on one bridge."""
    with new_segment(5, memberlist=memberlist, logs=tmp_path) as segment:
        yield segment


@pytest.mark.parametrize("is_ipv6", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize(
    ("flags", "theirs"),
    [([], []), ([], ["-compress=false"]), ([ENCRYPTED], []), ([LONG], ["-compress=false"])],
    ids=["plain", "uncompressed", "encrypted", "long secret"],
)
def test_each_joins_the_other(
    segment: Segment, is_ipv6: bool, flags: list[str], theirs: list[str]
) -> None:
    first = segment.go(1, *flags, *theirs, is_ipv6=is_ipv6)
    ours = segment.ours(2, *flags, is_ipv6=is_ipv6)
    third = segment.go(3, *flags, *theirs, is_ipv6=is_ipv6)

    assert ours.join(first).get("error") is None
    assert third.join(ours)["count"] == 1

    peers = [first, ours, third]
    wait_for_members(peers, ["go1", "ours2", "go3"])
    assert first.find("join", "ours2")
    assert ours.find("join", "go1")
    assert ours.find("join", "go3")
    assert ours.status()["drops"] == {}
    assert {member["addr"] for member in ours.status()["members"]} == {
        member["addr"] for member in first.status()["members"]
    }


@pytest.mark.parametrize(
    ("go_flags", "our_flags"),
    [
        ([ENCRYPTED], ["-secret=another-secret-of-22-b"]),
        ([ENCRYPTED], []),
        ([], [ENCRYPTED]),
    ],
    ids=["wrong key", "only theirs encrypts", "only ours encrypts"],
)
def test_another_key_is_refused_both_ways(
    segment: Segment, go_flags: list[str], our_flags: list[str]
) -> None:
    theirs = segment.go(1, *go_flags)
    ours = segment.ours(2, *our_flags)

    assert theirs.join(ours)["count"] == 0
    assert ours.join(theirs)["count"] == 0

    assert theirs.members() == {"go1"}
    assert ours.members() == {"ours2"}
    assert ours.status()["drops"]


def test_leaving_is_seen_within_a_second(segment: Segment) -> None:
    peers = _cluster(segment, "go", "ours", "go", "ours", "go")
    for leaver in (peers[0], peers[1]):
        marks = {peer.name: len(peer.lines) for peer in peers}
        began = time.monotonic()
        leaver.command("leave")
        for peer in peers[2:]:
            at, _ = peer.wait("leave", leaver.name, mark=marks[peer.name])
            assert at - began < LEAVE_MAX_S, (peer.name, leaver.name)
        at, _ = leaver.wait("left")
        assert at - began < LEAVE_MAX_S + 0.5
    wait_for_members(peers[2:], [peer.name for peer in peers[2:]])
    for peer in peers[3::2]:
        left = peer.find("leave", "go1")
        assert left
        assert left[1]["member"]["state"] == "left"


def test_crash_is_detected_in_time_and_a_restart_welcomed(memberlist: Path, tmp_path: Path) -> None:
    """Two clusters at once: in one memberlist crashes, in the other our member."""
    with (
        new_segment(3, memberlist=memberlist, logs=tmp_path) as one,
        new_segment(3, memberlist=memberlist, logs=tmp_path) as other,
    ):
        clusters = [_cluster(one, "go", "ours", "go"), _cluster(other, "ours", "go", "ours")]
        deaths = [peers[0].kill() for peers in clusters]
        for began, (dead, *survivors) in zip(deaths, clusters, strict=True):
            for peer in survivors:
                at, _ = peer.wait("leave", dead.name)
                assert CRASH_MIN_S < at - began < CRASH_MAX_S, (peer.name, dead.name)

        # a new process of the same name begins with incarnation 1 again, and must refute its death
        for segment, peers in zip((one, other), clusters, strict=True):
            marks = {peer.name: len(peer.lines) for peer in peers}
            again = segment.go(1, ENCRYPTED) if segment is one else segment.ours(1, ENCRYPTED)
            again.join(peers[1])
            wait_for_members([again, *peers[1:]], [peer.name for peer in peers])
            for peer in peers[1:]:
                peer.wait("join", again.name, mark=marks[peer.name])


def test_probes_find_a_way_round(memberlist: Path, tmp_path: Path) -> None:
    """Where two members lose each other a helper asks, memberlist or ours; or TCP gets through.

    There are three helpers, for memberlist draws them at random with 3 N attempts: with one
    helper of three members it finds none in 3 of 100 probes.
    """
    with ExitStack() as stack:
        segments = [
            stack.enter_context(new_segment(5, memberlist=memberlist, logs=tmp_path))
            for _ in range(3)
        ]
        kinds = (["go", "ours", *["go"] * 3], ["go", *["ours"] * 4], ["go", "ours"])
        clusters = [_cluster(segment, *kind) for segment, kind in zip(segments, kinds, strict=True)]
        for segment, only in zip(segments, ("", "", "ip protocol udp"), strict=True):
            segment.part([1], [2], only=only)

        time.sleep(PROBED_S)

        for segment, peers in zip(segments, clusters, strict=True):
            segment.heal()
            _expect_nobody_was_suspected(peers)


def test_parted_halves_reunite_by_rejoining(segment: Segment) -> None:
    # As speakers do, each looks for its peers. One of them is not enough: a death that was still
    # being told when the cut was mended brings back the accused alone, who then knows nobody.
    looking = ("--rejoin", str(REJOIN_S), "--peer", "10.77.0.1:7946")
    theirs = segment.go(1, ENCRYPTED)
    ours = segment.ours(2, ENCRYPTED, *looking, "--peer", "10.77.0.3:7946")
    alone = segment.ours(3, ENCRYPTED, *looking, "--peer", "10.77.0.2:7946")
    wait_for_members([theirs, ours], ["go1", "ours2", "ours3"])
    peers = [theirs, ours, alone]

    began = time.monotonic()
    segment.part([1, 2], [3])
    for peer, lost in ((theirs, "ours3"), (ours, "ours3"), (alone, "go1"), (alone, "ours2")):
        at, _ = peer.wait("leave", lost)
        assert at - began > CRASH_MIN_S
    marks = {peer.name: len(peer.lines) for peer in peers}

    segment.heal()
    wait_for_members(peers, ["go1", "ours2", "ours3"])
    for peer, found in ((theirs, "ours3"), (ours, "ours3"), (alone, "go1"), (alone, "ours2")):
        peer.wait("join", found, mark=marks[peer.name])


def test_mixed_cluster_stays_as_it_is(segment: Segment) -> None:
    peers = _cluster(segment, "go", "ours", "go", "ours", "go")

    time.sleep(PROBED_S)

    _expect_nobody_was_suspected(peers)
    for peer in peers:
        assert peer.find("leave") is None, peer.name
        assert peer.status().get("drops", {}) == {}, peer.name


def _cluster(segment: Segment, *kinds: str) -> list[Peer]:
    """Start encrypted members of these kinds, each of which joins the one before it."""
    peers: list[Peer] = []
    for host, kind in enumerate(kinds, start=1):
        peer = segment.go(host, ENCRYPTED) if kind == "go" else segment.ours(host, ENCRYPTED)
        if peers:
            assert peer.join(peers[-1]).get("error") is None
        peers.append(peer)
    wait_for_members(peers, [peer.name for peer in peers])
    return peers


def _expect_nobody_was_suspected(peers: list[Peer]) -> None:
    """A suspicion would have been refuted by a higher incarnation, and have cost the accuser."""
    for peer in peers:
        status = peer.status()
        assert {member["name"] for member in status["members"]} == {peer.name for peer in peers}
        assert status["score"] == 0, peer.name
        for member in status["members"]:
            assert member.get("incarnation", 1) == 1, (peer.name, member)
            assert member.get("state", "alive") == "alive", (peer.name, member)
