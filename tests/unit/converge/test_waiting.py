import ipaddress

import pytest
from tests.builders import make_key

from ferrolb.converge.waiting import NOTHING, WaitingRoom, Waits
from ferrolb.ipam import AddressChange
from ferrolb.model import PoolName

IP, OTHER_IP = ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("10.0.0.2")
POOL, OTHER_POOL = PoolName("p"), PoolName("q")
KEY = make_key("svc")


def change(*, is_free=True, sharing="", pool=POOL, only_for=None) -> AddressChange:
    return AddressChange(address=IP, pool=pool, sharing=sharing, is_free=is_free, only_for=only_for)


@pytest.mark.parametrize(
    ("waits", "changed", "is_woken"),
    [
        (Waits(addresses=frozenset({IP})), change(), True),
        (Waits(addresses=frozenset({IP})), change(is_free=False, pool=None), True),
        (Waits(addresses=frozenset({OTHER_IP})), change(), False),
        (Waits(pools=frozenset({POOL})), change(), True),
        (Waits(pools=frozenset({OTHER_POOL})), change(), False),
        (Waits(pools=frozenset({POOL})), change(pool=None), False),
        (Waits(pools=frozenset({POOL})), change(is_free=False), False),
        (Waits(pools=frozenset({POOL}), sharing="k"), change(is_free=False, sharing="k"), True),
        (Waits(pools=frozenset({POOL}), sharing="k"), change(is_free=False, sharing="l"), False),
        (Waits(pools=frozenset({POOL})), change(only_for=KEY), True),
        (Waits(pools=frozenset({POOL})), change(only_for=make_key("x")), False),
    ],
)
def test_a_change_wakes_whom_it_may_help(waits, changed, is_woken):
    room = WaitingRoom()
    room.put(KEY, waits)
    assert room.woken_by([changed]) == ({KEY} if is_woken else set())


def test_who_leaves_the_room_is_not_woken():
    room = WaitingRoom()
    waits = Waits(addresses=frozenset({IP}), pools=frozenset({POOL}))
    room.put(KEY, waits)
    room.put(KEY, waits)
    assert room.woken_by([change()]) == {KEY}
    room.put(KEY, NOTHING)
    room.put(KEY, NOTHING)
    assert room.woken_by([change()]) == set()


def test_new_waits_replace_the_old():
    room = WaitingRoom()
    room.put(KEY, Waits(pools=frozenset({POOL})))
    room.put(KEY, Waits(pools=frozenset({OTHER_POOL})))
    assert room.woken_by([change()]) == set()
