import pytest

from ferrolb.apimachinery.formats import is_format
from ferrolb.apimachinery.pattern import compile_pattern

GOOD = {
    "bsonobjectid": ["0123456789abcdef01234567"],
    "byte": ["aGVsbG8="],
    "cidr": ["10.0.0.0/8", "10.1.2.3/8", "2001:db8::/32"],
    "date": ["2024-02-29"],
    "date-time": ["2024-01-02T03:04:05Z", "2024-01-02t03:04:05.123+01:00"],
    "datetime": ["2024-01-02T03:04:05Z"],
    "duration": ["1s", "1m30s", "-1.5h", "0", "22 ns", "3 days"],
    "email": ["a@b"],
    "hexcolor": ["#fff", "00ff00"],
    "hostname": ["a.example", "A-1"],
    "int32": ["anything"],
    "ipv4": ["10.0.0.1"],
    "ipv6": ["::1", "2001:db8::1"],
    "k8s-long-name": ["a.b-c"],
    "k8s-short-name": ["a-b"],
    "mac": ["00:11:22:33:44:55", "00-11-22-33-44-55", "0011.2233.4455"],
    "ssn": ["123-45-6789"],
    "uri": ["http://a/b", "/a"],
    "uuid": ["01234567-89ab-cdef-0123-456789ABCDEF"],
    "uuid3": ["01234567-89ab-3def-0123-456789abcdef"],
    "uuid4": ["01234567-89ab-4def-8123-456789abcdef"],
    "uuid5": ["01234567-89ab-5def-8123-456789abcdef"],
}

BAD = {
    "bsonobjectid": ["0123"],
    "byte": ["", "a$", "abc", "ä"],
    "cidr": ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "fe80::%1/64", "x/8"],
    "date": ["2024-02-30", "20240229", "x"],
    "date-time": ["2024-01-02", "2024-01-02T24:00:00Z", "2024-02-30T03:04:05Z",
                  "2024-01-02T03:04:05"],
    "duration": ["", "s", "1", "1x"],
    "email": ["a"],
    "hexcolor": ["#ff"],
    "hostname": ["", "-a", "a..b", "a" * 64, ".".join(["a" * 60] * 5)],
    "ipv4": ["10.0.0", "::1", "010.0.0.1"],
    "ipv6": ["10.0.0.1", "fe80::1%eth0"],
    "k8s-long-name": ["A", "a..b", "a" * 254],
    "k8s-short-name": ["a.b", "-a", "a" * 64],
    "mac": ["00:11:22:33:44", "00:11-22:33:44:55"],
    "ssn": ["1"],
    "uri": ["a b"],
    "uuid": ["x"],
    "uuid3": ["01234567-89ab-4def-8123-456789abcdef"],
    "uuid4": ["01234567-89ab-4def-0123-456789abcdef"],
    "uuid5": ["01234567-89ab-4def-8123-456789abcdef"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, all_ in GOOD.items() for t in all_])
def test_text_has_the_format(name, text):
    assert is_format(name, text)


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, all_ in BAD.items() for t in all_])
def test_text_has_not_the_format(name, text):
    assert not is_format(name, text)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        (r"^a\z", "a", True),
        (r"^a\$$", "a$", True),
        ("^[$a]+$", "a$a", True),
        ("^[[:alpha:]_]+$", "ab_", True),
        ("^[[:alpha:]]+$", "a1", False),
        ("^[^[:digit:]]$", "a", True),
        ("^[]a]+$", "]a", True),
        ("^[^]a]$", "b", True),
        ("^[a[]+$", "a[", True),
        (r"^[\]a]+$", "]a", True),
        (r"^\d$", "\u0661", False),
        ("(?i)^A$", "a", True),
    ],
)
def test_pattern(pattern, text, matches):
    compiled = compile_pattern(pattern)
    assert compiled is not None
    assert (compiled.search(text) is not None) is matches


@pytest.mark.parametrize("pattern", ["(", "[", r"\p{Greek}", "a{99999999999}"])
def test_pattern_that_cannot_be_compiled(pattern):
    assert compile_pattern(pattern) is None
