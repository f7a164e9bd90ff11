from ipaddress import ip_network
from pathlib import Path

import pytest

from ferrolb.lab import ApiKind, LabError, LabOptions, ProxyKind
from ferrolb.lab.commands import Commands
from ferrolb.lab.kube_proxy import delivery_rules
from ferrolb.lab.topology import plan

FOLDER = Path("/lab")
NODE = plan(2, [ip_network("192.168.100.0/24")]).nodes[1]
JSON = "--kube-api-content-type=application/json"


def kube_proxy(api):
    options = LabOptions(api=api, kube_proxy=ProxyKind.REAL, kube_proxy_path=Path("/bin/kp"))
    return Commands(options, FOLDER).kube_proxy(NODE)


@pytest.mark.parametrize(("api", "name"), [(ApiKind.DEV, "devserver"), (ApiKind.REAL, "envtest")])
def test_either_api_server_is_started_alike(api, name):
    command, listen, *files = Commands(LabOptions(api=api), FOLDER).server()[3:]
    assert command == name
    assert listen.startswith("--listen=127.0.0.1:")
    assert files == ["--data=/lab/api", "--write-kubeconfig=/lab/kubeconfig"]


def test_kube_proxy_reaches_the_api_through_its_nodes_relay_and_knows_the_pods():
    argv = kube_proxy(ApiKind.REAL)
    assert argv[0] == "/bin/kp"
    assert {
        "--proxy-mode=nftables",
        "--hostname-override=n2",
        "--kubeconfig=/lab/kubeconfig-node",
        "--cluster-cidr=10.244.0.0/16,fd00:244::/32",
        "--detect-local-mode=ClusterCIDR",
    } <= {*argv}


def test_kube_proxy_speaks_json_only_where_nothing_else_is_understood():
    assert JSON in kube_proxy(ApiKind.DEV)
    assert JSON not in kube_proxy(ApiKind.REAL)


def test_kube_proxy_that_nobody_has_found_is_not_run():
    with pytest.raises(LabError, match="nobody has said"):
        Commands(LabOptions(), FOLDER).kube_proxy(NODE)


def test_a_pod_of_the_node_itself_sees_the_node_of_either_family():
    rules = delivery_rules(NODE)
    assert "snat ip to 10.99.0.12\n" in rules
    assert "snat ip6 to fd00:99::12\n" in rules
