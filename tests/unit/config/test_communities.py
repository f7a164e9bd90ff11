import pytest
from tests.config_objects import community_object, messages, parse, paths

from ferrolb.config import BadCommunity, Community, parse_community, resolve_community


@pytest.mark.parametrize(
    ("text", "expected", "printed"),
    [
        ("0:0", Community(0), "0:0"),
        ("65535:65282", Community((65535 << 16) + 65282), "65535:65282"),
        ("007:1", Community((7 << 16) + 1), "7:1"),
        ("large:1:2:3", Community(1, 2, 3, is_large=True), "1:2:3"),
        (
            "large:4294967295:0:4294967295",
            Community(4294967295, 0, 4294967295, is_large=True),
            "4294967295:0:4294967295",
        ),
    ],
)
def test_value_syntax(text: str, expected: Community, printed: str) -> None:
    value = parse_community(text)
    assert value == expected
    assert str(value) == printed


def invalid_section(part: str, whole: str, cause: str) -> str:
    return (
        f'invalid community value: invalid section "{part}" of community "{whole}", err: '
        f'"strconv.ParseUint: parsing \\"{part}\\": {cause}"'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("99999999:1", invalid_section("99999999", "99999999:1", "value out of range")),
        ("1:99999999", invalid_section("99999999", "1:99999999", "value out of range")),
        ("65536:1", invalid_section("65536", "65536:1", "value out of range")),
        ("1:" + "9" * 5000, invalid_section("9" * 5000, "1:" + "9" * 5000, "value out of range")),
        ("11111:11aaaa", invalid_section("11aaaa", "11111:11aaaa", "invalid syntax")),
        (":", invalid_section("", ":", "invalid syntax")),
        ("1:-1", invalid_section("-1", "1:-1", "invalid syntax")),
        ("1:٢", invalid_section("٢", "1:٢", "invalid syntax")),
        (
            "large:1:2:4294967296",
            invalid_section("4294967296", "large:1:2:4294967296", "value out of range"),
        ),
        ("large:1:x:3", invalid_section("x", "large:1:x:3", "invalid syntax")),
        (
            "lar:1:2:3",
            "invalid community value: invalid marker for large community, expected community to be "
            'of format large:<uint32>:<uint32>:<uint32> but got "lar:1:2:3" instead',
        ),
        ("1234", "invalid community format: 1234"),
        ("", "invalid community format: "),
        ("1:2:3", "invalid community format: 1:2:3"),
        ("a:b:c:d:e", "invalid community format: a:b:c:d:e"),
    ],
)
def test_bad_values(text: str, message: str) -> None:
    value = parse_community(text)
    assert isinstance(value, BadCommunity)
    assert value.message == message
    assert value.may_be_alias == (text.count(":") not in {1, 3})


def test_order_is_by_numbers_whatever_the_form() -> None:
    texts = ["0:5", "large:5:0:0", "large:5:0:1", "large:5:1:0", "0:6", "1:0", "large:65537:0:0"]
    values = [one for text in texts if isinstance(one := parse_community(text), Community)]
    assert len(values) == len(texts)
    assert sorted(values) == values


def test_a_reference_is_an_alias_first() -> None:
    aliases = {"no-export": Community(1), "1:2": Community(9)}
    assert resolve_community("no-export", aliases) == Community(1)
    assert resolve_community("1:2", aliases) == Community(9)
    assert resolve_community("1:3", aliases) == parse_community("1:3")
    assert resolve_community("other", aliases) == parse_community("other")


def test_aliases_of_all_objects() -> None:
    config = parse(
        communities=[
            community_object("two", b="2:2", a="large:1:1:1"),
            community_object("one", c="3:3"),
        ]
    )
    assert config.is_valid
    assert {name: str(value) for name, value in config.communities.items()} == {
        "a": "1:1:1",
        "b": "2:2",
        "c": "3:3",
    }
    assert list(config.communities) == ["a", "b", "c"]


def test_an_object_with_a_bad_value_defines_nothing_at_start() -> None:
    config = parse(
        communities=[
            community_object("one", a="1:1", b="nonsense"),
            community_object("two", c="3:3"),
        ]
    )
    assert messages(config) == ['parsing community "b": invalid community format: nonsense']
    assert paths(config) == [("one", "spec.communities[1].value")]
    assert list(config.communities) == ["c"]
    assert not config.pools.is_frozen


def test_an_invalid_object_keeps_its_last_good_version() -> None:
    first = parse(communities=[community_object("one", a="1:1")])
    second = parse(communities=[community_object("one", a="1:1:")], after=first)
    assert not second.is_valid
    assert second.communities == first.communities
    third = parse(communities=[community_object("one", a="1:2")], after=second)
    assert third.is_valid
    assert str(third.communities["a"]) == "1:2"


def test_an_alias_twice_in_one_object() -> None:
    raw = community_object("one", a="1:1")
    raw["spec"] = {"communities": [{"name": "a", "value": "1:1"}, {"name": "a", "value": "1:1"}]}
    config = parse(communities=[raw])
    assert messages(config) == ['duplicate definition of community "a"']
    assert paths(config) == [("one", "spec.communities[1].name")]
    assert config.communities == {}


def test_an_alias_in_two_objects_belongs_to_the_older() -> None:
    config = parse(
        communities=[
            community_object("a", age=1, x="5:5", dup="1:1"),
            community_object("b", age=2, dup="2:2"),
        ]
    )
    assert messages(config) == ['duplicate definition of community "dup"']
    assert paths(config) == [("a", "spec.communities[1].name")]
    assert {name: str(value) for name, value in config.communities.items()} == {"dup": "2:2"}


def test_an_alias_in_two_objects_belongs_to_the_accepted_one() -> None:
    first = parse(communities=[community_object("b", dup="2:2")])
    config = parse(
        communities=[community_object("a", age=50, dup="1:1"), community_object("b", dup="2:2")],
        after=first,
    )
    assert paths(config) == [("a", "spec.communities[0].name")]
    assert str(config.communities["dup"]) == "2:2"


def test_an_alias_without_name_or_value() -> None:
    raw = community_object("one")
    raw["spec"] = {"communities": [{"value": "1:1"}, {}]}
    config = parse(communities=[raw])
    assert messages(config) == ['parsing community "": invalid community format: ']


def test_an_object_without_aliases_is_valid() -> None:
    bare = community_object("bare")
    del bare["spec"]
    null = community_object("null")
    null["spec"] = {"communities": None}
    assert parse(communities=[bare, null, community_object("empty")]).is_valid


def test_communities_of_wrong_shape() -> None:
    raw = community_object("one")
    raw["spec"] = {"communities": [7, {"name": 1, "value": ["1:1"]}]}
    config = parse(communities=[raw, {**community_object("two"), "spec": []}, "x"])
    assert paths(config) == [
        ("", ""),
        ("one", "spec.communities[0]"),
        ("one", "spec.communities[0].value"),
        ("one", "spec.communities[1].name"),
        ("one", "spec.communities[1].value"),
        ("one", "spec.communities[1].value"),
        ("two", "spec"),
    ]
    assert messages(config)[0] == "object: must be an object, is a string"
