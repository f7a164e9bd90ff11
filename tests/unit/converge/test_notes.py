import pytest
from tests.builders import make_key

from ferrolb.converge import MESSAGE_LIMIT_BYTES, notes
from ferrolb.ipam import Refused
from ferrolb.model import BadAddress, PoolName, PoolVerdict, Reason

KEY = make_key("svc")
POOLS = (PoolVerdict(PoolName("p"), Reason.NO_FREE_ADDRESS, "no free IPv4 address"),)


@pytest.mark.parametrize("char", ["x", "é", "€", "\U0001f980"])
def test_long_message_is_cut_between_characters(char):
    message = notes.allocation_failed(KEY, char * 2000).message
    size = len(message.encode())
    assert MESSAGE_LIMIT_BYTES - 4 < size <= MESSAGE_LIMIT_BYTES
    assert message.endswith(char + "...")


def test_message_of_the_very_limit_is_not_cut():
    short = notes.allocation_failed(KEY, "")
    rest = MESSAGE_LIMIT_BYTES - len(short.message)
    assert notes.allocation_failed(KEY, "x" * rest).message.endswith("x")


def test_text_that_utf8_cannot_carry_is_replaced():
    assert len(notes.allocation_failed(KEY, "\ud800" * 2000).message) == MESSAGE_LIMIT_BYTES


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason.NO_SUITABLE_POOL, "sentence; p: no free IPv4 address"),
        (Reason.NO_FREE_ADDRESS, "sentence"),
        (Reason.NOT_IN_POOL, "sentence"),
    ],
)
def test_only_an_automatic_search_names_the_pools(reason, text):
    assert notes.search_error(Refused(reason, "sentence", POOLS)) == text


def test_families_that_make_no_sense():
    bad = BadAddress("x")
    assert notes.family_error([bad]) == 'IPFamilyForAddresses: Invalid address ["x"]'
    expected = 'IPFamilyForAddresses: invalid ips length 3 ["x" "x" "x"]'
    assert notes.family_error([bad, bad, bad]) == expected
