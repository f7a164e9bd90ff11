"""Secrets: their types, their data, and what never changes again."""

import base64
import binascii
from typing import Final

from typing_extensions import override

from ferrolb.apimachinery import FieldError
from ferrolb.devserver.strategies import Strategy, member_of
from ferrolb.model import Json, JsonObject

OPAQUE: Final = "Opaque"

MAX_DATA_BYTES: Final = 1024 * 1024
"""Bytes of all values of one Secret or ConfigMap: the API's own limit."""

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
    def prepare_create(self, obj: JsonObject) -> JsonObject:
        return {**_with_string_data(obj), "type": obj.get("type") or OPAQUE}

    @override
    def prepare_update(self, obj: JsonObject, old: JsonObject) -> JsonObject:
        written = _with_string_data(obj)
        return {**written, "type": obj.get("type") or old.get("type") or OPAQUE}

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
        FieldError.invalid(f"data[{key}]", "<secret contents redacted>", "must be base64")
        for key, value in data.items()
        if not _is_base64(value)
    ]
    required = REQUIRED_KEYS.get(kind, ()) if isinstance(kind, str) else ()
    errors += [FieldError.required(f"data[{key}]") for key in required if key not in data]
    if data_size(data) > MAX_DATA_BYTES * 4 // 3:
        errors.append(FieldError.too_long("data", MAX_DATA_BYTES))
    return errors


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
        errors = validate_immutable(obj, old, ("data", "binaryData"))
        data, binary = member_of(obj, "data"), member_of(obj, "binaryData")
        errors += [
            FieldError.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
            for key in data
            if key in binary
        ]
        if data_size(data) + data_size(binary) > MAX_DATA_BYTES:
            errors.append(FieldError.too_long("", MAX_DATA_BYTES))
        return errors
