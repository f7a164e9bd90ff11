"""On what the figures were taken: machine, versions, and how much else ran meanwhile."""

import os
import platform
import resource
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Self

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, str | int | float]:
    """Return cores, memory, processor and kernel."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory_bytes / 2**30, 1),
        "cpu": _cpu_model(),
        "kernel": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of what took part."""
    packages = ("ferrolb", "lightkube", "httpx2", "msgspec", "uvicorn", "starlette")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyTime:
    """CPU time of the whole machine and of this run, at one moment."""

    at: float
    machine_s: float
    own_s: float

    @classmethod
    def now(cls) -> Self:
        """Read both; of child processes those count that have ended."""
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        user, nice, system, _idle, _iowait, irq, softirq = (int(text) for text in fields[:7])
        usages = [
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        return cls(
            at=time.monotonic(),
            machine_s=(user + nice + system + irq + softirq) / _TICKS_PER_S,
            own_s=sum(usage.ru_utime + usage.ru_stime for usage in usages),
        )

    def others_share(self, before: Self) -> float:
        """Return which share of one core other programs used since `before`, on average."""
        elapsed_s = max(self.at - before.at, 1e-9)
        others_s = (self.machine_s - before.machine_s) - (self.own_s - before.own_s)
        return max(others_s, 0.0) / elapsed_s
