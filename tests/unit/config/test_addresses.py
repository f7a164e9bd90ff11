from ipaddress import ip_address

import pytest

from ferrolb.config import BadEntry, parse_entry
from ferrolb.model import AddressEntry


def prefixes(text: str) -> list[str]:
    entry = parse_entry(text)
    assert isinstance(entry, AddressEntry), entry
    assert entry.text == text
    return [str(prefix) for prefix in entry.prefixes]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.20.30.40/24", ["10.20.30.0/24"]),
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        ("1.2.3.4/32", ["1.2.3.4/32"]),
        ("0.0.0.0/0", ["0.0.0.0/0"]),
        ("1.2.3.4/024", ["1.2.3.0/24"]),
        ("2001:DB8::1/64", ["2001:db8::/64"]),
        ("::/0", ["::/0"]),
        ("::1/128", ["::1/128"]),
        ("::ffff:1.2.3.4/120", ["1.2.3.0/24"]),
        ("::ffff:1.2.3.4/128", ["1.2.3.4/32"]),
        ("::ffff:1.2.3.4/96", ["0.0.0.0/0"]),
        ("::ffff:1.2.3.4/64", ["::/64"]),
        ("40.0.0.250 - 40.0.0.250", ["40.0.0.250/32"]),
        ("40.0.0.250-40.0.0.250", ["40.0.0.250/32"]),
        ("\t40.0.0.210 - 40.0.0.211 ", ["40.0.0.210/31"]),
        ("::ffff:1.2.3.4-1.2.3.5", ["1.2.3.4/31"]),
        (
            "40.0.0.150-40.0.0.200",
            ["40.0.0.150/31", "40.0.0.152/29", "40.0.0.160/27", "40.0.0.192/29", "40.0.0.200/32"],
        ),
        (
            "40.0.0.210 - 40.0.0.240",
            ["40.0.0.210/31", "40.0.0.212/30", "40.0.0.216/29", "40.0.0.224/28", "40.0.0.240/32"],
        ),
        (
            "3.3.3.2-3.3.3.254",
            [
                *("3.3.3.2/31", "3.3.3.4/30", "3.3.3.8/29", "3.3.3.16/28", "3.3.3.32/27"),
                *("3.3.3.64/26", "3.3.3.128/26", "3.3.3.192/27", "3.3.3.224/28"),
                *("3.3.3.240/29", "3.3.3.248/30", "3.3.3.252/31", "3.3.3.254/32"),
            ],
        ),
        ("1000::4-1000::5", ["1000::4/127"]),
    ],
)
def test_what_an_entry_means(text: str, expected: list[str]) -> None:
    assert prefixes(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "1.2.3.4",
        "2001:db8::1",
        " 10.0.0.0/8",
        "10.0.0.0/8 ",
        "10.0.0.0 /8",
        "1.2.3.0/33",
        "1.2.3.0/",
        "1.2.3.0/24/24",
        "1.2.3.0/+24",
        "1.2.3.0/٢٤",
        "1.2.3.0/255.255.255.0",
        "::/129",
        "100.200.300.400/24",
        "01.2.3.4/24",
        "fe80::1%eth0/64",
        "1.2.3.4/" + "9" * 5000,
        "a" * 100_000,
    ],
)
def test_what_is_no_prefix(text: str) -> None:
    assert parse_entry(text) == BadEntry(f'invalid CIDR "{text}"')


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("-", 'invalid start IP ""'),
        ("a-1.2.3.4", 'invalid start IP "a"'),
        ("01.2.3.4-1.2.3.4", 'invalid start IP "01.2.3.4"'),
        (" x - y ", 'invalid start IP " x "'),
        ("1.2.3.4- y ", 'invalid end IP " y "'),
        ("1.2.3.4-1.2.3.5-1.2.3.6", 'invalid end IP "1.2.3.5-1.2.3.6"'),
        ("fe80::1%eth0-fe80::2", 'invalid start IP "fe80::1%eth0"'),
        ("1.2.3.0/24-1.2.3.9", 'invalid start IP "1.2.3.0/24"'),
        ("1.2.3.10-1.2.3.1", 'start IP "1.2.3.10" is after the end IP "1.2.3.1"'),
        ("::2-::1", 'start IP "::2" is after the end IP "::1"'),
        ("2001::1-1.2.3.4", 'start IP "2001::1" is after the end IP "1.2.3.4"'),
        (
            "1.2.3.4-2001::1",
            'start IP "1.2.3.4" and end IP "2001::1" are of different families',
        ),
    ],
)
def test_what_is_no_range(text: str, problem: str) -> None:
    assert parse_entry(text) == BadEntry(f'invalid IP range "{text}": {problem}')


def test_the_widest_range_has_few_prefixes() -> None:
    entry = parse_entry("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe")
    assert isinstance(entry, AddressEntry)
    assert len(entry.prefixes) == 2 * 127
    assert sum(prefix.num_addresses for prefix in entry.prefixes) == 2**128 - 2
    assert entry.prefixes[0].network_address == ip_address("::1")
