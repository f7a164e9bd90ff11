import pytest

from ferrolb.config import ParsedSelectors, parse_selectors
from ferrolb.model import Json, LabelSelector, Operator, Requirement


def parse(*selectors: Json) -> ParsedSelectors:
    return parse_selectors(list(selectors), path="spec.nodeSelectors", field="nodeSelectors")


def expression(key: Json, operator: Json, *values: Json) -> Json:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def duplicates(parsed: ParsedSelectors) -> list[tuple[str, str]]:
    return [(issue.path, issue.message) for issue in parsed.duplicates]


def invalid(parsed: ParsedSelectors) -> list[tuple[str, str]]:
    return [(one.issue.path, one.issue.message) for one in parsed.invalid]


@pytest.mark.parametrize("raw", [None, []])
def test_no_selectors(raw: Json) -> None:
    parsed = parse_selectors(raw, path="p", field="f")
    assert parsed.is_valid
    assert parsed.selectors == ()


@pytest.mark.parametrize(
    "raw", [{}, {"matchLabels": {}}, {"matchLabels": None, "matchExpressions": None}]
)
def test_an_empty_selector_matches_everything(raw: Json) -> None:
    parsed = parse(raw)
    assert parsed.is_valid
    assert parsed.selectors == (LabelSelector(),)
    assert parsed.selectors[0].matches({"any": "label"})


def test_labels_and_expressions_in_one_order() -> None:
    expressions: list[Json] = [
        {"key": "m", "operator": "NotIn", "values": ["b", "a"]},
        {"key": "e", "operator": "Exists"},
        {"key": "d", "operator": "DoesNotExist", "values": []},
        {"key": "c", "operator": "In", "values": ["x"]},
    ]
    labels: Json = {"z": "1", "example.com/a": ""}
    parsed = parse({"matchLabels": labels, "matchExpressions": expressions})
    assert parsed.is_valid
    assert set(parsed.selectors[0].requirements) == {
        Requirement("z", Operator.IN, ("1",)),
        Requirement("example.com/a", Operator.IN, ("",)),
        Requirement("m", Operator.NOT_IN, ("a", "b")),
        Requirement("e", Operator.EXISTS),
        Requirement("d", Operator.DOES_NOT_EXIST),
        Requirement("c", Operator.IN, ("x",)),
    }
    other = parse({"matchLabels": labels, "matchExpressions": expressions[::-1]})
    assert other.selectors == parsed.selectors


@pytest.mark.parametrize("operator", ["Foo", "in", "", None, "IN"])
def test_unknown_operator(operator: Json) -> None:
    parsed = parse(expression("k", operator, "v"))
    assert not parsed.is_valid
    assert invalid(parsed) == [
        (
            "spec.nodeSelectors[0].matchExpressions[0].operator",
            f'"{operator or ""}" is not a valid label selector operator',
        )
    ]
    assert parsed.selectors == ()


@pytest.mark.parametrize("operator", ["In", "NotIn"])
def test_operators_that_need_values(operator: str) -> None:
    assert invalid(parse(expression("k", operator))) == [
        (
            "spec.nodeSelectors[0].matchExpressions[0].values",
            "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty",
        )
    ]


@pytest.mark.parametrize("operator", ["Exists", "DoesNotExist"])
def test_operators_that_take_no_values(operator: str) -> None:
    assert invalid(parse(expression("k", operator, "v"))) == [
        (
            "spec.nodeSelectors[0].matchExpressions[0].values",
            'values: Invalid value: ["v"]: values set must be empty for exists and does not exist',
        )
    ]


@pytest.mark.parametrize("key", ["a", "A-b_c.9", "example.com/a", "x" * 63, "a." * 125 + "a/n"])
def test_good_keys(key: str) -> None:
    assert parse(expression(key, "Exists")).is_valid
    assert parse({"matchLabels": {key: "v"}}).is_valid


@pytest.mark.parametrize(
    "key",
    [
        "",
        "-a",
        "a-",
        "a b",
        "x" * 64,
        "/a",
        "a/",
        "a/b/c",
        "Example.com/a",
        "a." * 127 + "/n",
        "a\n",
    ],
)
def test_bad_keys(key: str) -> None:
    assert [path for path, _ in invalid(parse(expression(key, "Exists")))] == [
        "spec.nodeSelectors[0].matchExpressions[0].key"
    ]
    shown = key.replace("\n", "\\n")
    assert [message for _, message in invalid(parse({"matchLabels": {key: "v"}}))] == [
        f'key: Invalid value: "{shown}": must be a qualified label name'
    ]


