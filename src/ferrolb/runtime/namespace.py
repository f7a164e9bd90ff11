"""Which namespace a program works in (C-34)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ferrolb.telemetry import get_logger

DEFAULT_NAMESPACE: Final = "metallb-system"
_ACCOUNT_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def own_namespace(
    flag: str, environment: Mapping[str, str], *, account_file: Path = _ACCOUNT_FILE
) -> str:
    """Return the flag, else `METALLB_NAMESPACE`, else the service account's, else the default."""
    if flag:
        return flag
    if environment.get("METALLB_NAMESPACE"):
        return environment["METALLB_NAMESPACE"]
    try:
        text = account_file.read_text(encoding="utf-8").strip()
    except OSError:
        text = ""
    if text:
        return text
    get_logger().info("no namespace given, using the default", namespace=DEFAULT_NAMESPACE)
    return DEFAULT_NAMESPACE
