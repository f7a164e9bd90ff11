"""The filters, judged by a small interpreter of classic BPF on frames of both kinds."""

import pytest
from tests.fakes.filter_frames import ARP_CASES, ND_CASES

from ferrolb.l2 import decode_arp
from ferrolb.net.bpf import (
    ARP_FILTER,
    ND_FILTER,
    PACKET_OTHERHOST,
    PACKET_TYPE_OFFSET,
    FilterError,
    Instruction,
    JumpIf,
    Label,
    Load,
    Op,
    Return,
    assemble,
)


def run(program, frame, *, packet_type=0):
    """Interpret a program as the kernel does: a load beyond the frame refuses it."""
    accumulator, at = 0, 0
    while True:
        code, jump_true, jump_false, operand = program[at]
        at += 1
        if code == Op.RETURN:
            return operand
        if code == Op.JUMP_EQUAL:
            at += jump_true if accumulator == operand else jump_false
            continue
        if operand == PACKET_TYPE_OFFSET:
            accumulator = packet_type
            continue
        size = {Op.LOAD_WORD: 4, Op.LOAD_HALF: 2, Op.LOAD_BYTE: 1}[Op(code)]
        if operand + size > len(frame):
            return 0
        accumulator = int.from_bytes(frame[operand : operand + size], "big")


@pytest.mark.parametrize("case", ARP_CASES, ids=lambda case: case.name)
def test_c07_arp_filter(case):
    assert (run(ARP_FILTER, case.frame) > 0) is case.passes


@pytest.mark.parametrize("case", ND_CASES, ids=lambda case: case.name)
def test_c07_nd_filter(case):
    assert (run(ND_FILTER, case.frame) > 0) is case.passes


@pytest.mark.parametrize(
    ("program", "cases"), [(ARP_FILTER, ARP_CASES), (ND_FILTER, ND_CASES)], ids=["arp", "nd"]
)
def test_what_passes_is_kept_whole_and_for_this_host(program, cases):
    passing = [case.frame for case in cases if case.passes]
    assert len(passing) >= 2
    for frame in passing:
        for packet_type in range(5):
            kept = run(program, frame, packet_type=packet_type)
            assert kept == (0 if packet_type == PACKET_OTHERHOST else 0xFFFF)


def test_every_cut_of_a_frame_is_refused_unless_all_fields_are_there():
    for program, cases, needed in ((ARP_FILTER, ARP_CASES, 22), (ND_FILTER, ND_CASES, 55)):
        frame = cases[0].frame
        for size in range(len(frame) + 1):
            assert (run(program, frame[:size]) > 0) is (size >= needed), size


def test_every_single_byte_that_matters_is_looked_at():
    """A frame that differs in one byte of a checked field is refused."""
    checked = {
        ARP_FILTER: (ARP_CASES[0].frame, {*range(12, 22)}),
        ND_FILTER: (ND_CASES[0].frame, {12, 13, 20, 21, 54}),
    }
    for program, (frame, offsets) in checked.items():
        for offset in range(min(len(frame), 60)):
            changed = bytearray(frame)
            changed[offset] ^= 0x40
            assert (run(program, bytes(changed)) > 0) is (offset not in offsets), offset


def test_accepted_arp_is_what_the_codec_reads():
    for case in ARP_CASES:
        if case.passes:
            assert decode_arp(case.frame).operation in (1, 2)


def test_labels_become_distances():
    program = assemble(
        (Load(Op.LOAD_HALF, 12), JumpIf(7, equal="yes"), Return(0), Label("yes"), Return(9))
    )
    assert program[1] == Instruction(Op.JUMP_EQUAL, 1, 0, 7)
    assert run(program, bytes(12) + b"\0\7") == 9
    assert run(program, bytes(12) + b"\0\6") == 0


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ((), "ends with a return"),
        ((Load(Op.LOAD_HALF, 12),), "ends with a return"),
        ((JumpIf(1, equal="a"), Return(0)), "no label 'a'"),
        ((Label("a"), JumpIf(1, equal="a"), Return(0)), "-1 lines away"),
        ((Label("a"), Label("a"), Return(0)), "stands twice"),
        ((JumpIf(1, equal="z"), *([Return(0)] * 256), Label("z"), Return(0)), "256 lines away"),
        ((Return(0),) * 4097, "4097 instructions"),
    ],
    ids=["empty", "open end", "no label", "backwards", "doubled", "too far", "too long"],
)
def test_a_wrong_program_is_refused(lines, text):
    with pytest.raises(FilterError, match=text):
        assemble(lines)
