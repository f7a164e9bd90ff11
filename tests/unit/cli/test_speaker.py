from ipaddress import ip_address
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ferrolb.cli.root import root
from ferrolb.cli.speaker import command, speaker_options
from ferrolb.speaker import GossipOptions

ENVIRONMENT = {
    "METALLB_NODE_NAME": "n1",
    "METALLB_POD_NAME": "speaker-x",
    "METALLB_HOST": "10.0.0.1",
    "METALLB_ML_BIND_ADDR": "10.0.0.1",
    "METALLB_ML_LABELS": "app=metallb,component=speaker",
    "METALLB_ML_SECRET_KEY_PATH": "/etc/ml_secret_key",
}


@pytest.fixture
def parse(monkeypatch):
    def run(*arguments, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        context = command.make_context("speaker", [*arguments])
        return speaker_options(context.params, environment)

    return run


def test_manifest_of_metallb_needs_nothing_else(parse):
    options = parse("--port=9120", "--log-level=info", METALLB_NAMESPACE="lb", **ENVIRONMENT)
    assert options.node_name == "n1"
    assert options.namespace == "lb"
    assert options.pod_name == "speaker-x"
    assert options.port == 9120
    assert (options.health_probe_host, options.health_probe_port) == ("127.0.0.1", 17472)
    assert options.refresh_s == 240
    assert options.gossip == GossipOptions(
        bind_address=ip_address("10.0.0.1"),
        bind_port=7946,
        labels="app=metallb,component=speaker",
        secret_folder=Path("/etc/ml_secret_key"),
    )


@pytest.mark.parametrize("missing", ["METALLB_ML_BIND_ADDR", "METALLB_ML_LABELS"])
def test_gossip_is_off_without(parse, missing):
    assert parse(**{**ENVIRONMENT, missing: ""}).gossip is None


def test_flag_beats_environment(parse):
    options = parse("-node-name", "n2", "-ml-bindport=7000", "--ml-wan-config", **ENVIRONMENT)
    assert options.node_name == "n2"
    assert options.gossip is not None
    assert options.gossip.bind_port == 7000
    assert options.gossip.is_wan


@pytest.mark.parametrize(
    ("arguments", "variable", "expected"),
    [
        ((), "60", 60),
        (("--gratuitous-arp-interval=0",), "60", 0),
        (("--gratuitous-arp-interval", "5"), "0", 5),
        ((), "0", 0),
        (("--gratuitous-arp-interval=2147483647",), "", 2147483647),
    ],
)
def test_c11_refresh_interval(parse, arguments, variable, expected):
    environment = {**ENVIRONMENT, "METALLB_GRATUITOUS_ARP_INTERVAL": variable}
    assert parse(*arguments, **environment).refresh_s == expected


@pytest.mark.parametrize("value", ["-1", "x", "2147483648", "1.5"])
def test_c11_bad_refresh_interval_of_the_environment_ends_the_program(value):
    environment = {**ENVIRONMENT, "METALLB_GRATUITOUS_ARP_INTERVAL": value}
    result = CliRunner(env=environment).invoke(root, ["speaker"])
    assert result.exit_code == 2
    assert "METALLB_GRATUITOUS_ARP_INTERVAL" in result.output


def test_booleans_take_no_separate_word(parse):
    assert not parse("--ignore-exclude-lb=false", **ENVIRONMENT).ignores_exclude_label
    assert parse("-ignore-exclude-lb", **ENVIRONMENT).ignores_exclude_label


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"METALLB_NODE_NAME": ""}, "METALLB_NODE_NAME"),
        ({"METALLB_ML_BIND_PORT": "http"}, "'http' is not a port number"),
        ({"METALLB_ML_BIND_PORT": "0"}, "'0' is not a port number"),
        ({"METALLB_ML_BIND_PORT": "65536"}, "'65536' is not a port number"),
        ({"METALLB_ML_BIND_ADDR": "node-1"}, "'node-1' is not an IP address"),
    ],
)
def test_bad_value_ends_with_1_and_says_which(changes, problem):
    result = CliRunner(env={**ENVIRONMENT, **changes}).invoke(root, ["speaker"])
    assert result.exit_code == 1
    assert problem in result.output


def test_unknown_flag_ends_with_2():
    result = CliRunner(env=ENVIRONMENT).invoke(root, ["speaker", "--no-such-flag"])
    assert result.exit_code == 2
    assert "--no-such-flag" in result.output


@pytest.mark.parametrize(
    "flag",
    [
        "--host=10.0.0.1",
        "--config=config",
        "--enable-pprof",
        "--pprof-bind-address=:6060",
        "--bgp-debounce-timeout=3000",
        "--frrk8s-namespace=frr",
        "--tls-min-version=VersionTLS13",
        "--metrics-cert-dir=/certs",
    ],
)
def test_flags_of_other_releases_are_accepted(parse, flag):
    assert parse(flag, **ENVIRONMENT).node_name == "n1"


def test_help_names_the_variables_and_has_examples():
    output = CliRunner().invoke(root, ["speaker", "--help"]).output
    assert "METALLB_ML_SECRET_KEY_PATH" in output
    assert "Examples:" in output
    assert "--config" not in output


def test_secret_is_not_an_option():
    names = {option for param in command.params for option in param.opts}
    assert "--ml-secret-key" in names  # accepted and ignored: it would show in the process list
    hidden = {
        param.opts[0]
        for param in command.params
        if isinstance(param, click.Option) and param.hidden
    }
    assert "--ml-secret-key" in hidden
