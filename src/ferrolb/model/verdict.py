"""Why a decision came out as it did: one value for the event, the CLI and the web page."""

from dataclasses import dataclass
from enum import StrEnum

from ferrolb.model.address import IPAddress
from ferrolb.model.names import PoolName


class Reason(StrEnum):
    """What happened to a request, or ruled a pool out."""

    CHOSEN = "chosen"
    KEPT = "kept"
    NOT_AUTO_ASSIGN = "notAutoAssign"
    PINNED_ELSEWHERE = "pinnedElsewhere"
    NO_FREE_ADDRESS = "noFreeAddress"
    NO_ADDRESS_OF_FAMILY = "noAddressOfFamily"
    NOT_IN_POOL = "notInPool"
    NOT_REQUESTED = "notRequested"
    ADDRESS_IN_USE = "addressInUse"
    SHARING_REFUSED = "sharingRefused"
    PORT_IN_USE = "portInUse"
    POOL_INVALID = "poolInvalid"
    NO_POOLS = "noPools"
    NO_CLUSTER_IP = "noClusterIP"
    NOT_LOAD_BALANCER = "notLoadBalancer"
    OTHER_CLASS = "otherClass"
    BAD_REQUEST = "badRequest"
    FAMILY_MISMATCH = "familyMismatch"
    NOT_ENOUGH_CLUSTER_IPS = "notEnoughClusterIPs"
    FROZEN = "frozen"
    WAITING_FOR_ADOPTION = "waitingForAdoption"
    NO_SUITABLE_POOL = "noSuitablePool"
    MORE_PREFERRED = "morePreferred"


@dataclass(frozen=True, slots=True)
class PoolVerdict:
    """One pool that was considered, and what ruled it out or in; `text` is a short sentence."""

    pool: PoolName
    reason: Reason
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome for one Service: addresses, the deciding reason, its text, each pool in order."""

    reason: Reason
    text: str = ""
    """The error as MetalLB words it; empty on success."""
    addresses: tuple[IPAddress, ...] = ()
    pool: PoolName | None = None
    pools: tuple[PoolVerdict, ...] = ()

    @property
    def is_assigned(self) -> bool:
        """True when the Service holds at least one address."""
        return bool(self.addresses)
