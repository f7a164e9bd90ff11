"""The layer-2 part of a speaker as a program: interfaces, sockets, announcer; no API, no gossip.

Run inside a namespace of `tests.netns`. Commands come in on standard input, one a line:
`hold IP...` (replaces what is held), `health`, `counts`, `links`; what is worth knowing goes out as
one JSON object a line.
"""

import asyncio
import json
import re
import sys
from collections import Counter
from ipaddress import ip_address

from ferrolb.l2 import Announcer
from ferrolb.model import InterfaceRule, ServiceKey
from ferrolb.net import FrameDriver, LinkMonitor, interfaces_for

KEY = ServiceKey("test", "service")


class Counts:
    """An observer that counts."""

    def __init__(self):
        self.counts: Counter[str] = Counter()

    def request_received(self, ip):
        self.counts["requests"] += 1

    def answered(self, ip):
        self.counts["requests"] += 1
        self.counts["responses"] += 1

    def gratuitous_sent(self, ip):
        self.counts["gratuitous"] += 1

    def dropped(self, reason):
        self.counts[f"dropped {reason.value}"] += 1

    def send_failed(self, ip):
        self.counts["failures"] += 1

    def claimed(self, ip, mac):
        self.counts["claims"] += 1
        say(event="claimed", ip=str(ip), mac=mac.hex(":"))


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def main(argv):
    excluded = re.compile(argv[0]) if argv and argv[0] else None
    announcer = Announcer(refresh_s=0)
    observer = Counts()
    driver = FrameDriver(announcer, observer)
    loop = asyncio.get_running_loop()

    def on_links(links):
        interfaces = interfaces_for(links, excluded)
        driver.set_interfaces(interfaces)
        say(
            event="interfaces",
            names=sorted(interface.name for interface in interfaces.values()),
            macs={interface.name: interface.mac.hex(":") for interface in interfaces.values()},
            ndp=sorted(interface.name for interface in interfaces.values() if interface.has_ndp),
        )

    monitor = LinkMonitor(on_links)

    def on_command():
        line = sys.stdin.readline()
        if not line:
            stop.set()
            return
        word, *rest = line.split()
        if word == "hold":
            held = {ip_address(ip): InterfaceRule() for ip in rest}
            announcer.announce(KEY, held, now=loop.time())
            driver.wake()
            say(event="held", count=len(held))
        elif word == "counts":
            say(
                event="counts",
                lost=driver.frames_lost(),
                restarts=monitor.restarts,
                **observer.counts,
            )
        elif word == "health":
            health = driver.health
            say(
                event="health",
                is_ok=health.is_ok,
                groups=health.groups,
                sockets=[[each.interface, each.kind.value, each.error] for each in health.sockets],
            )

    stop = asyncio.Event()
    tasks = [asyncio.create_task(monitor.run()), asyncio.create_task(driver.run())]
    loop.add_reader(sys.stdin, on_command)
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {stopped}:
        say(event="error", type=type(task.exception()).__name__, text=str(task.exception()))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
