"""Secrets: their types, their data, and what never changes again."""

import base64
import binascii
from typing import Final

from typing_extensions import override

from ferrolb.apimachinery import FieldError, json_error_text
from ferrolb.devserver.names import config_key_problems
from ferrolb.devserver.strategies import Strategy, member_of, metadata_of
from ferrolb.model import Json, JsonObject

OPAQUE: Final = "Opaque"

MAX_DATA_BYTES: Final = 1024 * 1024
"""Bytes of all values of one Secret or ConfigMap: the API's own limit."""

REDACTED: Final = "<secret contents redacted>"

BASIC_AUTH: Final = "kubernetes.io/basic-auth"
OF_ACCOUNT: Final = "kubernetes.io/service-account-token"
ACCOUNT_ANNOTATION: Final = "kubernetes.io/service-account.name"

DOCKER_CONFIGS: Final = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}
"""The key that holds JSON in a Secret for pulling images."""

REQUIRED_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
"""Keys that a Secret of a known type must have."""


def data_size(data: JsonObject) -> int:
    """Return how many bytes the keys and values of a map take."""
    return sum(len(str(key)) + len(str(value)) for key, value in data.items())


def validate_immutable(
    obj: JsonObject, old: JsonObject | None, fields: tuple[str, ...]
) -> list[FieldError]:
    """Return errors where an object marked immutable was changed."""
    if old is None or old.get("immutable") is not True:
        return []
    text = "field is immutable when `immutable` is set"
    return [
        FieldError.forbidden(field, text)
        for field in ("immutable", *fields)
        if obj.get(field) != old.get(field)
    ]


class SecretStrategy(Strategy):
    """Secrets: `stringData` is written into `data`, and the type is fixed."""

    @override
    def default(self, obj: JsonObject) -> JsonObject:
        return {**_with_string_data(obj), "type": obj.get("type") or OPAQUE}

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        errors = _validate_data(obj)
        if old is not None and old.get("type") != obj.get("type"):
            errors.append(FieldError.invalid("type", obj.get("type"), "field is immutable"))
        return errors + validate_immutable(obj, old, ("data",))


def _with_string_data(obj: JsonObject) -> JsonObject:
    given = member_of(obj, "stringData")
    rest = {name: value for name, value in obj.items() if name != "stringData"}
    if not given:
        return rest
    encoded: JsonObject = {
        key: base64.b64encode(str(value).encode()).decode() for key, value in given.items()
    }
    return {**rest, "data": {**member_of(obj, "data"), **encoded}}


def _validate_data(obj: JsonObject) -> list[FieldError]:
    data = member_of(obj, "data")
    kind = obj.get("type")
    errors = [
        FieldError.invalid(f"data[{key}]", REDACTED, "must be base64")
        for key, value in data.items()
        if not _is_base64(value)
    ]
    errors = _validate_keys("data", data) + errors
    required = REQUIRED_KEYS.get(kind, ()) if isinstance(kind, str) else ()
    errors += [FieldError.required(f"data[{key}]") for key in required if key not in data]
    errors += _validate_known(str(kind), obj, data)
    if data_size(data) > MAX_DATA_BYTES * 4 // 3:
        errors.append(FieldError.too_long("data", MAX_DATA_BYTES))
    return errors


def _validate_known(kind: str, obj: JsonObject, data: JsonObject) -> list[FieldError]:
    """Return what is wrong with a Secret of a type whose content is known."""
    if kind == BASIC_AUTH and not {"username", "password"} & data.keys():
        return [FieldError.required(f"data[{key}]") for key in ("username", "password")]
    if kind == OF_ACCOUNT:
        annotations = member_of(metadata_of(obj), "annotations")
        if not annotations.get(ACCOUNT_ANNOTATION):
            return [FieldError.required(f"metadata.annotations[{ACCOUNT_ANNOTATION}]")]
    key = DOCKER_CONFIGS.get(kind, "")
    text = data.get(key)
    if not isinstance(text, str) or not _is_base64(text):
        return []
    why = json_error_text(base64.b64decode(text))
    return [FieldError.invalid(f"data[{key}]", REDACTED, why)] if why else []


def _validate_keys(path: str, data: JsonObject) -> list[FieldError]:
    return [
        FieldError.invalid(f"{path}[{key}]", key, why)
        for key in data
        for why in config_key_problems(key)
    ]


def _is_base64(value: Json) -> bool:
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


class ConfigMapStrategy(Strategy):
    """ConfigMaps: bounded, and fixed once marked immutable."""

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        data, binary = member_of(obj, "data"), member_of(obj, "binaryData")
        errors = _validate_keys("data", data) + _validate_keys("binaryData", binary)
        errors += validate_immutable(obj, old, ("data", "binaryData"))
        errors += [
            FieldError.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
            for key in data
            if key in binary
        ]
        if data_size(data) + data_size(binary) > MAX_DATA_BYTES:
            errors.append(FieldError.too_long("[]", MAX_DATA_BYTES))
        return errors
