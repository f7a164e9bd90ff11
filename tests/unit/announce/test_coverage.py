from dataclasses import replace

import pytest
from tests.announcing import A_WINS, B_WINS, A, B, ad, ends, make_node, match
from tests.announcing import make_view as view
from tests.builders import make_service

from ferrolb.announce import View, explain_unannounced
from ferrolb.model import Endpoints, NodeName, PoolName

SERVICE = make_service(status=B_WINS)
LOCAL = make_service(status=B_WINS, local=True)
PREFIX = f'no node may announce ["{B_WINS}"]: '
LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


def why(some: View, service=SERVICE, endpoints=None) -> str | None:
    text = explain_unannounced(service, endpoints, some)
    if text is None:
        return None
    assert text.startswith(PREFIX)
    return text.removeprefix(PREFIX)


def test_nothing_to_say_where_somebody_may():
    assert why(view(ad())) is None
    assert why(view(ad()), LOCAL) is None
    assert why(view(ad()), LOCAL, ends(A)) is None
    assert why(view(ad()), SERVICE, ends(anywhere=True)) is None


@pytest.mark.parametrize(
    "service",
    [
        make_service(status=B_WINS, load_balancer=False),
        make_service(status=B_WINS, lb_class="other"),
        make_service(),
        make_service(hostnames=["a.example"]),
    ],
)
def test_nothing_to_say_where_nothing_is_to_be_announced(service):
    assert why(view(), service) is None


def test_nothing_to_say_of_a_pool_that_routers_are_told_of():
    assert why(replace(view(), routed_pools=frozenset({PoolName("pool")}))) is None
    assert why(replace(view(), routed_pools=frozenset({PoolName("other")}))) is not None


B_OUT = (make_node(A), make_node(B, excluded=True))


@pytest.mark.parametrize(
    ("some", "text"),
    [
        (view(), 'no advertisement selects the address pool "pool"'),
        (view(ad(ipAddressPools=["x"])), 'no advertisement selects the address pool "pool"'),
        (view(ad(), nodes=()), "there is no node"),
        (view(ad(), pools=()), "no address pool holds them all"),
        (
            view(ad("far", nodeSelectors=[match(rack="9")])),
            'no node matches the node selectors of advertisement "far"',
        ),
        (
            view(
                ad("y", serviceSelectors=[match(a="b")]), ad("x", serviceSelectors=[match(c="d")])
            ),
            'advertisements "x" "y" of the address pool "pool": no service selector matches',
        ),
        (
            view(ad("x", on=B), nodes=B_OUT),
            'every node of advertisement "x" is out of the election: '
            f'not selected by any of them: "iris1"; excluded by the label {LABEL}: "iris2"',
        ),
        (
            view(ad("x"), nodes=(make_node(A, out=True), make_node(B, excluded=True))),
            'every node of advertisement "x" is out of the election: '
            f'excluded by the label {LABEL}: "iris2"; network unavailable: "iris1"',
        ),
        (
            view(ad("x"), members=()),
            'every node of advertisement "x" is out of the election: '
            'no speaker there: "iris1" "iris2"',
        ),
    ],
)
def test_which_rule_excludes_what(some, text):
    assert why(some) == text


def test_a_shared_address_and_service_selectors():
    shared = make_service(status=B_WINS, sharing="key", labels={"a": "b"})
    some = view(ad("x", serviceSelectors=[match(a="b")]), ad("all"))
    text = 'advertisement "x" with service selectors cannot announce a shared address'
    assert why(some, shared) == text


def test_endpoints_where_they_are_known():
    assert why(view(ad()), SERVICE, Endpoints()) == "no endpoint is usable"
    text = (
        'every node of advertisement "x" is out of the election: not selected by any of them: '
        '"iris2"; no usable endpoint there, which the policy Local asks for: "iris1"'
    )
    assert why(view(ad("x", on=A)), LOCAL, ends(B)) == text


def test_many_nodes_are_counted_and_the_text_is_short():
    nodes = [make_node(NodeName(f"n{'ö' * 200}{n:03}"), out=True) for n in range(100)]
    text = explain_unannounced(SERVICE, None, view(ad(), nodes=nodes))
    assert text is not None
    assert text.endswith("...")
    assert len(text.encode()) <= 1024
    nodes = [make_node(NodeName(f"n{n:03}"), out=True) for n in range(100)]
    assert (why(view(ad(), nodes=nodes)) or "").endswith('"n009" and 90 more')


def test_two_addresses_are_both_named():
    both = make_service(status=f"{A_WINS},2001:db8::1")
    text = explain_unannounced(both, None, view())
    assert text is not None
    assert text.startswith(f'no node may announce ["{A_WINS}" "2001:db8::1"]: ')
