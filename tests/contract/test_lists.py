"""Lists: pages, the state they show, what they are called, and options that do not fit."""

import pytest
from tests.contract.forgetting import forget
from tests.contract.reading import Things, assert_status, config_maps, names


@pytest.fixture
def maps(api, namespace):
    return config_maps(api, namespace)


@pytest.fixture
def five(maps):
    for number in range(5):
        maps.create(f"m{number}", {"even": str(number % 2 == 0).lower()})
    return maps


def test_page_has_the_wanted_number_of_items_and_tells_how_many_remain(five):
    page = five.listed(limit=2)
    assert names(page) == ["m0", "m1"]
    assert page["metadata"]["remainingItemCount"] == 3
    assert page["metadata"]["continue"]


def test_pages_together_are_the_whole_list_in_order(five):
    found, token = [], None
    while token != "":
        page = five.listed(limit=2, **({"continue": token} if token else {}))
        found.append(names(page))
        token = page["metadata"].get("continue", "")
    assert found == [["m0", "m1"], ["m2", "m3"], ["m4"]]


def test_last_page_has_neither_continue_nor_a_count(five):
    first = five.listed(limit=3)
    last = five.listed(limit=3, **{"continue": first["metadata"]["continue"]})
    assert last["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]}


def test_all_pages_show_the_state_of_the_first(five):
    first = five.listed(limit=2)
    five.create("m1a")
    five.create("m9")
    five.patch("m4", {"data": {"late": "yes"}})
    five.delete("m3")
    rest = five.listed(**{"continue": first["metadata"]["continue"]})
    assert names(rest) == ["m2", "m3", "m4"]
    assert "data" not in rest["items"][-1]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_page_by_selector_does_not_count_what_remains(five):
    page = five.listed(limit=1, labelSelector="even=true")
    assert names(page) == ["m0"]
    assert "remainingItemCount" not in page["metadata"]
    rest = five.listed(labelSelector="even=true", **{"continue": page["metadata"]["continue"]})
    assert names(rest) == ["m2", "m4"]


def test_limit_that_all_items_fit_into_ends_the_list(five):
    assert five.listed(limit=5)["metadata"].keys() == {"resourceVersion"}


@pytest.mark.parametrize("limit", ["0", "-1"], ids=["zero", "negative"])
def test_limit_without_meaning_is_none(five, limit):
    assert len(five.listed(limit=limit)["items"]) == 5


def test_list_carries_the_version_of_its_state(maps):
    before = maps.version
    created = maps.create("a")
    assert created != before
    listed = maps.listed()
    assert listed["items"][0]["metadata"]["resourceVersion"] == created
    assert listed["metadata"]["resourceVersion"] not in ("", "0", before)


def test_exact_list_shows_the_state_of_its_version(maps):
    maps.create("a")
    version = maps.version
    maps.create("b")
    maps.delete("a")
    exact = maps.listed(resourceVersion=version, resourceVersionMatch="Exact")
    assert names(exact) == ["a"]
    assert exact["metadata"]["resourceVersion"] == version


def test_list_not_older_than_a_version_shows_at_least_that_state(maps):
    version = maps.create("a")
    listed = maps.listed(resourceVersion=version, resourceVersionMatch="NotOlderThan")
    assert names(listed) == ["a"]


def test_list_at_a_version_without_a_rule_is_not_older_than_it(maps):
    old = maps.version
    newer = maps.create("a")
    assert names(maps.listed(resourceVersion=newer)) == ["a"]
    assert maps.get(resourceVersion=old).status_code == 200


def test_limited_list_at_a_version_is_exact(maps):
    maps.create("a")
    version = maps.version
    maps.create("b")
    assert maps.names(resourceVersion=version, limit="10") == ["a"]


def test_list_in_the_future_times_out(maps):
    status = assert_status(maps.get(resourceVersion="99999999999"), 504, "Timeout")
    assert status["message"].startswith("Timeout: Too large resource version: 99999999999, current")
    assert status["details"] == {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }


def test_get_of_one_object_in_the_future_times_out(maps):
    maps.create("a")
    answer = maps.api.http.get(f"{maps.path}/a", params={"resourceVersion": "99999999999"})
    assert_status(answer, 504, "Timeout")


MATCH = "resourceVersionMatch"


@pytest.mark.parametrize(
    ("query", "field", "why"),
    [
        pytest.param(
            {MATCH: "Exact"},
            MATCH,
            "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            id="match_without_version",
        ),
        pytest.param(
            {MATCH: "Exact", "resourceVersion": "0"},
            MATCH,
            'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
            id="exactly_any_version",
        ),
        pytest.param(
            {MATCH: "Near", "resourceVersion": "1"},
            MATCH,
            'Unsupported value: "Near": supported values: "Exact", "NotOlderThan", ""',
            id="unknown_match",
        ),
        pytest.param(
            {"sendInitialEvents": "true"},
            "sendInitialEvents",
            "Forbidden: sendInitialEvents is forbidden for list",
            id="initial_events_without_watch",
        ),
        pytest.param(
            {MATCH: "Exact", "resourceVersion": "1", "continue": "x"},
            MATCH,
            "Forbidden: resourceVersionMatch is forbidden when continue is provided",
            id="match_with_continue",
        ),
    ],
)
def test_options_that_do_not_fit_are_invalid(maps, query, field, why):
    status = assert_status(maps.get(**query), 422, "Invalid")
    assert status["message"] == f'ListOptions.meta.k8s.io "" is invalid: {field}: {why}'
    reason = "FieldValueNotSupported" if why.startswith("Unsupp") else "FieldValueForbidden"
    cause = {"reason": reason, "message": why, "field": field}
    assert status["details"] == {"group": "meta.k8s.io", "kind": "ListOptions", "causes": [cause]}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param(
            {"limit": "many"},
            'strconv.ParseInt: parsing "many": invalid syntax',
            id="limit",
        ),
        pytest.param(
            {"timeoutSeconds": "long"},
            'strconv.ParseInt: parsing "long": invalid syntax',
            id="timeout",
        ),
        pytest.param(
            {"resourceVersion": "new"},
            'invalid resource version: resourceVersion: Invalid value: "new": '
            'strconv.ParseUint: parsing "new": invalid syntax',
            id="version",
        ),
        pytest.param(
            {"resourceVersion": "-1"},
            'invalid resource version: resourceVersion: Invalid value: "-1": '
            'strconv.ParseUint: parsing "-1": invalid syntax',
            id="negative_version",
        ),
    ],
)
def test_option_that_is_no_number_is_a_bad_request(maps, query, message):
    status = assert_status(maps.get(**query), 400, "BadRequest")
    assert status["message"] == message


