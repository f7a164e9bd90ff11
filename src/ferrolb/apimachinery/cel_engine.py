"""The bridge to the CEL library, with the functions that an API server adds to the language.

Needs the `devserver` extra; `cel` imports it when the first rule is compiled, nobody else does.
"""

import functools
import ipaddress
import re
from typing import Final

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_encoders, ext_math, ext_optional, ext_strings

from ferrolb.apimachinery.pattern import compile_pattern
from ferrolb.model import Json, JsonObject

_UNDECLARED_OLD_SELF: Final = "undeclared reference to 'oldSelf"
_ERROR_CODE: Final = re.compile(r"^[A-Z_]+: ")
_NO_FIELDS: Final = re.compile(
    r"expression of type '(\w+)' cannot be the operand of a select operation"
)
_RETURNS: Final = {
    "BOOL": "cel expression must evaluate to a bool",
    "STRING": "messageExpression must evaluate to a string",
}
_MISSING_KEY: Final = re.compile(r'Key not found in map : "(.*)"')
_INDEX: Final = re.compile(r"Index error: index=(-?\d+) .*")


class CelCompileError(Exception):
    """The text is no expression, or has the wrong type."""


class CelProgram:
    """A compiled expression."""

    def __init__(self, expression: cel.Expression, *, uses_old_self: bool) -> None:
        self._expression = expression
        self.uses_old_self = uses_old_self

    def evaluate(self, variables: JsonObject) -> "tuple[Json, str]":
        """Return the value, and an API server's words for why there is none (or "")."""
        try:
            result = self._expression.eval(data=variables)
        except (RuntimeError, ValueError, TypeError) as error:
            return None, _describe(str(error))
        value = result.value()
        if result.type() == cel.Type.ERROR:
            return None, _describe(str(value))
        return (value if isinstance(value, bool | int | float | str) else None), ""


def compile_expression(
    text: str, self_type: str, *, returns: str, is_old_optional: bool
) -> CelProgram:
    """Compile a rule or message expression over `self` (and `oldSelf`) of type `self_type`.

    Raises:
        CelCompileError: the message says where and why.
    """
    try:
        return CelProgram(_compile(text, self_type, returns, "plain"), uses_old_self=False)
    except CelCompileError as error:
        if _UNDECLARED_OLD_SELF not in str(error):
            raise
    form = "optional" if is_old_optional else "old"
    return CelProgram(_compile(text, self_type, returns, form), uses_old_self=True)


def _compile(text: str, self_type: str, returns: str, form: str) -> cel.Expression:
    # An optional cannot be passed in, so that one is made of a list with one entry or none.
    source = f"cel.bind(oldSelf, oldSelves[?0], {text}\n)" if form == "optional" else text
    try:
        expression = _environment(self_type, form).compile(source)
    except RuntimeError as error:
        message = str(error).removeprefix("INVALID_ARGUMENT: ").removesuffix(" [INVALID_ARGUMENT]")
        message = _NO_FIELDS.sub(r"type '\1' does not support field selection", message)
        raise CelCompileError(f"compilation failed: {message}") from error
    actual = expression.return_type().name()
    if actual not in {returns, "DYN"}:
        raise CelCompileError(_RETURNS[returns])
    return expression


@functools.lru_cache(maxsize=64)
def _environment(self_type: str, form: str) -> cel.Env:
    of_self = _TYPES.get(self_type, cel.Type.DYN)
    variables = {"self": of_self}
    if form == "old":
        variables["oldSelf"] = of_self
    elif form == "optional":
        variables["oldSelves"] = cel.Type.List(of_self)
    return cel.NewEnv(variables=variables, extensions=_EXTENSIONS, functions=_FUNCTIONS)


def _describe(text: str) -> str:
    text = _ERROR_CODE.sub("", text)
    missing, index = _MISSING_KEY.search(text), _INDEX.search(text)
    if missing:
        return f"no such key: {missing[1]}"
    if index:
        return f"index out of bounds: {index[1]}"
    if text.startswith(("No matching overload", "Applying SELECT")):
        return "no such overload"
    return "division by zero" if text == "divide by zero" else text


