"""The files that a speaker reads once, at its start."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import yaml

from ferrolb.runtime import StartupError

if TYPE_CHECKING:
    from ferrolb.model import JsonObject

_EXCLUDE_KEY: Final = "announcedinterfacestoexclude"
_SECRET_FILE: Final = "secretkey"  # noqa: S105 - the name of a file, not what is in it


def read_excluded(path: Path) -> re.Pattern[str] | None:
    """Return what the names of excluded interfaces match anywhere; None excludes nothing.

    Raises:
        StartupError: the file is unreadable, is no YAML of the right shape, or holds an expression
            that is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"cannot read {path}: {error}") from error
    try:
        content = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise StartupError(f"{path}: no YAML: {error}") from error
    return _pattern(path, _expressions(path, content))


def _expressions(path: Path, content: object) -> list[str]:
    if content is None:
        return []
    if not isinstance(content, dict):
        raise StartupError(f"{path}: not a map with the key announcedInterfacesToExclude")
    for key, value in content.items():
        if str(key).lower() != _EXCLUDE_KEY:
            continue
        if value is None:
            return []
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return value
        raise StartupError(f"{path}: {key} is not a list of expressions")
    return []


def _pattern(path: Path, expressions: list[str]) -> re.Pattern[str] | None:
    for expression in expressions:
        try:
            re.compile(expression)
        except re.error as error:
            raise StartupError(f"{path}: {expression!r} is no expression: {error}") from error
    if not expressions:
        return None
    return re.compile("|".join(f"(?:{expression})" for expression in expressions))


def read_secret(folder: Path) -> bytes:
    """Return the content of `secretkey` in `folder`; empty means no encryption.

    Raises:
        StartupError: it cannot be read.
    """
    path = folder / _SECRET_FILE
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartupError(
            f"cannot read the memberlist secret {path}: {error.strerror}; mount the Secret "
            "`memberlist` there, or leave --ml-secret-key-path empty to gossip unencrypted"
        ) from error


def read_tuning(path: Path) -> "JsonObject | None":
    """Return memberlist's tuning as written, None where there is none.

    Raises:
        StartupError: the file is unreadable, or holds no JSON object.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StartupError(f"cannot read {path}: {error.strerror}") from error
    try:
        content: object = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise StartupError(f"{path}: no JSON: {error}") from error
    if not isinstance(content, dict):
        raise StartupError(f"{path}: not a JSON object")
    return content
