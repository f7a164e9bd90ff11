import asyncio
import socket
import urllib.error
import urllib.request

import pytest

from ferrolb.runtime import (
    Health,
    StartupError,
    bind_socket,
    health_app,
    metrics_app,
    serve_http,
)
from ferrolb.telemetry import ClientMetrics, new_registry


def _get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def _ask(app, *paths):
    """Serve `app` on a free loopback port and return the answer to each path."""

    async def run():
        listener = bind_socket("127.0.0.1", 0)
        port = listener.getsockname()[1]
        task = asyncio.create_task(serve_http(app, listener))
        try:
            return [await asyncio.to_thread(_get, port, path) for path in paths]
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return asyncio.run(run())


def test_remarks_are_shown_beside_either_answer():
    health = Health(remarks=lambda: ["a right is missing"])
    health.wait_for("services")
    health.started()
    waiting = "waiting for services\na right is missing\n"
    assert _ask(health_app(health), "/readyz") == [(503, waiting)]
    health.done("services")
    assert _ask(health_app(health), "/readyz") == [(200, "ok\na right is missing")]


def test_readiness_names_what_it_waits_for_and_liveness_does_not_care():
    health = Health()
    health.wait_for("services")
    health.wait_for("pools")
    health.done("services")
    health.started()
    answers = _ask(health_app(health), "/readyz", "/healthz", "/livez")
    assert answers == [(503, "waiting for pools\n"), (200, "ok"), (200, "ok")]


def test_not_ready_before_the_steps_are_named():
    assert _ask(health_app(Health()), "/readyz") == [(503, "waiting for start\n")]


def test_ready_once_every_step_is_through():
    health = Health()
    health.wait_for("services")
    health.started()
    health.done("services")
    health.done("services")
    assert _ask(health_app(health), "/readyz") == [(200, "ok")]


def test_w12_readiness_tells_what_fails_and_liveness_does_not_care():
    health = Health()
    health.wait_for("services")
    health.started()
    health.failing("packet socket eth0", "operation not permitted")
    health.failing("gossip", "address in use")
    health.failing("gossip", "cannot assign requested address")
    assert _ask(health_app(health), "/readyz", "/healthz") == [
        (
            503,
            "waiting for services\n"
            "failing: packet socket eth0: operation not permitted\n"
            "failing: gossip: cannot assign requested address\n",
        ),
        (200, "ok"),
    ]


def test_w12_what_has_recovered_fails_no_longer():
    health = Health()
    health.started()
    health.failing("gossip", "address in use")
    assert health.failures == {"gossip": "address in use"}
    health.recovered("gossip")
    health.recovered("gossip")
    assert _ask(health_app(health), "/readyz") == [(200, "ok")]


def test_metrics_show_the_registry():
    registry = new_registry()
    ClientMetrics(registry).updates.inc(3)
    [(status, text)] = _ask(metrics_app(registry), "/metrics")
    assert status == 200
    assert "metallb_k8s_client_updates_total 3.0" in text
    assert "_created" not in text


def test_a_taken_port_is_a_startup_error_that_names_it():
    with bind_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StartupError, match=f"cannot listen on 127.0.0.1:{port}"):
            bind_socket("127.0.0.1", port)


def test_no_host_means_both_families():
    with bind_socket("", 0) as listener:
        port = listener.getsockname()[1]
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as client:
                client.connect((host, port))