def _is_ip(text: str) -> bool:
    return _ip_or_none(text) is not None


def _ip_or_none(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    is_zoned = isinstance(address, ipaddress.IPv6Address) and (
        address.scope_id is not None or address.ipv4_mapped is not None
    )
    return None if is_zoned else address


def _ip(text: str) -> str:
    address = _ip_or_none(text)
    if address is None:
        raise ValueError(f'IP Address "{text}" parse error during conversion from string')
    return str(address)


def _family(text: str) -> int:
    return ipaddress.ip_interface(text).version


def _is_cidr(text: str) -> bool:
    try:
        return "/" in text and ipaddress.ip_interface(text) is not None
    except ValueError:
        return False


def _cidr(text: str) -> str:
    if not _is_cidr(text):
        raise ValueError(f'network address parse error during conversion from string: "{text}"')
    return str(ipaddress.ip_interface(text))


def _prefix_length(text: str) -> int:
    return ipaddress.ip_interface(text).network.prefixlen


def _masked(text: str) -> str:
    return str(ipaddress.ip_interface(text).network)


def _contains_ip(network: str, address: str) -> bool:
    return ipaddress.ip_address(_ip(address)) in ipaddress.ip_interface(network).network


def _contains_cidr(outer: str, inner: str) -> bool:
    around = ipaddress.ip_interface(outer).network
    within = ipaddress.ip_interface(_cidr(inner)).network
    return (
        around.version == within.version
        and around.prefixlen <= within.prefixlen
        and within.network_address in around
    )


def _find(text: str, pattern: str) -> str:
    match = _regex(pattern).search(text)
    return match[0] if match else ""


def _find_all(text: str, pattern: str) -> list[str]:
    return [match[0] for match in _regex(pattern).finditer(text)]


def _regex(pattern: str) -> re.Pattern[str]:
    compiled = compile_pattern(pattern)
    if compiled is None:
        raise ValueError(f"Illegal regex: {pattern}")
    return compiled


_T: Final = cel.Type
_TYPES: Final[dict[str, cel.Type]] = {
    "string": _T.STRING,
    "integer": _T.INT,
    "number": _T.DOUBLE,
    "boolean": _T.BOOL,
    "array": _T.List(_T.DYN),
    "object": _T.Map(_T.STRING, _T.DYN),
    "any": _T.DYN,
}

_EXTENSIONS: Final = [
    ext_strings.ExtStrings(),
    ext_optional.ExtOptional(),
    ext_math.ExtMath(),
    ext_bindings.ExtBindings(),
    ext_encoders.ExtEncoders(),
]


def _function(
    name: str, returns: cel.Type, implementation: object, *, members: int = 0
) -> cel.FunctionDecl:
    """Declare a function over strings: global with one, or a member with `members` arguments."""
    parameters = [_T.STRING] * (members or 1)
    overload = cel.Overload(
        f"ferrolb_{name}", returns, parameters, is_member=members > 0, impl=implementation
    )
    return cel.FunctionDecl(name, [overload])


_FUNCTIONS: Final = [
    _function("isIP", _T.BOOL, _is_ip),
    _function("ip", _T.STRING, _ip),
    _function("family", _T.INT, _family, members=1),
    _function("isCIDR", _T.BOOL, _is_cidr),
    _function("cidr", _T.STRING, _cidr),
    _function("prefixLength", _T.INT, _prefix_length, members=1),
    _function("masked", _T.STRING, _masked, members=1),
    _function("containsIP", _T.BOOL, _contains_ip, members=2),
    _function("containsCIDR", _T.BOOL, _contains_cidr, members=2),
    _function("find", _T.STRING, _find, members=2),
    _function("findAll", _T.List(_T.STRING), _find_all, members=2),
]
"""What rules use of the API server's own libraries; addresses and networks stay strings."""
