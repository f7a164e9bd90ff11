import ipaddress

import pytest
from tests.builders import make_service

from ferrolb.converge.wish import Wish, wish_of
from ferrolb.model import PoolName

IP = ipaddress.ip_address


@pytest.mark.parametrize(
    ("asked", "wish"),
    [
        ({}, Wish()),
        ({"ips": "", "pool": ""}, Wish()),
        ({"ip": "10.0.0.1"}, Wish(ips=(IP("10.0.0.1"),))),
        ({"ip": "::ffff:10.0.0.1"}, Wish(ips=(IP("10.0.0.1"),))),
        ({"ips": " 1000::1 , 10.0.0.1 "}, Wish(ips=(IP("1000::1"), IP("10.0.0.1")))),
        ({"pool": "p", "ip": "10.0.0.1"}, Wish(pool=PoolName("p"), ips=(IP("10.0.0.1"),))),
        (
            {"pool": "p", "ip": "x"},
            Wish(pool=PoolName("p"), error='invalid spec.loadBalancerIP "x"'),
        ),
        ({"ips": "fe80::1%eth0"}, Wish(error='invalid metallb.io/loadBalancerIPs: "fe80::1%eth0"')),
        (
            {"ips": "::1,::2"},
            Wish(error='IPFamilyForAddresses: same address family ["::1" "::2"]'),
        ),
    ],
)
def test_request_is_read(asked, wish):
    assert wish_of(make_service(**asked)) == wish
