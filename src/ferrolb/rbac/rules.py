"""What each program may do, why, and what comes of it where it may not."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from ferrolb.rbac.rights import Right

METALLB: Final = "metallb.io"
_FOLLOW: Final = ("list", "watch")


class Program(StrEnum):
    """Whose rights; also the name of its service account."""

    CONTROLLER = "controller"
    SPEAKER = "speaker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a role, with its reason."""

    program: Program
    group: str = ""
    resource: str
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Only these objects; empty: all."""
    is_namespaced: bool = True
    """In the programs' own namespace only."""
    use: str
    """For what."""
    without: str
    """What a user sees where the right is missing."""


def _controller(resource: str, *verbs: str, use: str, without: str, group: str = METALLB) -> Rule:
    return Rule(
        program=Program.CONTROLLER,
        group=group,
        resource=resource,
        verbs=verbs,
        use=use,
        without=without,
    )


def _speaker(resource: str, *verbs: str, use: str, without: str, group: str = METALLB) -> Rule:
    return Rule(
        program=Program.SPEAKER,
        group=group,
        resource=resource,
        verbs=verbs,
        use=use,
        without=without,
    )


def _everywhere(
    program: Program, resource: str, *verbs: str, use: str, without: str, group: str = ""
) -> Rule:
    return Rule(
        program=program,
        group=group,
        resource=resource,
        verbs=verbs,
        is_namespaced=False,
        use=use,
        without=without,
    )


_WAITS: Final = "the program waits, is not ready, and changes nothing"
_NO_STATE: Final = "no ConfigurationState, or one that is not up to date; the rest goes on"
_NO_OWNER: Final = "what the program writes has no owner, and stays when its Pod goes"

RULES: Final = (
    _everywhere(
        Program.CONTROLLER,
        "services",
        *_FOLLOW,
        use="which Services want an address, and which hold one",
        without=_WAITS,
    ),
    _everywhere(
        Program.CONTROLLER,
        "services/status",
        "patch",
        use="to write the address, and the annotation that names its pool",
        without="no Service gets an address, none is taken back",
    ),
    _everywhere(
        Program.CONTROLLER,
        "namespaces",
        *_FOLLOW,
        use="labels, for pools that select namespaces",
        without=_WAITS,
    ),
    _everywhere(
        Program.CONTROLLER,
        "nodes",
        *_FOLLOW,
        use="to tell whom an advertisement leaves without any node",
        without="the event `notAnnounced` is not written (without `watch`: a minute late)",
    ),
    _everywhere(
        Program.CONTROLLER,
        "events",
        "create",
        "patch",
        use="to tell the Service's user; patch counts repeats",
        without="users are not told (without `patch`: repeats are not counted)",
    ),
    _controller("ipaddresspools", *_FOLLOW, use="the pools", without=_WAITS),
    _controller(
        "ipaddresspools/status",
        "patch",
        use="the counters of each pool",
        without="the counters in the pools' status are not up to date; the rest goes on",
    ),
    _controller(
        "addresspools",
        *_FOLLOW,
        use="pools in their form before IPAddressPool",
        without="such pools count as not there; nothing is said, as MetalLB's roles lack it",
    ),
    _controller("communities", *_FOLLOW, use="names that pools may use", without=_WAITS),
    _controller(
        "l2advertisements",
        *_FOLLOW,
        use="to tell whose address nobody announces",
        without="the event `notAnnounced` is not written",
    ),
    _controller(
        "bgpadvertisements",
        *_FOLLOW,
        use="to tell whose address nobody announces",
        without="the event `notAnnounced` is not written",
    ),
    _controller(
        "configurationstates",
        "create",
        use="to make its own ConfigurationState",
        without=_NO_STATE,
    ),
    Rule(
        program=Program.CONTROLLER,
        group=METALLB,
        resource="configurationstates",
        names=("controller",),
        verbs=("get", *_FOLLOW, "patch"),
        use="to keep its own ConfigurationState; patch hands it to a new Pod",
        without=_NO_STATE,
    ),
    Rule(
        program=Program.CONTROLLER,
        group=METALLB,
        resource="configurationstates/status",
        names=("controller",),
        verbs=("patch",),
        use="to say whether the configuration is valid",
        without=_NO_STATE,
    ),
    _controller(
        "secrets",
        "create",
        group="",
        use="the key that the speakers' gossip is encrypted with",
        without="the secret is not made and the controller not ready; addresses are given",
    ),
    Rule(
        program=Program.CONTROLLER,
        resource="secrets",
        names=("memberlist",),
        verbs=("get",),
        use="to see whether that key is there",
        without="the secret is not made and the controller not ready; addresses are given",
    ),
    Rule(
        program=Program.CONTROLLER,
        group="apps",
        resource="deployments",
        names=("controller",),
        verbs=("get",),
        use="to make the Deployment that secret's owner",
        without="the secret is not made and the controller not ready; addresses are given",
    ),
    _controller("pods", "get", group="", use="to make its own Pod the owner", without=_NO_OWNER),
    _everywhere(
        Program.SPEAKER,
        "services",
        *_FOLLOW,
        use="which addresses there are to announce",
        without=_WAITS,
    ),
    _everywhere(
        Program.SPEAKER,
        "endpointslices",
        *_FOLLOW,
        group="discovery.k8s.io",
        use="which nodes have an endpoint that works",
        without=_WAITS,
    ),
    _everywhere(
        Program.SPEAKER,
        "nodes",
        *_FOLLOW,
        use="labels and conditions of the nodes among which one is elected",
        without=_WAITS,
    ),
    _everywhere(
        Program.SPEAKER,
        "events",
        "create",
        "patch",
        use="to tell which node announces; patch counts repeats",
        without="users are not told (without `patch`: repeats are not counted)",
    ),
    _speaker("ipaddresspools", *_FOLLOW, use="the pools", without=_WAITS),
    _speaker(
        "addresspools",
        *_FOLLOW,
        use="pools in their form before IPAddressPool",
        without="such pools count as not there; nothing is said, as MetalLB's roles lack it",
    ),
    _speaker("communities", *_FOLLOW, use="names that pools may use", without=_WAITS),
    _speaker(
        "l2advertisements", *_FOLLOW, use="which pools are announced, and where", without=_WAITS
    ),
    _speaker(
        "servicel2statuses",
        "create",
        "delete",
        *_FOLLOW,
        "patch",
        use="one object for each Service that the node announces; patch puts its labels right",
        without="ServiceL2Status objects are missing or not true; addresses are announced",
    ),
    _speaker(
        "servicel2statuses/status",
        "patch",
        use="to say which node announces, and through what",
        without="ServiceL2Status objects are missing or not true; addresses are announced",
    ),
    _speaker(
        "configurationstates",
        "create",
        "get",
        *_FOLLOW,
        "patch",
        use="to keep the node's own ConfigurationState; patch hands it to a new Pod",
        without=_NO_STATE,
    ),
    _speaker(
        "configurationstates/status",
        "patch",
        use="to say whether the configuration is valid",
        without=_NO_STATE,
    ),
    _speaker(
        "pods",
        "list",
        group="",
        use="where the other speakers are",
        without="a speaker announces nothing until another one has found it",
    ),
    _speaker("pods", "get", group="", use="to make its own Pod the owner", without=_NO_OWNER),
)
"""All that is granted. Only what the programs ask for may stand here."""

