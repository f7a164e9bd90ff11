"""Classic BPF: the filters that keep every frame but ARP and Neighbor Discovery in the kernel.

A program is written with named labels; jumps are worked out by the assembler, which refuses what
the kernel would misread. On VLANs: a frame tagged for another network reaches a packet socket that
is bound to an EtherType with its tag already taken off, told apart by its packet type alone, so
that the packet type is the first thing asked.
"""

import ctypes
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final, NamedTuple

from ferrolb.net.errors import NetError

ETH_P_ARP: Final = 0x0806
ETH_P_IPV6: Final = 0x86DD

SO_ATTACH_FILTER: Final = 26
"""asm-generic/socket.h; the socket module does not name it."""

MAX_INSTRUCTIONS: Final = 4096
"""BPF_MAXINSNS: the kernel takes no longer program."""

MAX_JUMP: Final = 255
"""A conditional jump's distance is one byte."""

ACCEPTED_BYTES: Final = 0x0000FFFF
"""What an accepting filter returns: so much of the frame is kept, which is all of it."""

PACKET_TYPE_OFFSET: Final = 0xFFFFF004
"""SKF_AD_OFF + SKF_AD_PKTTYPE: a load from there yields the packet type."""

PACKET_OTHERHOST: Final = 3
"""A frame for another station or another VLAN, seen only because the interface is promiscuous
or does not know the VLAN."""


class FilterError(NetError):
    """A program is wrong; a defect of the code that wrote it."""


@unique
class Op(IntEnum):
    """The instructions used here (linux/bpf_common.h)."""

    LOAD_WORD = 0x20
    LOAD_HALF = 0x28
    LOAD_BYTE = 0x30
    JUMP_EQUAL = 0x15
    RETURN = 0x06


class Instruction(NamedTuple):
    """One `struct sock_filter`."""

    code: int
    jump_true: int
    jump_false: int
    operand: int


@dataclass(frozen=True, slots=True)
class Load:
    """Put the bytes at `offset` into the accumulator; a frame too short for it is refused."""

    op: Op
    offset: int


@dataclass(frozen=True, slots=True)
class JumpIf:
    """Compare the accumulator with `value`; an empty label means: go on with the next line."""

    value: int
    equal: str = ""
    other: str = ""


@dataclass(frozen=True, slots=True)
class Return:
    """End, keeping so many bytes of the frame; 0 refuses it."""

    kept_bytes: int


@dataclass(frozen=True, slots=True)
class Label:
    """A name for the line that follows."""

    name: str


Line = Load | JumpIf | Return | Label


def assemble(lines: Sequence[Line]) -> tuple[Instruction, ...]:
    """Make a program of `lines`, with every jump resolved.

    Raises:
        FilterError: a label is missing, doubled or out of reach, or the end can be run past.
    """
    labels: dict[str, int] = {}
    position = 0
    for line in lines:
        if not isinstance(line, Label):
            position += 1
        elif line.name in labels:
            raise FilterError(f"label {line.name!r} stands twice")
        else:
            labels[line.name] = position
    code = [line for line in lines if not isinstance(line, Label)]
    if not code or not isinstance(code[-1], Return):
        raise FilterError("a program ends with a return")
    if len(code) > MAX_INSTRUCTIONS:
        raise FilterError(f"{len(code)} instructions are more than {MAX_INSTRUCTIONS}")
    return tuple(_instruction(line, at, labels) for at, line in enumerate(code))


def _instruction(line: Load | JumpIf | Return, at: int, labels: dict[str, int]) -> Instruction:
    match line:
        case Load(op, offset):
            return Instruction(op, 0, 0, offset)
        case JumpIf(value, equal, other):
            return Instruction(
                Op.JUMP_EQUAL, _distance(equal, at, labels), _distance(other, at, labels), value
            )
        case Return(kept_bytes):
            return Instruction(Op.RETURN, 0, 0, kept_bytes)


def _distance(label: str, at: int, labels: dict[str, int]) -> int:
    if not label:
        return 0
    if label not in labels:
        raise FilterError(f"no label {label!r}")
    distance = labels[label] - at - 1
    if not 0 <= distance <= MAX_JUMP:
        raise FilterError(f"label {label!r} is {distance} lines away")
    return distance


def _require(op: Op, offset: int, value: int) -> tuple[Line, ...]:
    return (Load(op, offset), JumpIf(value, other="refuse"))


_END: Final[tuple[Line, ...]] = (
    Label("accept"),
    Return(ACCEPTED_BYTES),
    Label("refuse"),
    Return(0),
)

_OWN_FRAMES_ONLY: Final[tuple[Line, ...]] = (
    Load(Op.LOAD_WORD, PACKET_TYPE_OFFSET),
    JumpIf(PACKET_OTHERHOST, equal="refuse"),
)

ARP_FILTER: Final = assemble(
    (
        *_OWN_FRAMES_ONLY,
        *_require(Op.LOAD_HALF, 12, ETH_P_ARP),
        *_require(Op.LOAD_WORD, 14, 0x0001_0800),
        *_require(Op.LOAD_HALF, 18, 0x0604),
        Load(Op.LOAD_HALF, 20),
        JumpIf(1, equal="accept"),
        JumpIf(2, other="refuse"),
        *_END,
    )
)
"""ARP requests and replies of IPv4 over Ethernet (RFC 826). Replies tell of other claimants."""

ND_FILTER: Final = assemble(
    (
        *_OWN_FRAMES_ONLY,
        *_require(Op.LOAD_HALF, 12, ETH_P_IPV6),
        *_require(Op.LOAD_BYTE, 20, socket.IPPROTO_ICMPV6),
        *_require(Op.LOAD_BYTE, 21, 255),
        Load(Op.LOAD_BYTE, 54),
        JumpIf(135, equal="accept"),
        JumpIf(136, other="refuse"),
        *_END,
    )
)
"""Neighbor solicitations and advertisements with hop limit 255 (RFC 4861 section 7.1), directly
behind the IPv6 header: behind extension headers they are not valid here (RFC 6980)."""


def attach(sock: socket.socket, program: Sequence[Instruction]) -> None:
    """Put `program` on `sock`; before `bind`, or frames that came earlier pass unfiltered."""
    packed = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    header = struct.pack("HL", len(program), ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, header)
