from datetime import UTC, datetime

import pytest

from ferrolb.apimachinery import (
    IncludeObject,
    custom_format,
    partial_metadata,
    table,
    table_format,
)
from ferrolb.model import JsonObject

NOW = datetime(2026, 3, 10, 12, 0, 0, tzinfo=UTC)

POOL: JsonObject = {
    "apiVersion": "metallb.io/v1beta1",
    "kind": "IPAddressPool",
    "metadata": {
        "name": "l3-pool",
        "namespace": "metallb-system",
        "resourceVersion": "7",
        "creationTimestamp": "2026-03-10T11:00:00Z",
    },
    "spec": {"autoAssign": True, "addresses": ["172.31.249.0/24", "fd00::/64"], "weight": 1.5},
    "status": {"assignedIPv4": 3, "since": "2026-03-10T11:58:00Z", "nothing": None},
}


def columns(*pairs: tuple[str, str]) -> list[JsonObject]:
    return [
        {"name": path.rsplit(".", 1)[-1], "type": kind, "jsonPath": path} for path, kind in pairs
    ]


def custom_cells(path: str, kind: str) -> object:
    return custom_format(columns((path, kind))).cells(POOL, NOW)[1]


def test_list_table_keeps_version_and_continuation():
    made = table(
        [POOL, POOL],
        table_format("metallb.io", "IPAddressPool"),
        now=NOW,
        metadata={"resourceVersion": "42", "continue": "abc", "selfLink": "x"},
    )
    assert made["kind"] == "Table"
    assert made["apiVersion"] == "meta.k8s.io/v1"
    assert made["metadata"] == {"resourceVersion": "42", "continue": "abc"}
    assert isinstance(made["columnDefinitions"], list)
    assert [column["name"] for column in made["columnDefinitions"] if isinstance(column, dict)] == [
        "Name",
        "Age",
    ]
    assert (
        made["rows"]
        == [
            {
                "cells": ["l3-pool", "60m"],
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": POOL["metadata"],
                },
            }
        ]
        * 2
    )


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (IncludeObject.NONE, None),
        (IncludeObject.METADATA, partial_metadata(POOL)),
        (IncludeObject.OBJECT, POOL),
    ],
)
def test_row_brings_what_was_asked_for(include, expected):
    layout = table_format("metallb.io", "IPAddressPool")
    made = table([POOL], layout, now=NOW, metadata={}, include=include)
    assert isinstance(made["rows"], list)
    (row,) = made["rows"]
    assert isinstance(row, dict)
    assert row["object"] == expected


def test_later_watch_events_leave_the_columns_out():
    layout = table_format("", "Pod")
    made = table([POOL], layout, now=NOW, metadata={}, with_columns=False)
    assert made["columnDefinitions"] is None


@pytest.mark.parametrize(
    ("phase", "is_done"), [("Succeeded", True), ("Failed", True), ("Running", False)]
)
def test_pods_that_are_done_carry_a_condition(phase, is_done):
    pod: JsonObject = {"kind": "Pod", "status": {"phase": phase}}
    made = table([pod], table_format("", "Pod"), now=NOW, metadata={})
    assert isinstance(made["rows"], list)
    (row,) = made["rows"]
    assert isinstance(row, dict)
    assert ("conditions" in row) is is_done


def test_custom_columns_follow_the_name():
    layout = custom_format(
        [
            {
                "name": "Auto Assign",
                "type": "boolean",
                "jsonPath": ".spec.autoAssign",
                "priority": 1,
                "description": "d",
            }
        ]
    )
    assert [column.to_json() for column in layout.columns][1] == {
        "name": "Auto Assign",
        "type": "boolean",
        "format": "",
        "description": "d",
        "priority": 1,
    }
    assert layout.cells(POOL, NOW) == ["l3-pool", True]


def test_custom_kind_without_columns_shows_its_age():
    assert custom_format([]).cells(POOL, NOW) == ["l3-pool", "60m"]


@pytest.mark.parametrize(
    ("path", "kind", "cell"),
    [
        (".spec.addresses", "string", '["172.31.249.0/24","fd00::/64"]'),
        (".spec.addresses[0]", "string", "172.31.249.0/24"),
        (".spec.addresses[*]", "string", "172.31.249.0/24"),
        (".spec.autoAssign", "string", "true"),
        (".spec.absent", "string", None),
        (".status.nothing", "string", "<nil>"),
        (".spec.autoAssign", "boolean", True),
        (".spec.addresses", "boolean", None),
        (".status.assignedIPv4", "integer", 3),
        (".spec.weight", "integer", 1),
        (".spec.autoAssign", "integer", None),
        (".spec.weight", "number", 1.5),
        (".spec.addresses[0]", "number", None),
        (".status.since", "date", "2m"),
        (".spec.addresses[0]", "date", "<invalid>"),
        (".status.assignedIPv4", "date", None),
        (".spec.autoAssign", "colour", None),
        ("not a path", "string", None),
    ],
)
def test_custom_cell_has_the_type_of_its_column(path, kind, cell):
    assert custom_cells(path, kind) == cell