def test_a_missing_key_is_an_error() -> None:
    raw: Json = {"matchExpressions": [{"operator": "Exists"}]}
    assert invalid(parse(raw)) == [
        (
            "spec.nodeSelectors[0].matchExpressions[0].key",
            'key: Invalid value: "": must be a qualified label name',
        )
    ]


@pytest.mark.parametrize("value", ["-a", "a-", "a b", "x" * 64, "a/b", "a\n"])
def test_bad_values(value: str) -> None:
    assert [path for path, _ in invalid(parse(expression("k", "In", value)))] == [
        "spec.nodeSelectors[0].matchExpressions[0].values"
    ]
    assert [path for path, _ in invalid(parse({"matchLabels": {"k": value}}))] == [
        'spec.nodeSelectors[0].matchLabels["k"]'
    ]


@pytest.mark.parametrize(
    ("raw", "path", "shape"),
    [
        ("x", "spec.nodeSelectors", "a list, is a string"),
        ([1], "spec.nodeSelectors[0]", "an object, is a number"),
        ([{"matchLabels": []}], "spec.nodeSelectors[0].matchLabels", "an object, is a list"),
        ([{"matchLabels": {"k": 1.5}}], 'spec.nodeSelectors[0].matchLabels["k"]', "a string, is"),
        (
            [{"matchExpressions": {}}],
            "spec.nodeSelectors[0].matchExpressions",
            "a list, is an object",
        ),
        (
            [{"matchExpressions": [{"key": "k", "operator": "In", "values": [None]}]}],
            "spec.nodeSelectors[0].matchExpressions[0].values[0]",
            "a string, is null",
        ),
    ],
)
def test_wrong_shapes(raw: Json, path: str, shape: str) -> None:
    parsed = parse_selectors(raw, path="spec.nodeSelectors", field="nodeSelectors")
    assert parsed.invalid[0].issue.path == path
    assert f"must be {shape}" in parsed.invalid[0].issue.message
    assert parsed.selectors == ()


def test_one_bad_selector_leaves_the_others() -> None:
    parsed = parse({"matchLabels": {"a": "1"}}, expression("k", "?"), {"matchLabels": {"b": "2"}})
    assert len(parsed.selectors) == 2
    assert parsed.invalid[0].selector == "{map[] [{k ? []}]}"


def test_a_value_twice() -> None:
    parsed = parse(expression("k", "In", "b", "a", "b", "b"))
    assert duplicates(parsed) == [
        (
            "spec.nodeSelectors[0].matchExpressions[0].values",
            'duplicate definition of match expression value in label selector "b"',
        )
    ]


def test_an_expression_twice_whatever_the_order_of_its_values() -> None:
    raw: Json = {
        "matchExpressions": [
            {"key": "k", "operator": "In", "values": ["a", "b"]},
            {"key": "k", "operator": "Exists"},
            {"key": "k", "operator": "In", "values": ["b", "a"]},
        ]
    }
    assert duplicates(parse(raw)) == [
        (
            "spec.nodeSelectors[0].matchExpressions[2]",
            'duplicate definition of match expressions {"k" "In" ["a" "b"]}',
        )
    ]


def test_a_selector_twice_whatever_the_order_of_its_values() -> None:
    parsed = parse(
        expression("k", "In", "a", "b"),
        {"matchLabels": {"x": "y", "a": "b"}},
        expression("k", "In", "b", "a"),
        {"matchLabels": {"a": "b", "x": "y"}},
    )
    assert duplicates(parsed) == [
        (
            "spec.nodeSelectors[2]",
            'duplicate definition of nodeSelectors {map[] [{"k" "In" ["a" "b"]}]}',
        ),
        (
            "spec.nodeSelectors[3]",
            'duplicate definition of nodeSelectors {map["a":"b" "x":"y"] []}',
        ),
    ]


def test_what_differs_is_no_duplicate() -> None:
    parsed = parse(
        {"matchLabels": {"a": "b"}},
        expression("a", "In", "b"),
        expression("a", "NotIn", "b"),
        {"matchLabels": {"a": "c"}},
    )
    assert parsed.is_valid


def test_many_selectors_are_quick() -> None:
    raws: list[Json] = [{"matchLabels": {"k": f"v{index % 9_999}"}} for index in range(10_000)]
    assert [path for path, _ in duplicates(parse(*raws))] == ["spec.nodeSelectors[9999]"]
