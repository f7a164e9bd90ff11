import pytest

from ferrolb.gossip import LAN, WAN, SettingsError, parse_settings
from ferrolb.model import Json

FILE: dict[str, Json] = {
    "TCPTimeout": "10s",
    "PushPullInterval": "30s",
    "ProbeTimeout": "500ms",
    "ProbeInterval": "1s",
    "GossipInterval": "200ms",
    "GossipToTheDeadTime": "30s",
    "QueueCheckInterval": "30s",
    "IndirectChecks": 3,
    "RetransmitMult": 4,
    "SuspicionMult": 4,
    "SuspicionMaxTimeoutMult": 6,
    "AwarenessMaxMultiplier": 8,
    "GossipNodes": 3,
    "HandoffQueueDepth": 1024,
    "UDPBufferSize": 1400,
    "DisableTcpPings": False,
    "GossipVerifyIncoming": True,
    "GossipVerifyOutgoing": True,
    "EnableCompression": True,
}


def test_a_file_with_the_values_of_lan_is_lan():
    assert parse_settings(FILE) == LAN
    assert WAN != LAN


def test_keys_have_any_case_and_unknown_ones_are_ignored():
    assert parse_settings({k.upper(): v for k, v in FILE.items()} | {"Other": [1]}) == LAN


@pytest.mark.parametrize("key", FILE)
def test_a_missing_key_is_named(key):
    with pytest.raises(SettingsError, match=f": {key}: missing"):
        parse_settings({k: v for k, v in FILE.items() if k != key})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1m30s", 90), ("1.5h", 5400), ("200us", 0.0002), ("0", 0), ("+.5s", 0.5), ("7ns", 7e-9)],
)
def test_durations(text, seconds):
    parsed = parse_settings(FILE | {"ProbeInterval": text}).probe_interval_s
    assert parsed == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ProbeInterval", "1"),
        ("ProbeInterval", "-1s"),
        ("ProbeInterval", "1s" * 40),
        ("ProbeInterval", 5),
        ("ProbeInterval", ""),
        ("GossipNodes", "3"),
        ("GossipNodes", True),
        ("GossipNodes", -1),
        ("GossipNodes", 70_000),
        ("UDPBufferSize", 100),
        ("EnableCompression", 1),
    ],
)
def test_bad_values_are_named(key, value):
    with pytest.raises(SettingsError, match=f": {key}: "):
        parse_settings(FILE | {key: value})


def test_other_documents_are_refused():
    with pytest.raises(SettingsError, match="not a JSON object"):
        parse_settings([])
