from bench.beside import controllers_beside, servers_beside
from bench.figures import Case, Measurement, combine
from bench.servers import Server


def result(case, server, services=10_000, requests=None, **figures):
    return Measurement(
        case=case, services=services, figures=figures, requests=requests or {}, server=server
    )


def test_servers_stand_beside_each_other():
    results = combine(
        [
            result(Case.SERVER_LIST, Server.REAL, all_s=0.5, rss_mb=700.0),
            result(Case.SERVER_LIST, Server.DEV, all_s=0.25, rss_mb=150.0),
        ]
    )
    assert servers_beside(results) == [
        "### API server: all Services listed, 500 a page, 10,000 Services",
        "",
        "| figure | dev API server | kube-apiserver |",
        "|---|---|---|",
        "| in all | 0.25 s | 0.50 s |",
        "| RSS | 150 MB | 700 MB |",
        "",
    ]


def test_metallb_stands_beside_what_was_measured_on_the_real_server_alone():
    figures = {"settled_s": 3.0, "cpu_s": 2.5, "peak_rss_mb": 107.0}
    results = combine(
        [
            result(Case.CONTROLLER_RESTART, Server.DEV, **figures),
            result(Case.CONTROLLER_RESTART, Server.REAL, **figures),
            result(Case.CONTROLLER_RESTART, Server.REAL, services=77, **figures),
        ]
    )
    *_, line, _ = controllers_beside(results)
    assert line == (
        "| Controller restart, 10,000 Services | 3 s, 2.50 s CPU, 107 MB; 0 status writes to "
        "Services, 0 to pools, 0 events | 70 and 81 s, 23 to 27 s CPU, 208 MB; 16,338 and 20,000 "
        "status writes to Services, 7,700 to pools |"
    )
    assert controllers_beside(results[:1]) == []
