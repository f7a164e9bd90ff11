"""Whatever is applied by whomever, in any order: what server-side apply promises holds."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.apimachinery.schemas import SERVICE

from ferrolb.apimachinery import (
    ApiMachineryError,
    ApplyConflictError,
    Conflict,
    Writer,
    apply,
    merge_patch,
    strategic_patch,
    track_update,
)
from ferrolb.apimachinery.fieldset import decode_fields, encode_fields
from ferrolb.apimachinery.managed import decode_managers
from ferrolb.apimachinery.structure import compare, field_set
from ferrolb.model import JsonObject

NOW = datetime(2026, 3, 10, 12, 0, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

TEXT = st.sampled_from(["x", "y"])
TEXT_MAP = st.dictionaries(TEXT, TEXT, max_size=2)
PORT = st.fixed_dictionaries(
    {"port": st.integers(1, 3)},
    optional={"name": TEXT, "protocol": st.sampled_from(["TCP", "UDP"]), "nodePort": st.just(9)},
)
PORTS = st.lists(
    PORT, max_size=3, unique_by=lambda port: (port["port"], port.get("protocol", "TCP"))
)
SPEC = st.fixed_dictionaries(
    {},
    optional={
        "type": TEXT,
        "clusterIP": TEXT,
        "selector": TEXT_MAP,
        "externalIPs": st.lists(TEXT, max_size=2),
        "ports": PORTS,
    },
)
METADATA = st.fixed_dictionaries(
    {"name": st.just("web")},
    optional={
        "labels": TEXT_MAP,
        "finalizers": st.lists(st.sampled_from(["f/1", "f/2"]), max_size=2, unique=True),
    },
)
SERVICES = st.builds(
    lambda metadata, spec: {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": spec,
    },
    METADATA,
    SPEC,
)
STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from(["a", "b", "c"]), SERVICES), max_size=5)


def writer(manager: str, now: datetime = NOW) -> Writer:
    return Writer(manager=manager, api_version="v1", now=now)


def history(steps: list[tuple[bool, str, JsonObject]]) -> JsonObject | None:
    """Return the object after some applies and updates."""
    live = None
    for is_apply, manager, obj in steps:
        if is_apply:
            live = apply(live, obj, writer(manager), schema=SERVICE, force=True)
        else:
            live = track_update(live, obj, writer(manager), schema=SERVICE)
    return live


@given(STEPS, SERVICES)
def test_applying_again_is_a_no_op(steps, request):
    once = apply(history(steps), request, writer("a"), schema=SERVICE, force=True)
    again = apply(once, request, writer("a", LATER), schema=SERVICE, force=False)
    assert again == once


@given(STEPS, SERVICES)
def test_what_is_applied_is_there(steps, request):
    made = apply(history(steps), request, writer("a"), schema=SERVICE, force=True)
    difference = compare(request, made, SERVICE)
    assert not difference.modified
    assert not difference.removed


@given(STEPS, SERVICES)
def test_without_force_nobody_loses_a_value(steps, request):
    live = history([*steps, (True, "b", request)])
    made = None
    with suppress(ApplyConflictError):
        made = apply(live, request, writer("a"), schema=SERVICE, force=False)
    assert live is not None
    before, change = decode_managers(live), compare(live, made or live, SERVICE)
    taken = change.modified | change.added
    for owner, ownership in before.items():
        assert owner.name == "a" or not ownership.fields & taken


@given(STEPS, SERVICES)
def test_conflicts_are_with_those_who_own_the_field(steps, request):
    live = history(steps)
    conflicts: tuple[Conflict, ...] = ()
    try:
        apply(live, request, writer("new"), schema=SERVICE, force=False)
    except ApplyConflictError as error:
        conflicts = error.conflicts
    held = decode_managers(live) if live is not None else {}
    for conflict in conflicts:
        # What was written while nothing was tracked counts as written before the first apply.
        owners = {owner.describe("v1") for owner, o in held.items() if conflict.path in o.fields}
        owners |= set() if held else {'"before-first-apply" using v1'}
        assert conflict.manager in owners


@given(STEPS, SERVICES)
def test_what_only_the_applier_had_goes_when_it_is_not_applied_any_more(steps, request):
    live = apply(history(steps), request, writer("z"), schema=SERVICE, force=True)
    bare: JsonObject = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    made = apply(live, bare, writer("z"), schema=SERVICE, force=True)
    held = decode_managers(live)
    owned = {path for owner, o in held.items() for path in o.fields if owner.name == "z"}
    others = {path for owner, o in held.items() for path in o.fields if owner.name != "z"}
    left = field_set(made, SERVICE)
    alone = {path for path in owned if not any(other[: len(path)] == path for other in others)}
    assert not alone & left
    assert others & field_set(live, SERVICE) <= left | {
        other for other in others for path in owned - others if other[: len(path)] == path
    }


@given(STEPS, SERVICES)
def test_every_owned_field_exists(steps, last):
    made = history([*steps, (False, "a", last)])
    assert made is not None
    present = compare({}, made, SERVICE).added
    for ownership in decode_managers(made).values():
        assert ownership.fields <= present
        assert decode_fields(encode_fields(ownership.fields)) == ownership.fields


@given(STEPS, SERVICES, SERVICES)
def test_patches_without_effect_keep_the_managers(steps, live, other):
    live = history([*steps, (False, "a", live)])
    assert live is not None
    for patched in (merge_patch(live, {}), strategic_patch(live, {}, SERVICE)):
        assert isinstance(patched, dict)
        assert track_update(live, patched, writer("b", LATER), schema=SERVICE) == live


NAMES = st.sampled_from(["metadata", "spec", "ports", "port", "labels", "managedFields", "k"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1) | st.sampled_from(["", "v1", "f:a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, JUNK), st.dictionaries(NAMES, JUNK), st.booleans())
def test_junk_is_refused_or_applied(live, request, force):
    request = {**request, "apiVersion": "v1"}
    with suppress(ApiMachineryError):
        apply(live, request, writer("a"), schema=SERVICE, force=force)
    track_update(live, request, writer("a"), schema=SERVICE)
    track_update(None, request, writer("a"), schema=SERVICE)
