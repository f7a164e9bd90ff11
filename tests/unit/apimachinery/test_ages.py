from datetime import UTC, datetime

import pytest

from ferrolb.apimachinery import human_duration
from ferrolb.apimachinery.ages import age

NOW = datetime(2026, 3, 10, 12, 0, 0, tzinfo=UTC)
M, H, D, Y = 60, 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1.9, "0s"),
        (0, "0s"),
        (119.9, "119s"),
        (2 * M, "2m"),
        (2 * M + 5, "2m5s"),
        (10 * M, "10m"),
        (179 * M + 59, "179m"),
        (3 * H, "3h"),
        (7 * H + 59 * M, "7h59m"),
        (8 * H + 59 * M, "8h"),
        (47 * H, "47h"),
        (2 * D, "2d"),
        (3 * D + 4 * H, "3d4h"),
        (8 * D + 4 * H, "8d"),
        (2 * Y - 1, "729d"),
        (2 * Y, "2y"),
        (2 * Y + 3 * D, "2y3d"),
        (8 * Y + 3 * D, "8y"),
    ],
)
def test_duration_has_two_units_at_most(seconds, text):
    assert human_duration(seconds) == text


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        ("2026-03-10T11:55:00Z", "5m"),
        ("2026-03-10T11:55:00.123456Z", "4m59s"),
        (None, "<unknown>"),
        ("", "<unknown>"),
        ("yesterday", "<invalid>"),
        ("2026-03-10T11:55:00", "<invalid>"),
        (12, "<invalid>"),
    ],
)
def test_age_of_a_timestamp(timestamp, text):
    assert age(timestamp, NOW) == text
