"""What a machine must have for a lab, and what to do about what it lacks."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TOOLS: Final = {
    "ip": "iproute2",
    "nft": "nftables",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
}
"""Programs that the supervisor runs, and the package that has each in Debian and its like."""

_SBIN: Final = "/usr/sbin:/sbin"
"""Where `nft` and `ip` are; not on the path of an ordinary user."""

_CAP_SYS_ADMIN: Final = 21
_TRY_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why this machine cannot run a lab."""

    text: str
    advice: str
    """What to do about it."""


def check_machine() -> list[Problem]:
    """Return what keeps this machine from running a lab, in this process's rights; empty: nothing.

    Takes a few hundredths of a second: it makes a network namespace as a lab would.
    """
    lacking = [name for name in _TOOLS if shutil.which(name, path=tool_path()) is None]
    if lacking:
        packages = " ".join(sorted({_TOOLS[name] for name in lacking}))
        return [
            Problem(
                text=f"{', '.join(lacking)} not found",
                advice=f"apt-get install {packages} (or what your distribution calls it)",
            )
        ]
    return _try_namespaces()


def is_rootless() -> bool:
    """Tell whether this process needs a user namespace to make the others."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return not int(line.split()[1], 16) >> _CAP_SYS_ADMIN & 1
    return True


def is_in_user_namespace() -> bool:
    """Tell whether this process is in a user namespace other than the machine's first."""
    return Path("/proc/self/uid_map").read_text(encoding="ascii").split() != [
        "0",
        "0",
        "4294967295",
    ]


def tool_path() -> str:
    """Return the search path for programs: the user's, and where administrators' tools are."""
    return f"{os.environ.get('PATH', os.defpath)}:{_SBIN}"


def unshare_argv() -> list[str]:
    """Return the command that runs another in a process and mount namespace of its own.

    It ends when the command does, and the command ends when it does; so does every process below.
    """
    user = ["--user", "--map-root-user"] if is_rootless() else []
    return ["unshare", *user, "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]


def _try_namespaces() -> list[Problem]:
    script = (
        "mount -t tmpfs tmpfs /run && touch /run/check && unshare --net=/run/check "
        "sh -c 'ip link add a-b type veth && nft add table inet check'"
    )
    done = subprocess.run(
        [*unshare_argv(), "sh", "-c", script],
        env={**os.environ, "PATH": tool_path()},
        capture_output=True,
        text=True,
        check=False,
        timeout=_TRY_S,
    )
    if not done.returncode:
        return []
    said = (done.stderr.strip().splitlines() or ["no message"])[-1]
    if is_rootless():
        advice = (
            "run as root, or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, "
            "on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0"
        )
    else:
        advice = (
            "in a container, give it SYS_ADMIN and NET_ADMIN and a kernel with veth and nftables"
        )
    return [Problem(text=f"network namespaces cannot be made here: {said}", advice=advice)]
