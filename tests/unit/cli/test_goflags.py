import pytest

from ferrolb.cli.goflags import GoFlagError, normalise

FLAGS = ("port", "log-level", "webhook-http2")
BOOLEANS = ("webhook-http2",)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-port=9120"], ["--port=9120"]),
        (["--port", "9120"], ["--port", "9120"]),
        (["-port", "9120"], ["--port", "9120"]),
        (["--port="], ["--port="]),
        (["-webhook-http2"], ["--webhook-http2"]),
        (["--webhook-http2=true", "-port=1"], ["--webhook-http2", "--port=1"]),
        (["--webhook-http2=F"], []),
        (["-unknown=1", "word", "-h"], ["-unknown=1", "word", "-h"]),
        (["--", "-port=1"], ["--", "-port=1"]),
        (["-log-level=a=b"], ["--log-level=a=b"]),
    ],
)
def test_c29_go_syntax_becomes_clicks(arguments, expected):
    assert normalise(arguments, flags=FLAGS, booleans=BOOLEANS) == expected


def test_a_boolean_with_another_value_is_refused():
    with pytest.raises(GoFlagError, match="'maybe' for -webhook-http2"):
        normalise(["--webhook-http2=maybe"], flags=FLAGS, booleans=BOOLEANS)
