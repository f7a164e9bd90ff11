"""Rules for label selectors inside objects."""

from typing import Final

from ferrolb.apimachinery import FieldError
from ferrolb.devserver.names import label_value_problems, qualified_name_problems
from ferrolb.model import Json, JsonObject

_WITH_VALUES: Final = ("In", "NotIn")
_WITHOUT_VALUES: Final = ("Exists", "DoesNotExist")


def validate_selector(selector: JsonObject, path: str) -> list[FieldError]:
    """Return what keeps a label selector from selecting."""
    errors: list[FieldError] = []
    labels, expressions = selector.get("matchLabels"), selector.get("matchExpressions")
    where = f"{path}.matchLabels"
    for key, value in labels.items() if isinstance(labels, dict) else ():
        errors += [FieldError.invalid(where, key, why) for why in qualified_name_problems(key)]
        errors += [
            FieldError.invalid(where, value, why) for why in label_value_problems(str(value))
        ]
    for index, item in enumerate(expressions if isinstance(expressions, list) else ()):
        if isinstance(item, dict):
            errors += _validate_expression(item, f"{path}.matchExpressions[{index}]")
    return errors


def _validate_expression(expression: JsonObject, path: str) -> list[FieldError]:
    found = expression.get("values")
    values = found if isinstance(found, list) else []
    key = str(expression.get("key") or "")
    return [
        *_validate_operator(expression.get("operator") or "", values, path),
        *(FieldError.invalid(f"{path}.key", key, why) for why in qualified_name_problems(key)),
        *(
            FieldError.invalid(f"{path}.values[{index}]", value, why)
            for index, value in enumerate(values)
            for why in label_value_problems(str(value))
        ),
    ]


def _validate_operator(operator: Json, values: list[Json], path: str) -> list[FieldError]:
    if operator in _WITH_VALUES:
        text = "must be specified when `operator` is 'In' or 'NotIn'"
        return [] if values else [FieldError.required(f"{path}.values", text)]
    if operator in _WITHOUT_VALUES:
        text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        return [FieldError.forbidden(f"{path}.values", text)] if values else []
    return [FieldError.invalid(f"{path}.operator", operator, "not a valid selector operator")]
