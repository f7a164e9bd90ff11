import io
import json
import logging

import pytest

from ferrolb.telemetry import LogLevelError, configure_logging, get_logger


def _lines(level, write):
    stream = io.StringIO()
    configure_logging(level, stream=stream)
    write()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_c30_a_line_has_metallbs_keys():
    [line] = _lines(
        "info",
        lambda: get_logger(controller="svc").info("assigned", _event="ipAllocated", ip="::1"),
    )
    assert list(line)[:3] == ["ts", "level", "caller"]
    assert line["ts"].endswith("Z")
    assert line["caller"].startswith("test_log.py:")
    assert {k: line[k] for k in ("level", "msg", "event", "ip", "controller")} == {
        "level": "info",
        "msg": "assigned",
        "event": "ipAllocated",
        "ip": "::1",
        "controller": "svc",
    }


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("all", ["debug", "info", "warn", "error"]),
        ("debug", ["debug", "info", "warn", "error"]),
        ("info", ["info", "warn", "error"]),
        ("warn", ["warn", "error"]),
        ("error", ["error"]),
        ("none", []),
    ],
)
def test_levels_let_through_what_they_name_and_worse(level, seen):
    def write():
        log = get_logger()
        log.debug("a")
        log.info("b")
        log.warning("c")
        log.error("d")

    assert [line["level"] for line in _lines(level, write)] == seen


def test_an_unknown_level_is_refused_in_metallbs_words():
    with pytest.raises(
        LogLevelError, match="failed to initialize logging: failed to parse log level: loud"
    ):
        configure_logging("loud")


def test_what_libraries_log_is_json_too():
    [line] = _lines("info", lambda: logging.getLogger("a.library").error('said "%s"', "no"))
    assert (line["level"], line["logger"], line["msg"]) == ("error", "a.library", 'said "no"')
