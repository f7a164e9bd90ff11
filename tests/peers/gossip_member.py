"""One member of a gossip cluster, run by FerroLB: the counterpart of `memberlist/main.go`.

Commands on standard input, JSON lines on standard output, and flags are the same; besides,
`--peer` and `--rejoin` make it look for members again and again, as a speaker does.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time
from ipaddress import ip_address
from typing import Any

from ferrolb.gossip import (
    LAN,
    WAN,
    Event,
    JoinFailed,
    JoinSucceeded,
    Keyring,
    Member,
    MemberJoined,
    MemberLeft,
    Membership,
    MemberUpdated,
    SocketAddress,
    UserMessage,
    derive_key,
)
from ferrolb.model import NodeName
from ferrolb.net import GossipDriver, Rejoin, aes_gcm
from ferrolb.telemetry import configure_logging


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-name", required=True)
    parser.add_argument("-bind", default="127.0.0.1")
    parser.add_argument("-port", type=int, default=7946)
    parser.add_argument("-secret", default="")
    parser.add_argument("-profile", choices=("lan", "wan"), default="lan")
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--rejoin", type=float, default=0.0)
    return parser.parse_args()


def say(event: str, **fields: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, "time": time.monotonic(), **fields}) + "\n")
    sys.stdout.flush()


def describe(member: Member) -> dict[str, Any]:
    return {
        "name": member.name,
        "addr": str(member.address.ip),
        "port": member.address.port,
        "state": member.state.name.lower(),
        "incarnation": member.incarnation,
    }


def tell(event: Event) -> None:
    match event:
        case MemberJoined(member=member):
            say("join", member=describe(member))
        case MemberLeft(member=member):
            say("leave", member=describe(member))
        case MemberUpdated(member=member):
            say("update", member=describe(member))
        case JoinSucceeded():
            say("joined", count=1)
        case JoinFailed(reason=reason):
            say("joined", count=0, error=reason.value)
        case UserMessage(data=data):
            say("user", data=data.hex())
        case _:
            pass


def address_of(text: str) -> SocketAddress:
    host, _, port = text.rpartition(":")
    return SocketAddress(ip_address(host.strip("[]")), int(port))


async def lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def obey(driver: GossipDriver) -> None:
    """Carry out the commands of standard input until it ends or says quit."""
    await driver.listening.wait()
    say("started")
    reader = await lines()
    while line := (await reader.readline()).decode().strip():
        command, _, argument = line.partition(" ")
        if command == "members":
            membership = driver.membership
            say(
                "members",
                members=[describe(member) for member in membership.members],
                score=membership.health_score,
                drops={reason.value: count for reason, count in membership.drops.items()},
            )
        elif command == "join":
            driver.join([address_of(argument)])
        elif command == "leave":
            await driver.leave()
            say("left")
        elif command == "quit":
            return
        else:
            say("error", error=f"unknown command {command!r}")


async def main(options: argparse.Namespace) -> None:
    keys = [derive_key(options.secret.encode())] if options.secret else []
    membership = Membership(
        WAN if options.profile == "wan" else LAN,
        name=NodeName(options.name),
        address=SocketAddress(ip_address(options.bind), options.port),
        keyring=Keyring(keys, aead=aes_gcm, nonce=lambda: os.urandom(12)) if keys else None,
        random=random.Random(),
    )
    driver = GossipDriver(membership, on_event=tell)
    tasks = [asyncio.create_task(driver.run())]
    if options.rejoin:
        peers = [address_of(peer) for peer in options.peer]
        rejoin = Rejoin(driver, peers=lambda: peers, interval_s=options.rejoin)
        tasks.append(asyncio.create_task(rejoin.run()))
    tasks.append(asyncio.create_task(obey(driver)))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    configure_logging("warn", stream=sys.stderr)
    asyncio.run(main(arguments()))
