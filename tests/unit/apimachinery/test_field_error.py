import pytest

from ferrolb.apimachinery import FieldError, FieldErrorKind, format_value, go_text, join_errors


@pytest.mark.parametrize(
    ("error", "text", "reason"),
    [
        (FieldError.required("a"), "a: Required value", "FieldValueRequired"),
        (FieldError.required("a", "say it"), "a: Required value: say it", "FieldValueRequired"),
        (FieldError.invalid("a", 5, "no"), "a: Invalid value: 5: no", "FieldValueInvalid"),
        (
            FieldError.unsupported("a", "x", ["y", 5]),
            'a: Unsupported value: "x": supported values: "y", "5"',
            "FieldValueNotSupported",
        ),
        (FieldError.unsupported("a", "x", []), 'a: Unsupported value: "x"', None),
        (FieldError.forbidden("a", "no"), "a: Forbidden: no", "FieldValueForbidden"),
        (FieldError.duplicate("a", "x"), 'a: Duplicate value: "x"', "FieldValueDuplicate"),
        (FieldError.too_long("a", 5), "a: Too long: may not be more than 5 bytes", None),
        (FieldError.too_many("a", 7, 5), "a: Too many: 7: must have at most 5 items", None),
        (FieldError("a", FieldErrorKind.NOT_FOUND, "x"), 'a: Not found: "x"', "FieldValueNotFound"),
        (
            FieldError("a", FieldErrorKind.INTERNAL, None, "b"),
            "a: Internal error: b",
            "InternalError",
        ),
    ],
)
def test_error_is_worded_as_the_api_words_it(error, text, reason):
    assert str(error) == text
    if reason is not None:
        assert error.cause == {
            "field": "a",
            "message": text.removeprefix("a: "),
            "reason": reason,
        }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\n", '"a\\n"'),
        (True, "true"),
        (None, "null"),
        (1.0, "1"),
        (1.5, "1.5"),
        (1e300, "1e+300"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
        ({"b": [1, "<"], "a": None}, '{"a":null,"b":[1,"\\u003c"]}'),
    ],
)
def test_value_in_a_message(value, text):
    assert format_value(value) == text


def test_several_errors_stand_in_brackets_once_each():
    first, second = FieldError.required("a"), FieldError.required("b")
    assert join_errors([first]) == "a: Required value"
    assert join_errors([first, second, first]) == "[a: Required value, b: Required value]"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<nil>"),
        (True, "true"),
        (False, "false"),
        ("a b", "a b"),
        (5, "5"),
        (1.5, "1.5"),
        ({"b": [1, "x"], "a": {}}, "map[a:map[] b:[1 x]]"),
    ],
)
def test_values_as_go_prints_them(value, text):
    assert go_text(value) == text
