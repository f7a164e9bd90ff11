import pytest
from tests.fakes.api_server import Answer, status

from ferrolb.kube import (
    Access,
    ApiClient,
    BadAnswerError,
    PodOwner,
    ServerError,
    find_owner,
    list_pods,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(api):
    async with ApiClient(Access(server=api.url)) as one:
        yield one


async def test_the_pods_of_a_selector_are_listed_through_all_pages(api, client):
    for number in range(1201):
        api.put(f"p{number}", "metallb-system", status={"podIP": "192.0.2.1"})
    pods = await list_pods(client, namespace="metallb-system", label_selector="app=speaker")
    assert {pod.metadata.name for pod in pods} == {f"p{number}" for number in range(1201)}
    assert {pod.ip for pod in pods} == {"192.0.2.1"}
    assert [seen.query["labelSelector"] for seen in api.requests] == ["app=speaker"] * 3
    assert api.requests[0].path == "/api/v1/namespaces/metallb-system/pods"


async def test_a_list_without_items_is_empty(api, client):
    api.answer_next("list", Answer(body=b'{"items":null}'))
    assert await list_pods(client, namespace="n", label_selector="") == ()


async def test_a_list_that_never_ends_is_given_up(api, client):
    api.answer_next("list", *[Answer(body=b'{"metadata":{"continue":"x"}}')] * 200)
    with pytest.raises(BadAnswerError, match="more than 100 pages"):
        await list_pods(client, namespace="n", label_selector="")


async def test_a_list_that_is_none_is_a_bad_answer(api, client):
    api.answer_next("list", Answer(body=b"[]"))
    with pytest.raises(BadAnswerError, match="not a list of Pods"):
        await list_pods(client, namespace="n", label_selector="")


async def test_the_own_pod_is_an_owner_if_it_exists(api, client):
    api.answer_next("list", Answer(body=b'{"metadata":{"name":"me","uid":"u1"}}'))
    owner = await find_owner(client, namespace="n", pod="me")
    assert owner == PodOwner("me", "u1")
    assert api.requests[0].path == "/api/v1/namespaces/n/pods/me"
    api.answer_next("list", status(404, "NotFound"))
    assert await find_owner(client, namespace="n", pod="me") is None


@pytest.mark.parametrize(
    ("answer", "error"), [(Answer(body=b"[]"), BadAnswerError), (status(500), ServerError)]
)
async def test_other_answers_are_raised(api, client, answer, error):
    api.answer_next("list", answer)
    with pytest.raises(error):
        await find_owner(client, namespace="n", pod="me")
