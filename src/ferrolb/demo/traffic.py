"""What a client on the segment sees: who answers, and what happens when that node dies."""

import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from ferrolb.demo.cluster import Cluster, DemoError
from ferrolb.lab import Judge, Lab, Witness, silences

if TYPE_CHECKING:
    from ferrolb.lab import Span
    from ferrolb.model import IPAddress

CLIENT: Final = "client"
REACHABLE: Final = (("named-pool", "192.168.100.5"), ("service-http", "172.31.249.7"))
"""(Service with pods, its address), as in the chapter."""

_DEADLINE_S: Final = 10.0
_FAILOVER_S: Final = 15.0
"""Until another node answers; with three nodes ten are promised."""

_LOOK_BACK_S: Final = 0.5
"""The silence begins with the last answer before the fault."""

_POLL_S: Final = 0.05

Say = Callable[[str], None]


def describe(up: Cluster, service: str, say: Say) -> None:
    """Show a Service as a user looks at it."""
    say(f"\n$ kubectl describe service {service}\n")
    say(up.kubectl("describe", "service", service))


def await_event(up: Cluster, service: str) -> None:
    """Wait until an event says that a node announces the Service.

    Raises:
        DemoError: none did in time.
    """
    deadline = time.monotonic() + _DEADLINE_S
    selector = f"involvedObject.name={service},reason=nodeAssigned"
    while time.monotonic() < deadline:
        if up.kubectl("get", "events", "-o=name", f"--field-selector={selector}").strip():
            return
        time.sleep(_POLL_S)
    raise DemoError(f"nobody announces service {service}")


def await_owner(witness: Witness, ip: "IPAddress") -> str:
    """Return the node that answers for an address; wait until there is exactly one.

    The wire is asked, not the events: those of one second have no order.

    Raises:
        DemoError: there is none in time.
    """
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        spans = witness.timeline(time.monotonic() - _LOOK_BACK_S).get(ip, ())
        if spans and len(spans[-1].nodes) == 1:
            return spans[-1].nodes[0]
        time.sleep(_POLL_S)
    raise DemoError(f"no node alone answers for {ip} within {_DEADLINE_S:.0f} s")


def show_traffic(lab: Lab, judge: Judge, say: Say) -> None:
    """Reach the pods through the addresses, then let the node that announces one die."""
    say("\n== Traffic, from a client on the segment\n\n")
    for service, address in REACHABLE:
        owner = await_owner(judge.witness, ip_address(address))
        say(f"$ curl http://{address}/      # {service}, announced by {owner}\n")
        say(f"{_curl(lab, address)}\n")
    show_failover(lab, judge, say)


def _curl(lab: Lab, address: str) -> str:
    # kube-proxy writes its rules once a second; a connection begun before that is lost
    patience = (
        "--connect-timeout",
        "1",
        "--retry",
        "5",
        "--retry-all-errors",
        "--retry-delay",
        "1",
    )
    argv = ["curl", "-sS", "--max-time", "5", *patience, f"http://{address}/"]
    done = lab.exec(CLIENT, argv)
    if done.returncode:
        raise DemoError(f"curl http://{address}/ failed: {done.stderr.strip()}")
    return done.stdout.strip()


def show_failover(lab: Lab, judge: Judge, say: Say) -> None:
    """Kill the owner's speaker, cut its port, and say how long nobody answered.

    Raises:
        DemoError: no other node has taken over in time.
    """
    service, address = REACHABLE[0]
    ip = ip_address(address)
    owner = await_owner(judge.witness, ip)
    say(f"\n== {owner} dies: its speaker is killed, and its cable cut\n\n")
    for fault in ("kill", "port-down"):
        say(f"$ ferrolb lab fault {fault} {owner}\n")
        effect = judge.fault(fault, owner)
    successor, spans = _await_successor(judge.witness, ip, owner, since=effect.at - _LOOK_BACK_S)
    gap_s = max((end - begin for begin, end in silences(spans)), default=0.0)
    say(f"\n{successor} answers for {address} now; nobody did for {gap_s:.2f} s.\n")
    say(f"$ curl http://{address}/      # {service}, announced by {successor}\n")
    say(f"{_curl(lab, address)}\n")
    for fault in ("port-down", "kill"):
        judge.heal(fault, owner)
    _judge(judge, say)


def _judge(judge: Judge, say: Say) -> None:
    """Say what the wire showed over the whole run.

    Raises:
        DemoError: an address was answered by two nodes, by none, or by one that may not.
    """
    found = judge.verdict()
    if found:
        lines = [f"{one.invariant} {one.ip}: {one.text}" for one in found]
        raise DemoError("the wire showed what must not be:\n  " + "\n  ".join(lines))
    say("\nOn the wire no address was ever answered by two nodes past the bound, nor left alone.\n")


def _await_successor(
    witness: Witness, ip: "IPAddress", owner: str, *, since: float
) -> tuple[str, "tuple[Span, ...]"]:
    deadline = time.monotonic() + _FAILOVER_S
    while time.monotonic() < deadline:
        spans = witness.timeline(since).get(ip, ())
        others = {node for span in spans for node in span.nodes} - {owner}
        if others:
            return min(others), spans
        time.sleep(_POLL_S)
    raise DemoError(f"no other node has answered for {ip} within {_FAILOVER_S:.0f} s")
