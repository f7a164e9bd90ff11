from bench.counts import Requests

METRICS = """\
# TYPE apiserver_request_total counter
apiserver_request_total{verb="PATCH",resource="services",subresource="status",code="200"} 3
apiserver_request_total{verb="PATCH",resource="services",subresource="status",code="409"} 2
apiserver_request_total{verb="PATCH",resource="ipaddresspools",subresource="status",code="200"} 4
apiserver_request_total{verb="POST",resource="events",subresource="",code="201"} 5
apiserver_request_total{verb="LIST",resource="services",subresource="",code="200"} 6
apiserver_request_total{verb="GET",resource="",subresource="",code="200"} 7
# TYPE apiserver_longrunning_requests gauge
apiserver_longrunning_requests{verb="WATCH",resource="services"} 8
"""


def test_answers_are_counted_by_verb_and_resource_and_refusals_apart():
    assert Requests.from_metrics(METRICS).named() == {
        "LIST services": 6,
        "PATCH ipaddresspools/status": 4,
        "PATCH services/status": 3,
        "PATCH services/status (refused)": 2,
        "POST events": 5,
    }


def test_writes_are_told_from_reads():
    requests = Requests.from_metrics(METRICS)
    assert requests.writes_to() == 12
    assert requests.writes_to("events") == 5
    assert requests.service_statuses == 3
    assert requests.statuses == 7


def test_what_was_there_before_is_taken_off():
    before = Requests.from_metrics(METRICS)
    after = Requests.from_metrics(METRICS.replace('code="201"} 5', 'code="201"} 9'))
    assert after.since(before).named() == {"POST events": 4}