@pytest.mark.parametrize("token", ["abc", "e30", "!"], ids=["no_json", "empty", "no_base64"])
def test_continue_token_that_is_none_is_a_bad_request(maps, token):
    status = assert_status(maps.get(**{"continue": token}), 400, "BadRequest")
    assert status["message"].startswith("invalid continue token: continue key is not valid")


def test_continue_goes_with_no_version_but_0(five):
    token = five.listed(limit=1)["metadata"]["continue"]
    status = assert_status(
        five.get(**{"continue": token, "resourceVersion": "1"}), 400, "BadRequest"
    )
    text = "specifying resource version is not allowed when using continue"
    assert status["message"] == text
    assert len(five.listed(**{"continue": token, "resourceVersion": "0"})["items"]) == 4


def test_page_of_a_forgotten_state_expires_and_says_how_to_go_on(five):
    first = five.listed(limit=2)
    forget(five, "m4", first["metadata"]["continue"])
    answer = five.get(**{"continue": first["metadata"]["continue"]})
    status = answer.json()
    assert (status["code"], status["reason"]) == (410, "Expired")
    rest = five.listed(**{"continue": status["metadata"]["continue"]})
    assert names(rest) == ["m2", "m3", "m4"]
    assert rest["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]


EMPTY = [
    ("/api/v1/namespaces/{}/services", "v1", "ServiceList"),
    ("/api/v1/namespaces/{}/configmaps", "v1", "ConfigMapList"),
    ("/api/v1/namespaces/{}/secrets", "v1", "SecretList"),
    ("/api/v1/namespaces/{}/pods", "v1", "PodList"),
    ("/api/v1/namespaces/{}/events", "v1", "EventList"),
    ("/api/v1/namespaces/{}/endpoints", "v1", "EndpointsList"),
    ("/apis/events.k8s.io/v1/namespaces/{}/events", "events.k8s.io/v1", "EventList"),
    ("/apis/coordination.k8s.io/v1/namespaces/{}/leases", "coordination.k8s.io/v1", "LeaseList"),
    (
        "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
        "discovery.k8s.io/v1",
        "EndpointSliceList",
    ),
    ("/apis/apps/v1/namespaces/{}/deployments", "apps/v1", "DeploymentList"),
    (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
        "rbac.authorization.k8s.io/v1",
        "RoleList",
    ),
    (
        "/apis/metallb.io/v1beta1/namespaces/{}/ipaddresspools",
        "metallb.io/v1beta1",
        "IPAddressPoolList",
    ),
]


@pytest.mark.parametrize(
    ("path", "version", "kind"), EMPTY, ids=[f"{kind}-{version}" for _, version, kind in EMPTY]
)
def test_list_of_nothing_has_its_kind_and_empty_items(api, namespace, path, version, kind):
    listed = Things(api, path.format(namespace)).listed()
    assert (listed["apiVersion"], listed["kind"], listed["items"]) == (version, kind, [])
    assert listed["metadata"]["resourceVersion"]


def test_list_in_a_namespace_that_is_not_there_is_empty(api):
    assert config_maps(api, "no-such-namespace").listed()["items"] == []


def test_items_of_a_built_in_list_have_no_kind_and_no_version(five):
    assert all({"kind", "apiVersion"}.isdisjoint(item) for item in five.listed()["items"])


def test_items_of_a_custom_list_have_their_kind_and_version(api, namespace):
    pools = Things(api, f"/apis/metallb.io/v1beta1/namespaces/{namespace}/ipaddresspools")
    identity = {"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool"}
    pools.made({**identity, "metadata": {"name": "p"}, "spec": {"addresses": ["192.0.2.0/28"]}})
    (item,) = pools.listed()["items"]
    assert {key: item[key] for key in identity} == identity


def test_list_across_namespaces_is_in_the_order_of_namespace_and_name(api):
    first, second = api.new_namespace(), api.new_namespace()
    for namespace, name in ((second, "a"), (first, "z"), (first, "b")):
        config_maps(api, namespace).create(name, {"suite": first})
    everywhere = Things(api, "/api/v1/configmaps")
    found = everywhere.listed(labelSelector=f"suite={first}")["items"]
    places = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in found]
    assert places == sorted([(second, "a"), (first, "z"), (first, "b")])


def test_kubectl_lists_in_pages(five, kubectl):
    namespace = five.path.split("/")[-2]
    printed = kubectl("get", "cm", "-n", namespace, "--chunk-size=2", "-o", "name")
    assert printed.split() == [f"configmap/m{number}" for number in range(5)]
