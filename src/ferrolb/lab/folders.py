"""Where a lab keeps its files: socket, kubeconfigs, logs. The folder is its user's alone."""

import os
import shutil
from pathlib import Path
from typing import Final

from ferrolb.lab.control import SOCKET_NAME
from ferrolb.lab.errors import LabError

KUBECONFIG_NAME: Final = "kubeconfig"
_MAX_SOCKET_PATH: Final = 107
"""Bytes that the kernel keeps of a Unix socket's path, without the final NUL."""


def default_root() -> Path:
    """Return the folder of all labs of this user."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "ferrolb-lab"
    return Path(f"/tmp/ferrolb-lab-{os.getuid()}")  # noqa: S108 - checked to be ours below


def lab_folder(root: Path | None, name: str) -> Path:
    """Return the folder of a lab, whether it exists or not.

    Raises:
        LabError: the path is too long for a socket.
    """
    folder = (root or default_root()).absolute() / name
    if len(os.fsencode(folder / SOCKET_NAME)) > _MAX_SOCKET_PATH:
        raise LabError(f"the path {folder} is too long for a socket: choose a shorter folder")
    return folder


def make_folder(folder: Path) -> None:
    """Make a lab's folder anew, what an ended lab left in it is removed.

    Raises:
        LabError: it cannot be made, or the folder above it belongs to somebody else.
    """
    root = folder.parent
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        # in a folder that all may write to, another user could have made it first
        if root.stat().st_uid != os.getuid():
            raise LabError(f"{root} belongs to another user: set XDG_RUNTIME_DIR")
        remove_folder(folder)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise LabError(f"cannot make {folder}: {error.strerror}") from error


def remove_folder(folder: Path) -> None:
    """Remove a lab's folder with all that is in it; it may be gone already."""
    shutil.rmtree(folder, ignore_errors=True)
