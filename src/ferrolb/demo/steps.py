"""What the main job shows, step by step, and what each step must end in."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One section of the chapter: a manifest to apply and what must come of it."""

    title: str
    manifest: str
    """File below `manifests/`."""
    says: str
    """What the user is seeing, in one or two sentences."""
    addresses: tuple[tuple[str, str], ...] = ()
    """(Service, address that it must get)."""
    refused: tuple[tuple[str, str], ...] = ()
    """(Service that must stay pending, message of its AllocationFailed event)."""
    describe: str = ""
    """A Service to show with `kubectl describe`."""
    needs_lab: bool = False
    """Shown only where there are nodes."""
    without_lab: str = ""
    """A further manifest where there are none: what the lab's pods would have made."""


STEPS: Final[tuple[Step, ...]] = (
    Step(
        title="The administrator's address pools",
        manifest="00-pools.yaml",
        says="Two pools. `on-request` is given out only to those who ask for it.",
    ),
    Step(
        title="The pods, on three nodes",
        manifest="05-pods.yaml",
        says="Nodes, switch, router and client are network namespaces of this machine.",
        needs_lab=True,
    ),
    Step(
        title="How the addresses are announced",
        manifest="06-advertisement.yaml",
        says="On layer 2: one node answers ARP and Neighbor Discovery for each address.",
        needs_lab=True,
    ),
    Step(
        title="33.9.1 A specific address",
        manifest="10-specific-address.yaml",
        says="`spec.loadBalancerIP` lies in a pool, so exactly that address is given.",
        addresses=(("specific-address", "192.168.100.20"),),
    ),
    Step(
        title="33.9.1 An address that no pool has",
        manifest="11-refused-address.yaml",
        says="The Service stays <pending>, and the event says why.",
        refused=(
            (
                "invalid-request",
                'Failed to allocate IP for "default/invalid-request": '
                '"4.3.2.1" is not allowed in config',
            ),
        ),
        describe="invalid-request",
    ),
    Step(
        title="33.9.2 Any address of a named pool",
        manifest="20-named-pool.yaml",
        says="The annotation names the pool; its first free address is given.",
        addresses=(("named-pool", "192.168.100.5"),),
        without_lab="22-endpoints.yaml",
    ),
    Step(
        title="33.9.2 A pool that does not exist",
        manifest="21-missing-pool.yaml",
        says="The address comes from a pool that permits automatic assignment instead.",
        addresses=(("missing-pool", "192.168.100.6"),),
    ),
    Step(
        title="33.9.3 Any address",
        manifest="30-any-address.yaml",
        says="No annotation needed: pools permit automatic assignment by default.",
        addresses=(("any-address", "192.168.100.7"),),
    ),
    Step(
        title="33.9.4 Two Services share one address",
        manifest="40-shared-address.yaml",
        says="Same sharing key, different ports, same requested address: both get it.",
        addresses=(("service-http", "172.31.249.7"), ("service-https", "172.31.249.7")),
    ),
    Step(
        title="33.9.4 TCP and UDP on one port",
        manifest="41-two-protocols.yaml",
        says="The protocol is part of a port's identity, so DNS fits on one address.",
        addresses=(("dns-tcp", "172.31.249.8"), ("dns-udp", "172.31.249.8")),
    ),
)

FINAL_DESCRIBE: Final = "named-pool"
"""The Service that section 33.9.5 describes."""
