"""The examples of RFC 6902 and RFC 7396."""

import json
from pathlib import Path

import pytest

from ferrolb.apimachinery import PatchError, json_patch, merge_patch

VECTORS = Path(__file__).parents[2] / "vectors" / "json_patch"


def cases(name: str, count: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((VECTORS / name).read_text())["cases"]
    assert len(found) == count
    return found


@pytest.mark.parametrize("case", cases("rfc6902.json", 15), ids=lambda case: case["section"])
def test_json_patch(case):
    if "error" in case:
        with pytest.raises(PatchError) as caught:
            json_patch(case["doc"], case["patch"])
        assert case["error"] in str(caught.value)
    else:
        assert json_patch(case["doc"], case["patch"]) == case["expected"]


@pytest.mark.parametrize("case", cases("rfc7396.json", 15), ids=lambda case: str(case["patch"]))
def test_merge_patch(case):
    assert merge_patch(case["doc"], case["patch"]) == case["expected"]
