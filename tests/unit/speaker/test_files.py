import pytest

from ferrolb.runtime import StartupError
from ferrolb.speaker.files import read_excluded, read_secret, read_tuning

SHIPPED = """
announcedInterfacesToExclude: ["^docker.*", "^cbr.*", "^veth.*", "^lo$", "^cali.*"]
"""


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "file"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_absent_file_excludes_nothing(tmp_path):
    assert read_excluded(tmp_path / "absent") is None


@pytest.mark.parametrize("name", ["docker0", "veth12ab", "lo", "cali1", "cbr0"])
def test_shipped_list_excludes(file, name):
    pattern = read_excluded(file(SHIPPED))
    assert pattern is not None
    assert pattern.search(name)


@pytest.mark.parametrize("name", ["eth0", "xdocker0", "lo1", "vet"])
def test_shipped_list_leaves(file, name):
    pattern = read_excluded(file(SHIPPED))
    assert pattern is not None
    assert not pattern.search(name)


def test_expressions_match_anywhere_and_stay_apart(file):
    pattern = read_excluded(file('announcedInterfacesToExclude: ["a|b", "cd"]'))
    assert pattern is not None
    assert pattern.search("xcdx")
    assert pattern.search("xbx")
    assert not pattern.search("xcx")


@pytest.mark.parametrize("key", ["announcedinterfacestoexclude", "ANNOUNCEDINTERFACESTOEXCLUDE"])
def test_key_in_any_case(file, key):
    pattern = read_excluded(file(f'{key}: ["eth1"]'))
    assert pattern is not None
    assert pattern.search("eth1")


@pytest.mark.parametrize(
    "text", ["", "other: [a]", "announcedInterfacesToExclude: []", "announcedInterfacesToExclude:"]
)
def test_file_that_names_nothing_excludes_nothing(file, text):
    assert read_excluded(file(text)) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", "not a map"),
        ("a: [", "no YAML"),
        ("announcedInterfacesToExclude: eth0", "not a list"),
        ("announcedInterfacesToExclude: [1]", "not a list"),
        ('announcedInterfacesToExclude: ["("]', r"'\(' is no expression"),
    ],
)
def test_bad_file_ends_the_start(file, text, problem):
    with pytest.raises(StartupError, match=problem):
        read_excluded(file(text))


def test_unreadable_file_ends_the_start(tmp_path):
    with pytest.raises(StartupError, match="cannot read"):
        read_excluded(tmp_path)


def test_secret_is_read_as_it_is(tmp_path):
    (tmp_path / "secretkey").write_bytes(b"abc\n")
    assert read_secret(tmp_path) == b"abc\n"


def test_missing_secret_says_what_to_do(tmp_path):
    with pytest.raises(StartupError, match="mount the Secret `memberlist`"):
        read_secret(tmp_path)


def test_absent_tuning_is_none(tmp_path):
    assert read_tuning(tmp_path / "absent") is None


def test_tuning_is_the_object(file):
    assert read_tuning(file('{"ProbeInterval": "1s"}')) == {"ProbeInterval": "1s"}


@pytest.mark.parametrize(("text", "problem"), [("{", "no JSON"), ("[]", "not a JSON object")])
def test_bad_tuning_ends_the_start(file, text, problem):
    with pytest.raises(StartupError, match=problem):
        read_tuning(file(text))


def test_unreadable_tuning_ends_the_start(tmp_path):
    with pytest.raises(StartupError, match="cannot read"):
        read_tuning(tmp_path)
