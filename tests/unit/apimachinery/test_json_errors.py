import pytest

from ferrolb.apimachinery import json_error_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", ""),
        ("", "unexpected end of JSON input"),
        ('{"a":', "unexpected end of JSON input"),
        ('{"a": "b', "unexpected end of JSON input"),
        ("{bad", "invalid character 'b' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
        ("{} x", "invalid character 'x' after top-level value"),
        ('{"a":x}', "invalid character 'x' looking for beginning of value"),
        ('"\\q"', "invalid character '\\' in string escape code"),
        ("[" * 100_000, "exceeded max depth"),
    ],
)
def test_what_is_wrong_is_told_as_an_api_server_tells_it(text, expected):
    assert json_error_text(text.encode()) == expected


def test_bytes_that_are_no_text_are_told():
    expected = "invalid character '\\xff' looking for beginning of value"
    assert json_error_text(b'{"a": "\xff"}') == expected
