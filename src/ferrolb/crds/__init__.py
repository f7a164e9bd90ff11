"""The custom resource definitions, as package data: one YAML file a definition.

These files are the source; `deploy/crds/` holds generated copies of them. Nothing but the files
and their reading belongs here.
"""

from importlib.resources import files
from typing import Final, TypeAlias, Union

import yaml

Json: TypeAlias = Union["JsonObject", list["Json"], str, int, float, bool, None]
JsonObject: TypeAlias = dict[str, Json]

_SUFFIX: Final = ".yaml"


def crd_names() -> tuple[str, ...]:
    """Return the names of all definitions (`ipaddresspools.metallb.io`, ...), sorted."""
    entries = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in entries if name.endswith(_SUFFIX)))


def crd_text(name: str) -> str:
    """Return the YAML text of one definition.

    Raises:
        KeyError: there is no definition of that name.
    """
    if name not in crd_names():
        raise KeyError(name)
    return files(__name__).joinpath(name + _SUFFIX).read_text(encoding="utf-8")


def load_crds() -> tuple[JsonObject, ...]:
    """Return all definitions, in name order; the caller owns the objects."""
    return tuple(yaml.load(crd_text(name), Loader=yaml.CSafeLoader) for name in crd_names())


__all__ = ["JsonObject", "crd_names", "crd_text", "load_crds"]
