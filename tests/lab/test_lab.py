"""A lab itself: what its network, backends, proxy, faults and end are, seen from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import yaml
from tests.cluster import pool, service, wait_until

from ferrolb.lab import Lab, LabError, LabOptions, NoLabError, RefusedError

PING = ("ping", "-c", "1", "-W", "1")
ADDRESSES = ("192.168.100.0/25", "fd00:100::/112")


def kubectl(lab, *arguments, stdin=""):
    done = subprocess.run(
        ["kubectl", *arguments],
        env={
            **os.environ,
            "KUBECONFIG": str(lab.kubeconfig),
            "KUBECACHEDIR": str(lab.folder / "c"),
        },
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def get(lab, *arguments):
    return json.loads(kubectl(lab, "get", *arguments, "-o", "json"))


def apply(lab, *objects):
    kubectl(lab, "apply", "-f", "-", stdin="---\n".join(yaml.safe_dump(one) for one in objects))


def pings(lab, host, address, *more):
    return lab.exec(host, [*PING, *more, address]).returncode == 0


def curl(lab, url, host="client"):
    done = lab.exec(host, ["curl", "-s", "-g", "-m", "2", url])
    return json.loads(done.stdout) if done.returncode == 0 else {}


def addresses(lab, name):
    def check():
        entries = get(lab, "service", name)["status"]["loadBalancer"].get("ingress", [])
        return [entry["ip"] for entry in entries]

    return wait_until(f"{name} has addresses", check)


def point_client_at(lab, address, node):
    """Play the speaker: the client believes that this node has the address."""
    mac = next(one.mac for one in lab.status().nodes if one.name == node)
    family = "-6" if ":" in address else "-4"
    argv = ["ip", family, "neigh", "replace", address, "lladdr", mac, "dev", "eth0"]
    assert lab.exec("client", argv).returncode == 0


@pytest.fixture(scope="module")
def served(quiet_lab):
    """The lab with a pod on each node and a dual-stack Service for them: its two addresses."""
    apply(
        quiet_lab,
        pool("main", *ADDRESSES),
        service(
            "web",
            ports=[
                {"name": "t", "port": 80, "targetPort": 8080},
                {"name": "u", "port": 80, "targetPort": 8080, "protocol": "UDP"},
            ],
            ipFamilyPolicy="RequireDualStack",
        ),
    )
    for number in (1, 2):
        quiet_lab.add_pod(f"web-{number}", f"n{number}", labels={"app": "web"})
    found = addresses(quiet_lab, "web")
    assert len(found) == 2
    for address in found:
        point_client_at(quiet_lab, address, "n1")
    return found


def url(address):
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"


def test_every_host_reaches_every_other_in_both_families(quiet_lab):
    for host in ("client", "router", "rogue", "n1"):
        for address in ("10.99.0.12", "fd00:99::12"):
            assert pings(quiet_lab, host, address), (host, address)


def test_status_tells_nodes_and_programs(quiet_lab):
    found = quiet_lab.status()
    assert [(one.name, one.ipv4, one.speaker) for one in found.nodes] == [
        ("n1", "10.99.0.11", "none"),
        ("n2", "10.99.0.12", "none"),
    ]
    states = {one.name: one.state for one in found.programs}
    assert states["devserver"] == states["controller"] == "running"
    assert found.folder == str(quiet_lab.folder)


def test_exec_gives_status_output_and_input_and_kills_what_takes_too_long(quiet_lab):
    done = quiet_lab.exec("n1", ["sh", "-c", "cat; echo err >&2; exit 3"], stdin="in")
    assert (done.returncode, done.stdout, done.stderr) == (3, "in", "err\n")
    with pytest.raises(LabError, match=r"did not end in 0\.2 s"):
        quiet_lab.exec("n1", ["sleep", "60"], timeout_s=0.2)
    with pytest.raises(RefusedError, match="no host 'n9'"):
        quiet_lab.exec("n9", ["true"])


def test_the_command_line_runs_a_command_on_this_terminal(quiet_lab):
    done = subprocess.run(
        quiet_lab.enter_argv("n2", ["sh", "-c", "ip -br address show eth0; exit 7"]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert "10.99.0.12/24" in done.stdout


def test_nodes_are_registered_and_ready(quiet_lab):
    nodes = get(quiet_lab, "nodes")["items"]
    assert [node["metadata"]["name"] for node in nodes] == ["n1", "n2"]
    for node in nodes:
        conditions = {one["type"]: one["status"] for one in node["status"]["conditions"]}
        assert conditions["Ready"] == "True"


def test_c37_a_node_reaches_the_api_by_the_relay_alone(quiet_lab):
    argv = ["curl", "-sk", "-m", "2", "https://127.0.0.1:6443/livez"]
    assert quiet_lab.exec("n1", argv).returncode == 0
    quiet_lab.fault("api-stop", "n1")
    try:
        assert quiet_lab.exec("n1", argv).returncode == 7  # refused
        assert quiet_lab.exec("n2", argv).returncode == 0
    finally:
        quiet_lab.heal("api-stop", "n1")
    quiet_lab.fault("api-freeze", "all")
    try:
        assert quiet_lab.exec("n2", argv).returncode == 28  # silent
    finally:
        quiet_lab.heal("api-freeze", "all")
    assert quiet_lab.exec("n1", argv).returncode == 0
    assert quiet_lab.exec("n2", argv).returncode == 0


def test_policy_cluster_reaches_the_pods_of_all_nodes_and_hides_the_client(quiet_lab, served):
    for address in served:
        node = "fd00:99::11" if ":" in address else "10.99.0.11"
        wait_until("a pod answers", partial(curl, quiet_lab, url(address)))
        answers = [curl(quiet_lab, url(address)) for _ in range(24)]
        assert {one["pod"] for one in answers} == {"web-1", "web-2"}
        assert {one["client"] for one in answers} == {node}


def test_a_nodes_own_programs_reach_the_service(quiet_lab, served):
    wait_until("a pod answers", lambda: curl(quiet_lab, url(served[0]), host="n2"))


def test_udp_is_served_too(quiet_lab, served):
    script = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); "
        f"s.sendto(b'x', ('{served[0]}', 80)); print(s.recv(999).decode())"
    )
    done = quiet_lab.exec("client", [sys.executable, "-c", script])
    assert json.loads(done.stdout)["pod"] in ("web-1", "web-2")


def test_policy_local_keeps_the_client_and_answers_only_where_a_pod_is(quiet_lab, served):
    kubectl(quiet_lab, "patch", "svc", "web", "-p", '{"spec":{"externalTrafficPolicy":"Local"}}')
    try:
        for address in served:
            client = "fd00:99::1" if ":" in address else "10.99.0.1"

            def is_local(a=address, c=client):
                return {(curl(quiet_lab, url(a)).get("pod"), c)} == {("web-1", c)} and curl(
                    quiet_lab, url(a)
                ).get("client") == c

            wait_until("the pod of n1 sees the client", is_local)
            assert {curl(quiet_lab, url(address))["pod"] for _ in range(8)} == {"web-1"}
        quiet_lab.delete_pod("web-1")
        wait_until("nobody answers on n1", lambda: not curl(quiet_lab, url(served[0])))
        quiet_lab.add_pod("web-1", "n1", labels={"app": "web"})
        wait_until("n1 answers again", lambda: curl(quiet_lab, url(served[0])))
    finally:
        kubectl(
            quiet_lab, "patch", "svc", "web", "-p", '{"spec":{"externalTrafficPolicy":"Cluster"}}'
        )


def test_slices_follow_pods_readiness_and_the_services_end(quiet_lab):
    apply(quiet_lab, service("sliced"))
    quiet_lab.add_pod("sliced-1", "n1", labels={"app": "sliced"})

    def ready():
        items = get(quiet_lab, "endpointslices", "-l", "kubernetes.io/service-name=sliced")["items"]
        return [
            (one["nodeName"], one["conditions"]["ready"])
            for item in items
            for one in item["endpoints"] or []
        ]

    wait_until("the pod is in", lambda: ready() == [("n1", True)])
    status = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    words = ("pod", "sliced-1", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    kubectl(quiet_lab, "patch", *words)
    wait_until("it is not ready", lambda: ready() == [("n1", False)])
    quiet_lab.delete_pod("sliced-1")
    wait_until("it is out", lambda: ready() == [])
    kubectl(quiet_lab, "delete", "service", "sliced")
    label = "kubernetes.io/service-name=sliced"
    wait_until("no slice", lambda: not get(quiet_lab, "endpointslices", "-l", label)["items"])


def test_a_pod_without_a_node_is_given_one(quiet_lab):
    kubectl(quiet_lab, "run", "loose", "--image=any", "--port=9000")
    try:
        wait_until("it runs", lambda: get(quiet_lab, "pod", "loose")["status"].get("podIP", ""))
        found = get(quiet_lab, "pod", "loose")
        answer = curl(quiet_lab, f"http://{found['status']['podIP']}:9000/", host="n1")
        assert answer["node"] == found["spec"]["nodeName"]
    finally:
        kubectl(quiet_lab, "delete", "pod", "loose")


@pytest.mark.parametrize("kind", ["port-down", "black-hole", "one-way-in", "one-way-out"])
def test_a_fault_of_the_cable_cuts_both_families_and_heals_exactly(quiet_lab, kind):
    before = state_of_switch(quiet_lab)
    effect = quiet_lab.fault(kind, "n2")
    try:
        assert effect.is_active
        assert abs(time.monotonic() - effect.at) < 5
        assert [one.kind for one in quiet_lab.status().faults] == [kind]
        assert not pings(quiet_lab, "client", "10.99.0.12")
        assert not pings(quiet_lab, "client", "fd00:99::12")
        assert pings(quiet_lab, "client", "10.99.0.11")
        link = quiet_lab.exec("n2", ["cat", "/sys/class/net/eth0/carrier"]).stdout.strip()
        assert link == ("0" if kind == "port-down" else "1")
    finally:
        quiet_lab.heal(kind, "n2")
    wait_until("IPv4 is back", lambda: pings(quiet_lab, "client", "10.99.0.12"))
    wait_until("IPv6 is back", lambda: pings(quiet_lab, "client", "fd00:99::12"))
    assert quiet_lab.status().faults == ()
    assert state_of_switch(quiet_lab) == before


def state_of_switch(lab):
    rules = lab.exec("sw", ["nft", "list", "ruleset"]).stdout
    links = json.loads(lab.exec("sw", ["ip", "-j", "link"]).stdout)
    return rules, {one["ifname"]: (one["operstate"], one["flags"]) for one in links}


def test_one_way_faults_differ_in_what_still_passes(quiet_lab):
    def requests_seen():
        argv = ["nstat", "-asz", "IcmpInEchos"]
        return quiet_lab.exec("n2", argv).stdout.split("IcmpInEchos")[1].split()[0]

    before = requests_seen()
    quiet_lab.fault("one-way-in", "n2")
    assert not pings(quiet_lab, "client", "10.99.0.12")
    quiet_lab.heal("one-way-in", "n2")
    assert requests_seen() == before
    quiet_lab.fault("one-way-out", "n2")
    assert not pings(quiet_lab, "client", "10.99.0.12")
    quiet_lab.heal("one-way-out", "n2")
    assert int(requests_seen()) == int(before) + 1


def test_a_gossip_partition_leaves_everything_else_alone(quiet_lab):
    receive = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        "s.bind(('', 7946)); s.settimeout(20); print(s.recv(99).decode())"
    )
    argv = quiet_lab.enter_argv("n2", [sys.executable, "-u", "-c", receive])
    listener = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        wait_until("n2 listens", lambda: ":7946" in quiet_lab.exec("n2", ["ss", "-lnu"]).stdout)
        quiet_lab.fault("gossip-partition", "n2")
        send_gossip(quiet_lab, "lost")
        assert pings(quiet_lab, "n1", "10.99.0.12")
        quiet_lab.heal("gossip-partition", "n2")
        send_gossip(quiet_lab, "found")
        assert listener.communicate(timeout=20)[0] == "found\n"
    finally:
        listener.kill()
        listener.wait()


def send_gossip(lab, text):
    script = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        f"s.sendto(b'{text}', ('10.99.0.12', 7946))"
    )
    assert lab.exec("n1", [sys.executable, "-c", script]).returncode == 0


def test_a_duplicate_address_is_answered_by_a_foreign_kernel_until_healed(quiet_lab):
    quiet_lab.fault("duplicate-address:192.168.100.250", "rogue")
    argv = ["arping", "-c", "1", "-w", "1", "-I", "eth0", "192.168.100.250"]
    assert "02:FE:00:00:00:09" in quiet_lab.exec("client", argv).stdout
    quiet_lab.heal("duplicate-address", "rogue")
    assert "Received 0 response" in quiet_lab.exec("client", argv).stdout


def test_a_program_is_frozen_thawed_killed_and_started(quiet_lab):
    def controller():
        return next(one for one in quiet_lab.status().programs if one.name == "controller")

    pid = controller().pid
    quiet_lab.fault("freeze", "controller")
    assert controller().state == "frozen"
    stat = quiet_lab.exec("n1", ["cat", f"/proc/{pid}/stat"]).stdout
    assert stat.rpartition(")")[2].split()[0] == "T"
    quiet_lab.fault("thaw", "controller")
    assert controller().state == "running"
    quiet_lab.fault("kill", "controller")
    assert (controller().state, controller().exit_status) == ("stopped", -signal.SIGKILL)
    quiet_lab.fault("start", "controller")
    assert (controller().state, controller().starts) == ("running", 2)
    assert controller().pid != pid


def test_an_api_server_that_is_killed_comes_back_with_its_objects(quiet_lab):
    apply(quiet_lab, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}})
    quiet_lab.fault("kill", "devserver")
    quiet_lab.fault("start", "devserver")

    def is_kept():
        done = quiet_lab.exec("n1", ["curl", "-sk", "https://127.0.0.1:6443/livez"])
        return done.returncode == 0

    wait_until("the API answers", is_kept)
    assert get(quiet_lab, "configmap", "kept")["metadata"]["name"] == "kept"


@pytest.mark.parametrize(
    ("kind", "target"),
    [("nothing", "n1"), ("port-down", "n9"), ("kill", "n1"), ("api-stop", "sw"), ("loss:0", "n1")],
)
def test_a_bad_fault_is_refused_and_changes_nothing(quiet_lab, kind, target):
    with pytest.raises(RefusedError):
        quiet_lab.fault(kind, target)
    assert quiet_lab.status().faults == ()


def test_what_is_no_request_is_answered_with_an_error(quiet_lab):
    with pytest.raises(RefusedError, match="no command 'nothing'"):
        quiet_lab.request("nothing")
    with pytest.raises(RefusedError, match="bad argument"):
        quiet_lab.request("exec", {"host": 3})


def test_speakers_get_what_a_daemonset_would_give_them(start_lab):
    show = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)])); sys.exit(9)"
    lab = start_lab(
        name="shown", nodes=1, has_controller=False, speaker_command=(sys.executable, "-c", show)
    )
    wait_until("it has ended", lambda: lab.status().nodes[0].speaker == "exited")
    arguments, environment = json.loads(lab.log("speaker-n1"))
    assert "--node-name=n1" in arguments
    assert "--ml-bindaddr=10.99.0.11" in arguments
    assert environment["METALLB_NODE_NAME"] == "n1"
    secret = Path(environment["METALLB_ML_SECRET_KEY_PATH"]) / "secretkey"
    assert len(secret.read_text(encoding="ascii")) == 22
    node_config = Path(environment["KUBECONFIG"]).read_text(encoding="ascii")
    assert "server: https://127.0.0.1:6443\n" in node_config
    (pod,) = get(lab, "pods", "-n", "metallb-system", "-l", "app=metallb,component=speaker")[
        "items"
    ]
    assert (pod["metadata"]["name"], pod["status"]["podIP"]) == ("speaker-n1", "10.99.0.11")
    assert pod["spec"]["nodeName"] == "n1"


def test_two_labs_live_side_by_side(quiet_lab, start_lab):
    other = start_lab(name="other", nodes=1, has_speakers=False, has_controller=False)
    quiet_lab.fault("port-down", "n1")
    try:
        assert pings(other, "client", "10.99.0.11")
        assert not pings(quiet_lab, "client", "10.99.0.11")
    finally:
        quiet_lab.heal("port-down", "n1")


def test_another_api_server_can_be_used(quiet_lab, start_lab):
    guest = start_lab(
        name="guest", nodes=1, kubeconfig=quiet_lab.kubeconfig, has_speakers=False,
        has_controller=False,
    )  # fmt: skip
    assert "devserver" not in {one.name for one in guest.status().programs}
    argv = ["curl", "-sk", "-m", "2", "https://127.0.0.1:6443/livez"]
    assert guest.exec("n1", argv).returncode == 0


def test_the_commands_print_what_is_up_and_say_what_is_not(tmp_path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "ferrolb", "lab", *arguments, "--name", "typed"],
            env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert run("status").returncode == 1
    assert "`ferrolb lab up` starts one" in run("status").stderr
    assert run("down").stdout == "lab typed is not up\n"
    up = run("up", "--detach", "--nodes=1", "--no-speakers", "--no-controller", "-o", "json")
    try:
        assert json.loads(up.stdout)["nodes"][0]["name"] == "n1", up.stderr
        assert json.loads(run("status", "-o", "json").stdout)["name"] == "typed"
        assert "n1    10.99.0.11" in run("status").stdout
        cut = json.loads(run("fault", "port-down", "n1", "-o", "json").stdout)
        assert (cut["kind"], cut["is_active"]) == ("port-down", True)
        assert json.loads(run("fault", "--list", "-o", "json").stdout)["active"] == [cut]
        assert "no fault 'nonsense'" in run("fault", "nonsense", "n1").stderr
    finally:
        assert run("down", "-o", "json").returncode == 0
    assert run("down").stdout == "lab typed is not up\n"


def test_a_name_is_taken_while_its_lab_is_up_and_free_afterwards(tmp_path):
    options = LabOptions(
        name="once", nodes=1, root=tmp_path, has_speakers=False, has_controller=False
    )
    lab = Lab.up(options)
    with pytest.raises(LabError, match="is up already"):
        Lab.up(options)
    assert lab.down()
    assert not lab.folder.exists()
    assert not lab.down()
    with pytest.raises(NoLabError):
        Lab.attach("once", root=tmp_path)


def test_killing_the_command_leaves_nothing_behind(tmp_path):
    options = LabOptions(name="gone", nodes=1, root=tmp_path, has_speakers=False)
    source = (
        "import sys, time; from ferrolb.lab import Lab, LabOptions; "
        "Lab.up(LabOptions.decode(sys.argv[1].encode())); print('up', flush=True); time.sleep(600)"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", source, options.encode().decode()],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert launcher.stdout is not None
    try:
        assert launcher.stdout.readline() == "up\n"
        assert len(processes_of(tmp_path)) >= 3
    finally:
        launcher.send_signal(signal.SIGKILL)
        launcher.wait()
        launcher.stdout.close()
    # namespaces are held by processes and by the private /run of the same process tree
    wait_until("nothing is left", lambda: not processes_of(tmp_path))
    # a process that ends gives up its command line a moment before its sockets
    wait_until("nobody answers", lambda: not Lab(tmp_path / "gone").is_up())
    # what it has left on the disk does not stand in the way of the next one
    with Lab.up(options) as lab:
        assert lab.is_up()


def processes_of(root):
    """Return the pids of all processes whose command line names the folder, launchers aside."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            except OSError:
                continue
            if any(
                word.partition("=")[2].startswith(f"{root}/") or word.startswith(f"{root}/")
                for word in words
            ):
                found.append(int(folder.name))
    return found


WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all", "--no-new-privs")


@pytest.mark.skipif(os.getuid() != 0, reason="every lab is rootless here")
def test_without_rights_everything_works_in_a_user_namespace(tmp_path):
    options = LabOptions(name="rootless", nodes=1, root=tmp_path, has_speakers=False)
    source = (
        "import sys; from ferrolb.lab import Lab, LabOptions\n"
        "with Lab.up(LabOptions.decode(sys.argv[1].encode())) as lab:\n"
        "    print(lab.status().is_rootless)\n"
        "    pod = lab.add_pod('a', 'n1', labels={})\n"
        "    print(lab.exec('client', ['curl', '-sm2', f'http://{pod.ips[0]}:8080/']).stdout)\n"
        "    lab.fault('black-hole', 'n1')\n"
        "    print(lab.exec('client', ['ping', '-c1', '-W1', '10.99.0.11']).returncode)\n"
        "    lab.heal('black-hole', 'n1')\n"
        "    print(lab.exec('client', ['ping', '-c1', '-W1', '10.99.0.11']).returncode)\n"
    )
    done = subprocess.run(
        [*WITHOUT_RIGHTS, "--", sys.executable, "-c", source, options.encode().decode()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rootless, answer, _, cut, healed = done.stdout.split("\n")[:5]
    assert rootless == "True"
    assert json.loads(answer)["pod"] == "a"
    assert (cut, healed) == ("1", "0")
