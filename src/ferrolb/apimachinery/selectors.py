"""Label selectors of requests, as `kubectl -l` sends them."""

import re
from typing import TYPE_CHECKING, Final, NoReturn

from ferrolb.apimachinery.errors import SelectorError
from ferrolb.model import LabelSelector, Operator, Requirement, quote

if TYPE_CHECKING:
    from collections.abc import Iterable

_LEXEMES: Final = re.compile(r"[^\s=!(),<>]+|==|!=|[=!(),<>]|\S")
_SYMBOLS: Final = frozenset({"", "=", "==", "!=", "!", "(", ")", ",", "<", ">"})
"""Everything but identifiers; the end of the text is the empty lexeme."""

_NAME: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", re.ASCII)
_SUBDOMAIN: Final = re.compile(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII
)
_MAX_NAME: Final = 63
_MAX_PREFIX: Final = 253

_CHARACTERS: Final = (
    "alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)
_NAME_PATTERN: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"


def parse_label_selector(text: str) -> LabelSelector:
    """Read `a=b,c!=d,e in (f,g),h notin (i),j,!k`; the empty text selects everything.

    Raises:
        SelectorError: the text is no selector, or compares (`a>1`), which is not supported.
    """
    return _Parser(text).parse()


class _Parser:
    """Recursive descent over the lexemes of one selector."""

    def __init__(self, text: str) -> None:
        # A NUL ends the text, as it does for the API server.
        self._lexemes: list[str] = [*_LEXEMES.findall(text.split("\0", 1)[0]), ""]
        self._position = 0

    def parse(self) -> LabelSelector:
        requirements: list[Requirement] = []
        if self._next == "":
            return LabelSelector()
        if not self._is_requirement:
            self._fail("!, identifier, or 'end of string'")
        while True:
            requirements.append(self._requirement())
            separator = self._take()
            if separator == "":
                requirements.sort(key=lambda requirement: requirement.key)
                return LabelSelector(tuple(requirements))
            if separator != ",":
                _fail(separator, "',' or 'end of string'")
            if not self._is_requirement:
                self._fail("identifier after ','")

    @property
    def _next(self) -> str:
        return self._lexemes[self._position]

    @property
    def _is_requirement(self) -> bool:
        return self._next == "!" or self._next not in _SYMBOLS

    def _take(self) -> str:
        lexeme = self._next
        self._position += 1
        return lexeme

    def _fail(self, expected: str) -> NoReturn:
        _fail(self._next, expected)

    def _requirement(self) -> Requirement:
        try:
            return self._read_requirement()
        except SelectorError as error:
            msg = f"unable to parse requirement: {error}"
            raise SelectorError(msg) from None

    def _read_requirement(self) -> Requirement:
        is_negated = self._next == "!"
        if is_negated:
            self._take()
        if self._next in _SYMBOLS:
            self._fail("identifier")
        key = self._take()
        check_label_key(key)
        if self._next in ("", ","):
            return Requirement(key, Operator.DOES_NOT_EXIST if is_negated else Operator.EXISTS)
        return self._read_comparison(key)

    def _read_comparison(self, key: str) -> Requirement:
        match self._next:
            case "in" | "notin" as word:
                self._take()
                operator = Operator.IN if word == "in" else Operator.NOT_IN
                values: Iterable[str] = self._values()
            case "=" | "==" | "!=" as word:
                self._take()
                operator = Operator.NOT_IN if word == "!=" else Operator.IN
                values = (self._exact_value(),)
            case ">" | "<" as word:
                msg = f"the operator {word!r} is not supported"
                raise SelectorError(msg)
            case _:
                self._fail("in, notin, =, ==, !=, gt, lt")
        ordered = tuple(sorted(set(values)))
        for place, value in enumerate(ordered):
            _check_label_value(value, f"values[{place}][{key}]")
        return Requirement(key, operator, ordered)

    def _exact_value(self) -> str:
        if self._next in ("", ","):
            return ""
        if self._next in _SYMBOLS:
            self._fail("identifier")
        return self._take()

    def _values(self) -> "Iterable[str]":
        if self._next != "(":
            msg = f"found '{self._next}' expected: '('"
            raise SelectorError(msg)
        self._take()
        if self._next in _SYMBOLS and self._next not in (",", ")"):
            self._fail("',', ')' or identifier")
        values: list[str] = []
        while True:
            if self._next in (",", ")"):
                values.append("")
            elif self._next in _SYMBOLS:
                self._fail("',', or identifier")
            else:
                values.append(self._take())
            if self._next not in (",", ")"):
                self._fail("',' or ')'")
            if self._take() == ")":
                return values


def check_label_key(key: str) -> None:
    """Raise SelectorError unless `key` is a label key: `[prefix/]name`."""
    prefix, slash, name = key.rpartition("/")
    problems: list[str] = []
    if "/" in prefix:
        problems = [
            f"a qualified name must consist of {_CHARACTERS} (e.g. 'MyName',  or 'my.name',  or "
            f"'123-abc', regex used for validation is '{_NAME_PATTERN}') with an optional DNS "
            "subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    else:
        if slash:
            problems += [f"prefix part {problem}" for problem in _prefix_problems(prefix)]
        problems += [f"name part {problem}" for problem in _name_problems(name)]
    if problems:
        msg = f"<nil>: Invalid value: {quote(key)}: {'; '.join(problems)}"
        raise SelectorError(msg)


def _prefix_problems(prefix: str) -> list[str]:
    if not prefix:
        return ["must be non-empty"]
    problems = []
    if len(prefix) > _MAX_PREFIX:
        problems.append(f"must be no more than {_MAX_PREFIX} bytes")
    if not _SUBDOMAIN.fullmatch(prefix):
        problems.append(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
            "'-' or '.', and must start and end with an alphanumeric character (e.g. "
            "'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?"
            "(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        )
    return problems


def _name_problems(name: str) -> list[str]:
    if not name:
        return ["must be non-empty"]
    problems = []
    if len(name) > _MAX_NAME:
        problems.append(f"must be no more than {_MAX_NAME} bytes")
    if not _NAME.fullmatch(name):
        problems.append(
            f"must consist of {_CHARACTERS} (e.g. 'MyName',  or 'my.name',  or '123-abc', "
            f"regex used for validation is '{_NAME_PATTERN}')"
        )
    return problems


def _check_label_value(value: str, path: str) -> None:
    problems = []
    if len(value) > _MAX_NAME:
        problems.append(f"must be no more than {_MAX_NAME} bytes")
    if value and not _NAME.fullmatch(value):
        problems.append(
            f"a valid label must be an empty string or consist of {_CHARACTERS} (e.g. 'MyValue',  "
            "or 'my_value',  or '12345', regex used for validation is "
            "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        )
    if problems:
        msg = f"{path}: Invalid value: {quote(value)}: {'; '.join(problems)}"
        raise SelectorError(msg)


def _fail(found: str, expected: str) -> NoReturn:
    msg = f"found '{found}', expected: {expected}"
    raise SelectorError(msg)
