"""The real kube-proxy on the lab's nodes: what it needs beside itself, and when it serves."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ferrolb.lab.errors import LabError
from ferrolb.lab.namespaces import must_run, run_in
from ferrolb.lab.topology import NodeHost

if TYPE_CHECKING:
    from ferrolb.lab.programs import Program

TABLE: Final = "ferrolb-pods"

MASQUERADE: Final = "0x4000"
"""kube-proxy's own mark on packets whose source is to become the node's (bit 14, its default)."""

_START_S: Final = 50.0
"""Seconds until kube-proxy has written its rules; it takes one on an idle machine."""
_POLL_S: Final = 0.1


def program_name(node: NodeHost) -> str:
    """Return what a node's kube-proxy is called among the lab's programs."""
    return f"kube-proxy-{node.name}"


def delivery_rules(node: NodeHost) -> str:
    """Return the table that hides the client from a pod of the node itself.

    kube-proxy masquerades what leaves the node. The lab's pods are in their node's own namespace,
    so what is for them does not leave it.
    """
    return (
        f"table inet {TABLE} {{\n"
        " chain deliver { type nat hook input priority 100; policy accept;\n"
        f"  meta nfproto ipv4 meta mark and {MASQUERADE} == {MASQUERADE} snat ip to {node.ipv4}\n"
        f"  meta nfproto ipv6 meta mark and {MASQUERADE} == {MASQUERADE} snat ip6 to {node.ipv6}\n"
        " }\n"
        "}\n"
    )


async def prepare_nodes(nodes: Sequence[NodeHost]) -> None:
    """Write what each node needs beside its kube-proxy.

    Raises:
        LabError: `nft` refused it.
    """
    for node in nodes:
        await must_run(node.name, ["nft", "-f", "-"], stdin=delivery_rules(node))


async def await_serving(programs: Mapping[NodeHost, "Program"]) -> None:
    """Wait until every kube-proxy has written its rules of both families.

    Raises:
        LabError: one has ended, or takes too long.
    """
    await asyncio.gather(*(_await(node, program) for node, program in programs.items()))


async def _await(node: NodeHost, program: "Program") -> None:
    try:
        async with asyncio.timeout(_START_S):
            while not await _has_rules(node):
                if not program.is_running:
                    raise LabError(f"{program.name} did not start:\n{program.last_words()}")
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        text = f"{program.name} wrote no rules within {_START_S:.0f} s:\n{program.last_words()}"
        raise LabError(text) from error


async def _has_rules(node: NodeHost) -> bool:
    listed = await run_in(node.name, ["nft", "list", "tables"])
    return all(f"table {family} kube-proxy\n" in listed.stdout for family in ("ip", "ip6"))
