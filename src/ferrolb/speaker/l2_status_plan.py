"""What must be written so that the ServiceL2Status objects of one Service tell the truth.

Pure: objects in, actions out. A Service that is announced here has exactly one object, this
node's; one that is not has none of this node's.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ferrolb.kube import L2StatusContent, L2StatusLabels, L2StatusObject

if TYPE_CHECKING:
    from ferrolb.model import InterfaceRule, NodeName, ServiceKey

MAX_LABEL_VALUE: Final = 63
"""Characters of a label's value; a node's name may have 253."""

_DIGEST_CHARS: Final = 8
"""Of a name that was cut: enough that two nodes with one long prefix stay apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The one object that shall be."""

    labels: L2StatusLabels
    status: L2StatusContent
    owner_uid: str = ""
    """Empty: whatever owner an object has is left."""


@dataclass(frozen=True, slots=True)
class Create:
    """There is no object of this node's."""

    wanted: Wanted


@dataclass(frozen=True, slots=True)
class PatchMetadata:
    """Labels or owner are not as they should be."""

    obj: L2StatusObject
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class PatchStatus:
    """The status is absent, or tells other interfaces."""

    obj: L2StatusObject
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Delete:
    """The object says what is not so."""

    obj: L2StatusObject
    is_foreign: bool = False
    """Another node's, which deletes it itself as long as that node works."""


Action: TypeAlias = Create | PatchMetadata | PatchStatus | Delete


def node_label(node: "NodeName") -> str:
    """Return a node's name as a label's value: itself, or cut, with a digest of the whole."""
    if len(node) <= MAX_LABEL_VALUE:
        return node
    digest = hashlib.sha256(node.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{node[: MAX_LABEL_VALUE - _DIGEST_CHARS - 1]}-{digest}"


def wanted_status(
    key: "ServiceKey", rule: "InterfaceRule", *, node: "NodeName", owner_uid: str = ""
) -> Wanted:
    """Return the object for a Service that `node` announces through the interfaces of `rule`."""
    return Wanted(
        labels=L2StatusLabels(node=node_label(node), service=key.name, namespace=key.namespace),
        status=L2StatusContent(
            node=node,
            serviceName=key.name,
            serviceNamespace=key.namespace,
            interfaces=tuple(sorted(rule.names or ())),
        ),
        owner_uid=owner_uid,
    )


def service_of(obj: L2StatusObject, *, node: "NodeName") -> "ServiceKey | None":
    """Return the Service that an object belongs to; None for one that is nobody's.

    Labels decide. An object that lacks one is left alone, unless its status says that `node` wrote
    it: then `node` repairs or deletes it, since nobody else would.
    """
    if obj.labels is not None:
        return obj.labels.key
    return obj.status.key if obj.status.node == node else None


def is_own(obj: L2StatusObject, *, node: "NodeName") -> bool:
    """Tell whether an object is this node's."""
    if obj.labels is not None:
        return obj.labels.node == node_label(node)
    return obj.status.node == node


def plan(
    objects: Sequence[L2StatusObject], wanted: Wanted | None, *, node: "NodeName"
) -> tuple[Action, ...]:
    """Return what to do, in this order, to the objects of one Service; empty if all is well.

    After a `Create` there is more to do, which the next plan tells from the object created.
    `wanted` is None where this node does not announce the Service.
    """
    own = [obj for obj in objects if is_own(obj, node=node)]
    if wanted is None:
        return tuple(Delete(obj) for obj in own)
    kept = min(
        (obj for obj in own if _can_become(obj, wanted)),
        key=lambda obj: (obj.status != wanted.status, obj.metadata.name),
        default=None,
    )
    deletes = [
        Delete(obj, is_foreign=not is_own(obj, node=node)) for obj in objects if obj is not kept
    ]
    # own ones first: they need no patience
    deletes.sort(key=lambda one: one.is_foreign)
    return (*deletes, *_repairs(kept, wanted))


def _can_become(obj: L2StatusObject, wanted: Wanted) -> bool:
    """Tell whether the fields that cannot be changed are unset, or right."""
    has, wants = obj.status, wanted.status
    return (
        has.node in ("", wants.node)
        and has.serviceName in ("", wants.serviceName)
        and has.serviceNamespace in ("", wants.serviceNamespace)
    )


def _repairs(kept: L2StatusObject | None, wanted: Wanted) -> list[Action]:
    if kept is None:
        return [Create(wanted)]
    actions: list[Action] = []
    is_owned = not wanted.owner_uid or kept.owners == (wanted.owner_uid,)
    if kept.labels != wanted.labels or not is_owned:
        actions.append(PatchMetadata(kept, wanted))
    if kept.status != wanted.status:
        actions.append(PatchStatus(kept, wanted))
    return actions
