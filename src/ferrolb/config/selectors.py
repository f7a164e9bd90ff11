"""Label selectors of any field: parsed, checked, and looked through for duplicates."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ferrolb.config.errors import Issue
from ferrolb.config.reading import Reader
from ferrolb.model import Json, LabelSelector, Operator, Requirement, quote, quote_list

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

_NAME: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_DOMAIN: Final = re.compile(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
)
_MAX_NAME: Final = 63
"""Longest label name and value of the Kubernetes API."""
_MAX_DOMAIN: Final = 253
"""Longest prefix of a label key of the Kubernetes API."""
_OPERATORS: Final = {operator.value: operator for operator in Operator}
_NEEDS_VALUES: Final = frozenset({Operator.IN, Operator.NOT_IN})


@dataclass(frozen=True, slots=True)
class InvalidSelector:
    """An issue with one selector, and the selector as MetalLB's messages print it."""

    issue: Issue
    selector: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedSelectors:
    """A list of selectors; `selectors` has the valid ones, in order."""

    selectors: tuple[LabelSelector, ...]
    duplicates: tuple[Issue, ...]
    invalid: tuple[InvalidSelector, ...]

    @property
    def is_valid(self) -> bool:
        """True when nothing is wrong with any of them."""
        return not self.duplicates and not self.invalid


@dataclass(frozen=True, slots=True)
class _Expression:
    key: str
    operator: str
    values: tuple[str, ...]

    def dump(self, show: "Callable[[object], str]") -> str:
        values = " ".join(show(value) for value in self.values)
        return f"{{{show(self.key)} {show(self.operator)} [{values}]}}"


@dataclass(frozen=True, slots=True)
class _RawSelector:
    path: str
    labels: tuple[tuple[str, str], ...]
    expressions: tuple[_Expression, ...]
    shape_issues: tuple[Issue, ...]

    def dump(self, show: "Callable[[object], str]") -> str:
        labels = " ".join(f"{show(key)}:{show(value)}" for key, value in self.labels)
        expressions = " ".join(expression.dump(show) for expression in self.expressions)
        return f"{{map[{labels}] [{expressions}]}}"


def parse_selectors(raw: Json, *, path: str, field: str) -> ParsedSelectors:
    """Parse the list at `path`; `field` names it in messages (`nodeSelectors`, ...).

    No selectors means "no restriction", which the caller has to know; a selector without terms
    matches everything.
    """
    reader = Reader()
    items = reader.items(raw, path)
    raws = [_read(item, f"{path}[{index}]") for index, item in enumerate(items)]
    selectors: list[LabelSelector] = []
    invalid = [InvalidSelector(issue, "") for issue in reader.issues]
    for one in raws:
        issues = [*one.shape_issues, *_issues_of(one)]
        if issues:
            invalid.extend(InvalidSelector(issue, one.dump(str)) for issue in issues)
        else:
            selectors.append(_selector(one))
    return ParsedSelectors(
        selectors=tuple(selectors),
        duplicates=tuple(_duplicates(raws, path, field)),
        invalid=tuple(invalid),
    )


def _read(raw: Json, path: str) -> _RawSelector:
    reader = Reader()
    fields = reader.mapping(raw, path)
    labels = reader.mapping(fields.get("matchLabels"), f"{path}.matchLabels")
    pairs = sorted(
        (key, reader.text(value, f"{path}.matchLabels[{quote(key)}]"))
        for key, value in labels.items()
    )
    expressions: list[_Expression] = []
    where = f"{path}.matchExpressions"
    for index, item in enumerate(reader.items(fields.get("matchExpressions"), where)):
        at = f"{where}[{index}]"
        expression = reader.mapping(item, at)
        values = reader.texts(expression.get("values"), f"{at}.values")
        expressions.append(
            _Expression(
                reader.text(expression.get("key"), f"{at}.key"),
                reader.text(expression.get("operator"), f"{at}.operator"),
                tuple(sorted(value for _, value in values)),
            )
        )
    return _RawSelector(path, tuple(pairs), tuple(expressions), tuple(reader.issues))


