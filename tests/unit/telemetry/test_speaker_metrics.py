"""What a speaker's exposition says, as a scraper reads it."""

import re
from ipaddress import ip_address

import pytest

from ferrolb.model import NodeName, ServiceKey
from ferrolb.telemetry import SpeakerMetrics, new_registry, render
from ferrolb.telemetry.speaker_metrics import MAX_FORMER

WEB, MAIL = ServiceKey("shop", "web"), ServiceKey("shop", "mail")
V4, V6 = ip_address("192.0.2.1"), ip_address("2001:0db8:0::1")


# not the client library's parser: it appends `_total` to the name of each counter
_LINE = re.compile(r"(?P<name>\w+)(\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Bench:
    def __init__(self):
        self.registry = new_registry()
        self.metrics = SpeakerMetrics(self.registry, node=NodeName("node-a"))

    @property
    def text(self):
        return render(self.registry)[0].decode()

    def series(self, name):
        """Return the values of one name, by labels."""
        found = {}
        for line in self.text.splitlines():
            match = _LINE.fullmatch(line)
            if match and match["name"] == name:
                labels = tuple(sorted(_LABEL.findall(match["labels"] or "")))
                assert labels not in found, line
                found[labels] = float(match["value"])
        return found

    def value(self, name, **labels):
        return self.series(name).get(tuple(sorted(labels.items())))


@pytest.fixture
def bench():
    return Bench()


def test_r33_the_three_layer2_counters_have_no_suffix_and_are_counters(bench):
    bench.metrics.announced(WEB, "layer2", V4)
    bench.metrics.request_received(V4)
    bench.metrics.answered(V4)
    for _ in range(3):
        bench.metrics.gratuitous_sent(V4)
    lines = bench.text.splitlines()
    for name, count in (
        ("metallb_layer2_requests_received", 2),
        ("metallb_layer2_responses_sent", 1),
        ("metallb_layer2_gratuitous_sent", 3),
    ):
        assert f"# TYPE {name} counter" in lines
        assert f'{name}{{ip="192.0.2.1"}} {count}.0' in lines


def test_an_address_is_written_in_its_shortest_form(bench):
    bench.metrics.announced(WEB, "layer2", V6)
    assert bench.value("metallb_layer2_requests_received", ip="2001:db8::1") == 0


def test_r33_announced_is_there_while_announced_and_gone_after(bench):
    labels = {"service": "shop/web", "protocol": "layer2", "node": "node-a"}
    bench.metrics.announced(WEB, "layer2", V4)
    bench.metrics.announced(WEB, "layer2", V6)
    bench.metrics.announced(WEB, "layer2", V4)
    assert bench.value("metallb_speaker_announced", **labels, ip="192.0.2.1") == 1
    assert "# TYPE metallb_speaker_announced gauge" in bench.text
    bench.metrics.request_received(V4)
    bench.metrics.not_announced(WEB, "layer2", V4)
    bench.metrics.not_announced(WEB, "layer2", V4)
    assert bench.value("metallb_speaker_announced", **labels, ip="192.0.2.1") is None
    assert bench.value("metallb_speaker_announced", **labels, ip="2001:db8::1") == 1
    # the counters of a former owner stay
    assert bench.value("metallb_layer2_requests_received", ip="192.0.2.1") == 1


def test_r33_who_never_announced_shows_no_address(bench):
    bench.metrics.not_announced(WEB, "layer2", V4)
    assert bench.series("metallb_speaker_announced") == {}
    assert bench.series("metallb_layer2_requests_received") == {}


def test_moves_are_counted_by_address_not_by_service(bench):
    bench.metrics.announced(WEB, "layer2", V4)
    bench.metrics.announced(MAIL, "layer2", V4)
    bench.metrics.not_announced(WEB, "layer2", V4)
    assert bench.value("ferrolb_layer2_address_moves_total", ip="192.0.2.1") == 1
    bench.metrics.not_announced(MAIL, "layer2", V4)
    bench.metrics.announced(MAIL, "layer2", V4)
    assert bench.value("ferrolb_layer2_address_moves_total", ip="192.0.2.1") == 3


def test_claims_drops_gossip_and_send_errors_are_shown(bench):
    bench.metrics.announced(WEB, "layer2", V4)
    bench.metrics.claimed(V4)
    bench.metrics.frame_dropped("notAnnounced")
    bench.metrics.frame_dropped("notAnnounced")
    bench.metrics.frame_dropped("malformed")
    assert bench.value("ferrolb_gossip_members") == 0
    bench.metrics.follow_gossip(members=lambda: 3, drops=lambda: {"badKey": 7})
    bench.metrics.send_errors.inc()
    assert bench.value("ferrolb_layer2_claims_total", ip="192.0.2.1") == 1
    assert bench.value("ferrolb_layer2_dropped_total", reason="notAnnounced") == 2
    assert bench.value("ferrolb_layer2_dropped_total", reason="malformed") == 1
    assert bench.value("ferrolb_gossip_dropped_total", reason="badKey") == 7
    assert bench.value("ferrolb_gossip_members") == 3
    assert bench.value("ferrolb_layer2_send_errors_total") == 1


def test_addresses_given_up_are_kept_to_a_limit_the_oldest_goes_first(bench):
    first, count = ip_address("10.0.0.0"), MAX_FORMER + 10
    for number in range(count):
        bench.metrics.announced(WEB, "layer2", first + number)
        bench.metrics.not_announced(WEB, "layer2", first + number)
    bench.metrics.announced(WEB, "layer2", first + (count - 1))
    found = {dict(labels)["ip"] for labels in bench.series("metallb_layer2_responses_sent")}
    assert found == {str(first + number) for number in range(10, count)}


def test_strange_addresses_are_bounded_too(bench):
    first = ip_address("2001:db8::")
    for number in range(MAX_FORMER + 10):
        bench.metrics.request_received(first + number)
    assert len(bench.series("metallb_layer2_requests_received")) == MAX_FORMER


def test_an_address_announced_again_is_no_former_one(bench):
    bench.metrics.announced(WEB, "layer2", V4)
    bench.metrics.request_received(V4)
    bench.metrics.not_announced(WEB, "layer2", V4)
    bench.metrics.announced(WEB, "layer2", V4)
    first = ip_address("10.0.0.0")
    for number in range(MAX_FORMER):
        bench.metrics.request_received(first + number)
    assert bench.value("metallb_layer2_requests_received", ip="192.0.2.1") == 1
