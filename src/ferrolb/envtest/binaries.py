"""Where the binaries are that a real API server is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ASSETS: Final = "KUBEBUILDER_ASSETS"
"""Environment variable that names a folder of ready binaries, as controller authors set it."""
DIRECTORY: Final = "FERROLB_ENVTEST_DIR"
"""Environment variable that names the folder that our own build writes to."""
DEFAULT_DIRECTORY: Final = Path("~/.cache/ferrolb/envtest")


class EnvtestError(Exception):
    """The real API server cannot be run here; the text says what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """The programs; the last two may be missing from ready folders."""

    kube_apiserver: Path
    etcd: Path
    kube_controller_manager: Path | None
    kube_proxy: Path | None


def find_binaries(environment: Mapping[str, str]) -> Binaries:
    """Return the binaries that the environment names, or those of our own build.

    Raises:
        EnvtestError: kube-apiserver or etcd is not there.
    """
    named = environment.get(ASSETS, "")
    directory = Path(named or environment.get(DIRECTORY, "") or DEFAULT_DIRECTORY).expanduser()
    found = {
        name: path
        for name in ("kube-apiserver", "etcd", "kube-controller-manager", "kube-proxy")
        if (path := directory / name).is_file()
    }
    for name in ("kube-apiserver", "etcd"):
        if name not in found:
            hint = f"{ASSETS} names the folder" if named else "make envtest-build builds it"
            raise EnvtestError(f"no {name} in {directory}: {hint}")
    return Binaries(
        kube_apiserver=found["kube-apiserver"],
        etcd=found["etcd"],
        kube_controller_manager=found.get("kube-controller-manager"),
        kube_proxy=found.get("kube-proxy"),
    )
