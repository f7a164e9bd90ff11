from ipaddress import ip_network
from pathlib import Path

import pytest

from ferrolb.lab import MAX_NODES, ApiKind, LabError, LabOptions, ProxyKind
from ferrolb.lab.folders import lab_folder


def test_options_survive_their_way_to_the_supervisor(tmp_path):
    options = LabOptions(
        name="a-1",
        nodes=7,
        kubeconfig=tmp_path / "kc",
        api=ApiKind.REAL,
        kube_proxy=ProxyKind.REAL,
        kube_proxy_path=tmp_path / "kube-proxy",
        root=tmp_path,
        service_networks=(ip_network("10.1.0.0/16"), ip_network("fd00:1::/64")),
        speaker_command=("speaker", "a b"),
        speaker_arguments=("--x=1",),
        has_controller=False,
        has_speakers=False,
        log_level="debug",
    )
    assert LabOptions.decode(options.encode()) == options
    assert LabOptions.decode(LabOptions().encode()) == LabOptions()


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", "-a", "a-", "a" * 33])
def test_a_name_that_is_no_folder_is_refused(name):
    with pytest.raises(LabError, match="no name for a lab"):
        LabOptions(name=name).check()


@pytest.mark.parametrize("nodes", [0, -1, MAX_NODES + 1])
def test_the_number_of_nodes_is_bounded(nodes):
    with pytest.raises(LabError, match="1 to 50 nodes"):
        LabOptions(nodes=nodes).check()
    LabOptions(nodes=MAX_NODES).check()


def test_a_kubeconfig_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(LabError, match="is not a file"):
        LabOptions(kubeconfig=tmp_path / "nothing").check()


def test_a_kubeconfig_and_an_api_server_of_its_own_exclude_each_other(tmp_path):
    kubeconfig = tmp_path / "kc"
    kubeconfig.touch()
    LabOptions(kubeconfig=kubeconfig).check()
    with pytest.raises(LabError, match="starts no API server of its own"):
        LabOptions(kubeconfig=kubeconfig, api=ApiKind.REAL).check()


def test_a_kube_proxy_that_nobody_has_found_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(LabError, match="`make envtest-build` builds it"):
        LabOptions(kube_proxy=ProxyKind.REAL).check()
    LabOptions(kube_proxy=ProxyKind.REAL, kube_proxy_path=tmp_path / "kube-proxy").check()


def test_a_folder_too_deep_for_a_socket_is_refused_before_anything_starts():
    with pytest.raises(LabError, match="too long for a socket"):
        lab_folder(Path("/") / ("x" * 110), "default")
