import json
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner

import ferrolb
from ferrolb.cli.listen import LISTEN
from ferrolb.cli.root import root
from ferrolb.crds import crd_names


def _run(*arguments):
    return CliRunner().invoke(root, arguments, prog_name="ferrolb")


def test_help_lists_every_program_with_examples():
    result = _run("--help")
    assert result.exit_code == 0
    for word in (
        "controller",
        "speaker",
        "lab",
        "devserver",
        "demo",
        "crds",
        "version",
        "completion",
        "Examples:",
    ):
        assert word in result.output


def test_version_in_three_formats():
    assert _run("version").output == f"ferrolb {ferrolb.__version__}\n"
    assert json.loads(_run("version", "-o", "json").output)["version"] == ferrolb.__version__
    assert yaml.safe_load(_run("version", "-o", "yaml").output)["version"] == ferrolb.__version__


def test_crds_prints_every_definition_as_yaml_documents():
    documents = list(yaml.safe_load_all(_run("crds").output))
    assert [document["metadata"]["name"] for document in documents] == list(crd_names())


def test_crds_prints_those_named_as_a_list_in_json():
    result = _run("crds", "ipaddresspools.metallb.io", "-o", "json")
    listed = json.loads(result.output)
    assert listed["kind"] == "List"
    assert [item["spec"]["names"]["kind"] for item in listed["items"]] == ["IPAddressPool"]


def test_crds_names_the_known_ones_when_asked_for_another():
    result = _run("crds", "nothing")
    assert result.exit_code == 2
    assert "no such definition: nothing" in result.output
    assert "ipaddresspools.metallb.io" in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for(shell):
    assert "_FERROLB_COMPLETE" in _run("completion", shell).output


def test_an_unknown_command_is_a_usage_error():
    result = _run("nothing")
    assert result.exit_code == 2
    assert "No such command" in result.output


def test_the_controller_does_not_load_the_api_server():
    source = (
        "import sys, ferrolb.controller; "
        "print([m for m in sys.modules if m.startswith(('ferrolb.devserver', 'cryptography'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_a_devserver_without_its_extra_says_what_to_install():
    source = (
        "import sys; sys.modules['cryptography'] = None; "
        "from ferrolb.cli import main; sys.argv = ['ferrolb', 'devserver']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.endswith("is not installed: pip install 'ferrolb[devserver]'\n")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:6443", "::1", 6443), ("localhost:1", "localhost", 1)],
)
def test_listen_addresses_are_read(text, host, port):
    address = LISTEN.convert(text, None, None)
    assert (address.host, address.port) == (host, port)


@pytest.mark.parametrize("text", ["", "6443", "host:", ":6443", "::1:6443", "host:x", "host:65536"])
def test_a_bad_listen_address_is_refused_with_an_example(text):
    result = _run("devserver", "--listen", text)
    assert result.exit_code == 2
    assert "127.0.0.1:6443" in result.output
