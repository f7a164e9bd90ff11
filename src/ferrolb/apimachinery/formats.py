"""The string formats that an API server checks in custom resources."""

import base64
import binascii
import datetime
import ipaddress
import re
from collections.abc import Callable
from typing import Final

_UUID: Final = "[0-9a-f]{8}-?[0-9a-f]{4}-?%s-?%s-?[0-9a-f]{12}"
_ANY: Final = "[0-9a-f]{4}"
_VARIANT: Final = "[89ab][0-9a-f]{3}"
_LABEL: Final = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_DURATION_UNITS: Final = (
    r"(?:ns|nano\w*|us|µs|micro\w*|ms|milli\w*|s|sec\w*|m|min\w*|h|hr|hour\w*|d|day\w*"
    r"|w|wk|week\w*)"
)

_DATE_TIME: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})t([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(z|[+-]\d{2}:\d{2})",
    re.ASCII | re.IGNORECASE,
)
_GO_DURATION: Final = re.compile(
    r"[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII
)
_HOST_NAME: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)


def is_format(name: str, text: str) -> bool:
    """Tell whether `text` has the format `name`; formats that are not checked hold always."""
    check = _CHECKS.get(name.replace("-", ""))
    return check is None or check(text)


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2006-01-02")


def _is_date_time(text: str) -> bool:
    match = _DATE_TIME.fullmatch(text)
    return match is not None and _is_date(match[1])


def _is_duration(text: str) -> bool:
    if _GO_DURATION.fullmatch(text):
        return True
    return re.search(rf"\d+\s*{_DURATION_UNITS}\b", text, re.IGNORECASE) is not None


def _is_ipv4(text: str) -> bool:
    return _parses(ipaddress.IPv4Address, text)


def _is_ipv6(text: str) -> bool:
    return "%" not in text and _parses(ipaddress.IPv6Address, text)


def _is_cidr(text: str) -> bool:
    _, slash, length = text.partition("/")
    return (
        slash == "/"
        and length.isascii()
        and length.isdigit()
        and "%" not in text
        and _parses(ipaddress.ip_interface, text)
    )


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _is_byte(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(text)


def _is_host_name(text: str) -> bool:
    return len(text) <= 255 and all(_HOST_NAME.fullmatch(label) for label in text.split("."))


def _matching(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII | re.IGNORECASE)
    return lambda text: compiled.fullmatch(text) is not None


def _is_short_name(text: str) -> bool:
    return len(text) <= 63 and re.fullmatch(_LABEL, text) is not None


def _is_long_name(text: str) -> bool:
    return len(text) <= 253 and re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})*", text) is not None


_CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "bsonobjectid": _matching("[0-9a-f]{24}"),
    "byte": _is_byte,
    "cidr": _is_cidr,
    "date": _is_date,
    "datetime": _is_date_time,
    "duration": _is_duration,
    "email": _matching(r"[^@\s]+@[^@\s]+"),
    "hexcolor": _matching("#?(?:[0-9a-f]{3}|[0-9a-f]{6})"),
    "hostname": _is_host_name,
    "ipv4": _is_ipv4,
    "ipv6": _is_ipv6,
    "k8slongname": _is_long_name,
    "k8sshortname": _is_short_name,
    "mac": _matching(
        r"(?:[0-9a-f]{2}(?:([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4})|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4})"
    ),
    "ssn": _matching(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "uri": _matching(r"(?:[a-z][a-z0-9+.-]*:\S+|/\S*)"),
    "uuid": _matching(_UUID % (_ANY, _ANY)),
    "uuid3": _matching(_UUID % ("3[0-9a-f]{3}", _ANY)),
    "uuid4": _matching(_UUID % ("4[0-9a-f]{3}", _VARIANT)),
    "uuid5": _matching(_UUID % ("5[0-9a-f]{3}", _VARIANT)),
}
"""By name without hyphens. Left out: ISBN, credit card and colour formats nobody uses here."""