def _issues_of(raw: _RawSelector) -> "list[Issue]":
    issues: list[Issue] = []
    for key, value in raw.labels:
        at = f"{raw.path}.matchLabels[{quote(key)}]"
        issues += _key_issues(key, at) + _value_issues(value, at)
    for index, expression in enumerate(raw.expressions):
        issues += _expression_issues(expression, f"{raw.path}.matchExpressions[{index}]")
    return issues


def _expression_issues(expression: _Expression, path: str) -> "list[Issue]":
    if expression.operator not in _OPERATORS:
        text = f"{quote(expression.operator)} is not a valid label selector operator"
        return [Issue(f"{path}.operator", text)]
    issues = _key_issues(expression.key, f"{path}.key")
    needs_values = _OPERATORS[expression.operator] in _NEEDS_VALUES
    if needs_values and not expression.values:
        text = "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
        issues.append(Issue(f"{path}.values", text))
    if not needs_values and expression.values:
        text = "values set must be empty for exists and does not exist"
        shown = quote_list(expression.values)
        issues.append(Issue(f"{path}.values", f"values: Invalid value: {shown}: {text}"))
    for value in expression.values:
        issues += _value_issues(value, f"{path}.values")
    return issues


def _key_issues(key: str, path: str) -> "list[Issue]":
    domain, slash, name = key.rpartition("/")
    is_domain_good = not slash or (len(domain) <= _MAX_DOMAIN and _DOMAIN.fullmatch(domain))
    if is_domain_good and len(name) <= _MAX_NAME and _NAME.fullmatch(name):
        return []
    return [Issue(path, f"key: Invalid value: {quote(key)}: must be a qualified label name")]


def _value_issues(value: str, path: str) -> "list[Issue]":
    if not value or (len(value) <= _MAX_NAME and _NAME.fullmatch(value)):
        return []
    return [Issue(path, f"values: Invalid value: {quote(value)}: must be a valid label value")]


def _selector(raw: _RawSelector) -> LabelSelector:
    requirements = [Requirement(key, Operator.IN, (value,)) for key, value in raw.labels]
    requirements += [
        Requirement(one.key, _OPERATORS[one.operator], tuple(dict.fromkeys(one.values)))
        for one in raw.expressions
    ]
    # one order for what means the same, so that a reordered manifest is no change
    return LabelSelector(tuple(sorted(requirements, key=str)))


def _duplicates(raws: "list[_RawSelector]", path: str, field: str) -> "list[Issue]":
    issues: list[Issue] = []
    repeats = _repeats([(raw.labels, raw.expressions) for raw in raws])
    for index, raw in enumerate(raws):
        issues += _duplicate_expressions(raw)
        if index in repeats:
            text = f"duplicate definition of {field} {raw.dump(quote)}"
            issues.append(Issue(f"{path}[{repeats[index]}]", text))
    return issues


def _duplicate_expressions(raw: _RawSelector) -> "list[Issue]":
    issues: list[Issue] = []
    where = f"{raw.path}.matchExpressions"
    repeats = _repeats(raw.expressions)
    for index, one in enumerate(raw.expressions):
        twice = (one.values[at] for at in _repeats(one.values))
        for value in dict.fromkeys(twice):
            text = "duplicate definition of match expression value in label selector"
            issues.append(Issue(f"{where}[{index}].values", f"{text} {quote(value)}"))
        if index in repeats:
            text = f"duplicate definition of match expressions {one.dump(quote)}"
            issues.append(Issue(f"{where}[{repeats[index]}]", text))
    return issues


def _repeats(items: "Sequence[Hashable]") -> dict[int, int]:
    """Return, for each item that occurs again further on, the index of its next occurrence."""
    following: dict[Hashable, int] = {}
    found: dict[int, int] = {}
    for index in range(len(items) - 1, -1, -1):
        if items[index] in following:
            found[index] = following[items[index]]
        following[items[index]] = index
    return found