_REVIEW: Final = ("authorization.k8s.io", "selfsubjectaccessreviews", "create")

_NODES_WATCH: Final = ("", "nodes", "watch")

_SPARE: Final = frozenset(
    {
        ("", "services/status", "patch"),
        (METALLB, "ipaddresspools/status", "patch"),
        (METALLB, "addresspools", "list"),
        (METALLB, "addresspools", "watch"),
        _REVIEW,
    }
)
"""MetalLB's roles lack these, and all is done without them; see `stands_for`."""

_INSTEAD: Final = {
    ("", "services/status", "update"): ("services/status", "patch"),
    ("", "services", "get"): ("services/status", "patch"),
    (METALLB, "ipaddresspools/status", "update"): ("ipaddresspools/status", "patch"),
    (METALLB, "ipaddresspools", "get"): ("ipaddresspools/status", "patch"),
}
"""Asked for only because another right is missing, which is the one to grant (C-1)."""


def is_spare(program: Program, right: Right) -> bool:
    """Tell whether there is a way to do without."""
    is_listed_instead = program is Program.CONTROLLER and _key(right) == _NODES_WATCH
    return _key(right) in _SPARE or is_listed_instead


def stands_for(program: Program, right: Right) -> Right:
    """Return the right to grant: this one, or the one in place of which it was tried.

    Its namespace is empty where the program needs it everywhere.
    """
    resource, verb = _INSTEAD.get(_key(right), (right.resource, right.verb))
    wanted = Right(group=right.group, resource=resource, verb=verb)
    rule = _rule(program, wanted)
    is_everywhere = rule is not None and not rule.is_namespaced
    return wanted if is_everywhere else replace(wanted, namespace=right.namespace)


def effect_of(program: Program, right: Right) -> str:
    """Return what a user sees without the right; empty where no rule speaks of it."""
    rule = _rule(program, right)
    return "" if rule is None else rule.without


def _rule(program: Program, right: Right) -> Rule | None:
    for rule in RULES:
        is_meant = (rule.group, rule.resource) == (right.group, right.resource)
        if rule.program is program and is_meant and right.verb in rule.verbs:
            return rule
    return None


def _key(right: Right) -> tuple[str, str, str]:
    return (right.group, right.resource, right.verb)
