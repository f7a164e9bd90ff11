"""What is written so that the ServiceL2Status objects of one Service are true."""

import pytest

from ferrolb.kube import L2StatusContent, L2StatusLabels, L2StatusMeta, L2StatusObject
from ferrolb.model import InterfaceRule, NodeName, ServiceKey
from ferrolb.speaker.l2_status_plan import (
    Create,
    Delete,
    PatchMetadata,
    PatchStatus,
    is_own,
    node_label,
    plan,
    service_of,
    wanted_status,
)

A, B = NodeName("node-a"), NodeName("node-b")
KEY = ServiceKey("shop", "web")
WANTED = wanted_status(KEY, InterfaceRule(), node=A, owner_uid="pod-a")


def obj(name="l2-1", node=A, *, label="", owners=("pod-a",), service="web", **status):
    full = {"node": node, "serviceName": service, "serviceNamespace": "shop", **status}
    return L2StatusObject(
        metadata=L2StatusMeta(name=name, namespace="metallb-system", uid=f"uid-{name}"),
        labels=L2StatusLabels(label or node_label(node), "web", "shop"),
        owners=owners,
        status=L2StatusContent(**full),
    )


def unlabelled(node):
    one = obj(node=node)
    return L2StatusObject(metadata=one.metadata, owners=one.owners, status=one.status)


TRUE = obj()
FOREIGN = obj("l2-9", B)
BLANK = L2StatusObject(metadata=TRUE.metadata, labels=TRUE.labels, owners=TRUE.owners)
UNOWNED = obj(owners=())
FORMER_POD = obj(owners=("pod-before",))
NARROW = obj(interfaces=("eth0",))
OTHER_STATUS_NODE = obj("l2-2", B, label=A)
OTHER_STATUS_SERVICE = obj("l2-3", service="mail")


@pytest.mark.parametrize(
    ("objects", "actions"),
    [
        ((), (Create(WANTED),)),
        ((TRUE,), ()),
        ((BLANK,), (PatchStatus(BLANK, WANTED),)),
        ((NARROW,), (PatchStatus(NARROW, WANTED),)),
        ((UNOWNED,), (PatchMetadata(UNOWNED, WANTED),)),
        ((FORMER_POD,), (PatchMetadata(FORMER_POD, WANTED),)),
        ((FOREIGN,), (Delete(FOREIGN, is_foreign=True), Create(WANTED))),
        ((FOREIGN, TRUE), (Delete(FOREIGN, is_foreign=True),)),
        ((obj("l2-2"), TRUE), (Delete(obj("l2-2")),)),
        ((NARROW, obj("l2-2")), (Delete(NARROW),)),
        (
            (FOREIGN, TRUE, obj("l2-2")),
            (Delete(obj("l2-2")), Delete(FOREIGN, is_foreign=True)),
        ),
        # what cannot be changed is not patched
        ((OTHER_STATUS_NODE,), (Delete(OTHER_STATUS_NODE), Create(WANTED))),
        ((OTHER_STATUS_SERVICE,), (Delete(OTHER_STATUS_SERVICE), Create(WANTED))),
        ((OTHER_STATUS_SERVICE, TRUE), (Delete(OTHER_STATUS_SERVICE),)),
        ((unlabelled(A),), (PatchMetadata(unlabelled(A), WANTED),)),
    ],
)
def test_announced_here_means_one_object_that_is_right(objects, actions):
    assert plan(objects, WANTED, node=A) == actions


@pytest.mark.parametrize(
    ("objects", "actions"),
    [
        ((), ()),
        ((TRUE,), (Delete(TRUE),)),
        ((FOREIGN,), ()),
        ((FOREIGN, TRUE, obj("l2-2")), (Delete(TRUE), Delete(obj("l2-2")))),
        ((OTHER_STATUS_NODE,), (Delete(OTHER_STATUS_NODE),)),
    ],
)
def test_not_announced_here_means_no_object_of_this_node(objects, actions):
    assert plan(objects, None, node=A) == actions


def test_without_an_own_pod_the_owner_is_left_as_it_is():
    wanted = wanted_status(KEY, InterfaceRule(), node=A)
    assert plan((FORMER_POD,), wanted, node=A) == ()


def test_interfaces_are_sorted_so_that_their_order_is_no_change():
    rule = InterfaceRule(frozenset(("eth2", "eth0", "eth1")))
    wanted = wanted_status(KEY, rule, node=A)
    assert wanted.status.interfaces == ("eth0", "eth1", "eth2")
    assert plan((obj(interfaces=("eth0", "eth1", "eth2")),), wanted, node=A) == ()


def test_labels_tell_the_service_and_without_them_the_own_status():
    assert service_of(OTHER_STATUS_SERVICE, node=A) == KEY
    assert service_of(unlabelled(A), node=A) == KEY
    assert service_of(unlabelled(B), node=A) is None
    assert (is_own(unlabelled(A), node=A), is_own(unlabelled(B), node=A)) == (True, False)


def test_a_long_node_name_is_cut_to_a_label_that_stays_its_own():
    longest, other = NodeName("n" * 62 + ".a"), NodeName("n" * 62 + ".b")
    assert node_label(NodeName("n" * 63)) == "n" * 63
    assert len(node_label(longest)) == 63
    assert node_label(longest).startswith("n" * 54 + "-")
    assert node_label(longest) != node_label(other)
    wanted = wanted_status(KEY, InterfaceRule(), node=longest)
    assert (wanted.labels.node, wanted.status.node) == (node_label(longest), longest)
    assert is_own(obj(node=longest), node=longest)
