"""Rules for names, for the keys of labels and for their values."""

import re
from collections.abc import Callable
from enum import Enum
from typing import Final

MAX_SUBDOMAIN: Final = 253
MAX_LABEL: Final = 63
MAX_GENERATED: Final = 58
"""A generated name keeps this much of its prefix, so that five random characters fit a label."""

_LABEL_1123: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_1123: Final = rf"{_LABEL_1123}(\.{_LABEL_1123})*"
_LABEL_1035: Final = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED: Final = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE: Final = rf"({_QUALIFIED})?"

_IS_LABEL_1123: Final = re.compile(_LABEL_1123)
_IS_SUBDOMAIN: Final = re.compile(_SUBDOMAIN_1123)
_IS_LABEL_1035: Final = re.compile(_LABEL_1035)
_IS_QUALIFIED: Final = re.compile(_QUALIFIED)
_IS_VALUE: Final = re.compile(_VALUE)

_CONFIG_KEY: Final = r"[-._a-zA-Z0-9]+"
_IS_CONFIG_KEY: Final = re.compile(_CONFIG_KEY)
_CONFIG_KEY_TEXT: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    f"'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '{_CONFIG_KEY}')"
)
_LABEL_1123_TEXT: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "
    f"used for validation is '{_LABEL_1123}')"
)
_SUBDOMAIN_TEXT: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    f"for validation is '{_SUBDOMAIN_1123}')"
)
_LABEL_1035_TEXT: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
    f"'abc-123', regex used for validation is '{_LABEL_1035}')"
)
_QUALIFIED_TEXT: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    f"validation is '{_QUALIFIED}')"
)
_VALUE_TEXT: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',"
    f"  or '12345', regex used for validation is '{_VALUE}')"
)


def name_problems_subdomain(name: str) -> list[str]:
    """Return what keeps a name from being an RFC 1123 subdomain, the rule for most kinds."""
    found = []
    if len(name) > MAX_SUBDOMAIN:
        found.append(f"must be no more than {MAX_SUBDOMAIN} characters")
    if not _IS_SUBDOMAIN.fullmatch(name):
        found.append(_SUBDOMAIN_TEXT)
    return found


def name_problems_label(name: str) -> list[str]:
    """Return what keeps a name from being an RFC 1123 label, the rule for Namespaces."""
    return _label_problems(name, _IS_LABEL_1123, _LABEL_1123_TEXT)


def name_problems_label_1035(name: str) -> list[str]:
    """Return what keeps a name from being an RFC 1035 label, the rule for Services."""
    return _label_problems(name, _IS_LABEL_1035, _LABEL_1035_TEXT)


def name_problems_path_segment(name: str) -> list[str]:
    """Return what keeps a name from being one path segment, the rule for RBAC kinds."""
    if name in {".", ".."}:
        return [f"may not be '{name}'"]
    return [f"may not contain '{mark}'" for mark in "/%" if mark in name]


def config_key_problems(key: str) -> list[str]:
    """Return what keeps a text from being a key in a ConfigMap or a Secret: a file's name."""
    found = []
    if len(key) > MAX_SUBDOMAIN:
        found.append(f"must be no more than {MAX_SUBDOMAIN} characters")
    if not _IS_CONFIG_KEY.fullmatch(key):
        found.append(_CONFIG_KEY_TEXT)
    if key in (".", ".."):
        found.append(f"must not be '{key}'")
    elif key.startswith(".."):
        found.append("must not start with '..'")
    return found


def _label_problems(name: str, pattern: re.Pattern[str], text: str) -> list[str]:
    found = []
    if len(name) > MAX_LABEL:
        found.append(f"must be no more than {MAX_LABEL} characters")
    if not pattern.fullmatch(name):
        found.append(text)
    return found


class NameRule(Enum):
    """What the names of a kind look like."""

    SUBDOMAIN = "subdomain"
    LABEL = "label"
    LABEL_1035 = "label-1035"
    PATH_SEGMENT = "path-segment"

    def problems(self, name: str) -> list[str]:
        """Return what is wrong with a name, empty when it is fine."""
        return _PROBLEMS[self](name)

    def prefix_problems(self, prefix: str) -> list[str]:
        """Return what is wrong with the beginning of a name; it may end with a hyphen."""
        is_masked = self is not NameRule.PATH_SEGMENT and prefix.endswith("-")
        return self.problems(f"{prefix[:-1]}a" if is_masked else prefix)


_PROBLEMS: Final[dict[NameRule, Callable[[str], list[str]]]] = {
    NameRule.SUBDOMAIN: name_problems_subdomain,
    NameRule.LABEL: name_problems_label,
    NameRule.LABEL_1035: name_problems_label_1035,
    NameRule.PATH_SEGMENT: name_problems_path_segment,
}


def qualified_name_problems(name: str) -> list[str]:
    """Return what keeps a text from being a label key: a name, with or without a DNS prefix."""
    prefix, slash, rest = name.rpartition("/")
    if slash and not prefix:
        return ["prefix part must be non-empty"]
    found = []
    if "/" in prefix:
        return [
            "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
            f"'123-abc', regex used for validation is '{_QUALIFIED}') with an optional DNS "
            "subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    if prefix:
        found += [f"prefix part {problem}" for problem in name_problems_subdomain(prefix)]
    if not rest:
        found.append("name part must be non-empty")
    elif len(rest) > MAX_LABEL:
        found.append(f"name part must be no more than {MAX_LABEL} characters")
    if not _IS_QUALIFIED.fullmatch(rest):
        found.append(_QUALIFIED_TEXT)
    return found


def label_value_problems(value: str) -> list[str]:
    """Return what keeps a text from being a label's value."""
    found = []
    if len(value) > MAX_LABEL:
        found.append(f"must be no more than {MAX_LABEL} characters")
    if not _IS_VALUE.fullmatch(value):
        found.append(_VALUE_TEXT)
    return found
