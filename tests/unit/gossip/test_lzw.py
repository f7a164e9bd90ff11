from random import Random

import pytest

from ferrolb.gossip.errors import MalformedError
from ferrolb.gossip.lzw import deflate, inflate


def test_ends_next_to_a_change_of_width_or_a_clear():
    # Few pairs repeat, so that nearly each byte is a code of its own: all widths and the clear
    # come within these sizes.
    data = Random(1).randbytes(4_100)
    for size in [*range(250, 270), *range(760, 790), *range(3_830, 4_100)]:
        assert inflate(deflate(data[:size]), size) == data[:size]


def test_a_bomb_is_stopped_at_the_limit():
    bomb = deflate(bytes(3_000_000))
    assert len(bomb) < 6_000
    with pytest.raises(MalformedError, match="more than 65536") as caught:
        inflate(bomb, 65_536)
    assert caught.value.reason == "too_large"


def test_a_decoder_whose_table_is_full_goes_on():
    # No clear where memberlist's encoder would send one: literals at 12 bits from then on.
    bits, at = 0, 0
    codes = [256] + [65] * 5000 + [257]
    width, highest = 9, 257
    for code in codes:
        bits |= code << at
        at += width
        if code == 256:
            continue
        highest = min(highest + 1, 4096)
        if highest >= 1 << width and width < 12:
            width += 1
    assert inflate(bits.to_bytes((at + 7) // 8, "little"), 5000) == b"A" * 5000


@pytest.mark.parametrize("text", ["", "00", "0083", "000f04", "000603"])
def test_codes_that_mean_nothing_and_missing_ends_are_malformed(text):
    with pytest.raises(MalformedError) as caught:
        inflate(bytes.fromhex(text), 100)
    assert caught.value.reason == "malformed"
