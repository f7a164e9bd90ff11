import asyncio
import json

import pytest
from tests.fakes.api_server import Answer, FakeApi, event, status

from ferrolb.kube import (
    SERVICES,
    USER_AGENT,
    Access,
    ApiClient,
    ApiError,
    BadAnswerError,
    ClientSettings,
    ConflictError,
    ForbiddenError,
    GoneError,
    ListOptions,
    PatchType,
    SilentError,
    TooManyRequestsError,
    UnauthorizedError,
    UnreachableError,
    WatchOptions,
    connect,
    load_access,
    parse_object,
)
from ferrolb.kube import client as client_module

pytestmark = pytest.mark.anyio

PATH = SERVICES.path("ns", "a")
HIDDEN = "s3cr3t"


def kubeconfig(tmp_path, url, **user):
    content = {
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "home"}}],
    }
    path = tmp_path / "config"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
async def client(api):
    settings = ClientSettings(request_timeout_s=1.0, list_timeout_s=1.0)
    async with ApiClient(Access(server=api.url), settings) as client:
        yield client


async def test_what_each_method_sends(api, client):
    api.answer_next("list", *[Answer()] * 3)
    await client.get(PATH)
    await client.list_page(SERVICES.path(), ListOptions(limit=5, continue_from="t"))
    await client.list_page(SERVICES.path())
    await client.create(SERVICES.path("ns"), {"a": 1})
    await client.update(PATH, b'{"b": 2}')
    await client.patch(PATH, {"c": None})
    await client.patch(
        PATH, {"d": 1}, content_type=PatchType.APPLY, params={"fieldManager": "ferrolb"}
    )
    await client.delete(PATH)
    await client.delete(PATH, uid="u")
    await client.delete(PATH, grace_s=0)
    sent = [(r.method, r.path, r.query, r.body) for r in api.requests]
    delete = b'{"kind":"DeleteOptions","apiVersion":"v1"'
    assert sent == [
        ("GET", PATH, {}, b""),
        ("GET", SERVICES.path(), {"limit": "5", "continue": "t"}, b""),
        ("GET", SERVICES.path(), {}, b""),
        ("POST", SERVICES.path("ns"), {}, b'{"a":1}'),
        ("PUT", PATH, {}, b'{"b": 2}'),
        ("PATCH", PATH, {}, b'{"c":null}'),
        ("PATCH", PATH, {"fieldManager": "ferrolb"}, b'{"d":1}'),
        ("DELETE", PATH, {}, delete + b"}"),
        ("DELETE", PATH, {}, delete + b',"preconditions":{"uid":"u"}}'),
        ("DELETE", PATH, {}, delete + b',"gracePeriodSeconds":0}'),
    ]
    types = [r.headers.get("content-type") for r in api.requests if r.body]
    assert types == [
        "application/json",
        "application/json",
        PatchType.MERGE,
        PatchType.APPLY,
        "application/json",
        "application/json",
        "application/json",
    ]
    assert {r.headers["user-agent"] for r in api.requests} == {USER_AGENT}
    assert {r.headers["accept-encoding"] for r in api.requests} == {"identity"}


async def test_answer_is_returned_as_it_came(api, client):
    assert await client.create(SERVICES.path("ns"), b'{"x": 1}') == b'{"x": 1}'


async def test_server_below_a_path(api):
    async with ApiClient(Access(server=f"{api.url}/k8s/clusters/c-1")) as client:
        await client.get(PATH)
    assert api.requests[0].path == f"/k8s/clusters/c-1{PATH}"


async def test_error_carries_what_the_server_said(api, client):
    api.answer_next("write", status(409, "Conflict", "the object has been modified"))
    with pytest.raises(ConflictError, match="the object has been modified"):
        await client.patch(PATH, {})


async def test_redirect_is_an_error(api, client):
    api.answer_next("list", Answer(status=302, headers={"location": "http://elsewhere"}))
    with pytest.raises(ApiError):
        await client.get(PATH)


async def test_server_that_is_down_is_unreachable(api, client):
    await api.stop()
    with pytest.raises(UnreachableError, match=f"GET {PATH}: ConnectError") as caught:
        await client.get(PATH)
    assert caught.value.code == 0


async def test_answer_that_does_not_come_in_time_is_unreachable(api):
    api.answer_next("list", Answer(delay_s=5.0))
    settings = ClientSettings(request_timeout_s=0.02)
    async with ApiClient(Access(server=api.url), settings) as client:
        with pytest.raises(UnreachableError, match=r"no answer in 0\.02 s"):
            await client.get(PATH)


async def test_body_that_trickles_has_no_more_time_than_any_other(api):
    api.answer_next("list", Answer(body=b"x" * 1000, pace_s=0.01))
    settings = ClientSettings(request_timeout_s=0.05)
    async with ApiClient(Access(server=api.url), settings) as client:
        with pytest.raises(UnreachableError, match="no answer in"):
            await client.get(PATH)


async def test_connection_cut_inside_the_body_is_unreachable(api, client):
    api.answer_next("list", Answer(body=b"{", headers={"content-length": "9"}))
    asyncio.get_running_loop().call_later(0.02, lambda: [t.cancel() for t in api._tasks])
    with pytest.raises(UnreachableError):
        await client.get(PATH)


async def test_many_writes_are_under_way_at_once(api, client):
    api.answer_next("write", *[Answer(delay_s=0.1)] * 100)
    async with asyncio.timeout(2.0), asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(client.patch(PATH, {}))
        await api.until(lambda: len(api._tasks) == 100 and len(api.requests) == 100)


async def test_proxy_variables_are_not_obeyed(api, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with ApiClient(Access(server=api.url)) as client:
        await client.get(PATH)


async def test_rotated_token_is_read_again_on_401(api, tmp_path):
    token = tmp_path / "token"
    token.write_text("one\n")
    api.tokens = {"one"}
    async with connect(kubeconfig(tmp_path, api.url, tokenFile=str(token))) as client:
        await client.get(PATH)
        token.write_text("two\n")
        api.tokens = {"two"}
        await client.get(PATH)
        await client.get(PATH)
    sent = [request.headers["authorization"] for request in api.requests]
    assert sent == ["Bearer one", "Bearer one", "Bearer two", "Bearer two"]


async def test_rotated_token_is_read_again_for_a_watch(api, tmp_path):
    token = tmp_path / "token"
    token.write_text("one")
    access = load_access(kubeconfig(tmp_path, api.url, tokenFile=str(token)), environ={})
    async with ApiClient(access) as client:
        api.tokens = {"one"}
        await client.get(PATH)
        token.write_text("two")
        api.tokens = {"two"}
        async with client.stream_watch(PATH, watch()):
            pass
    assert api.of_kind("watch")[-1].headers["authorization"] == "Bearer two"


async def test_token_that_is_refused_is_unauthorized_and_never_shown(api, tmp_path):
    api.tokens = {"other"}
    async with connect(kubeconfig(tmp_path, api.url, token=HIDDEN)) as client:
        with pytest.raises(UnauthorizedError) as caught:
            await client.get(PATH)
        shown = f"{caught.value!r} {client!r} {vars(client)!r} {caught.value.__cause__!r}"
    assert HIDDEN not in shown
    assert api.requests[0].headers["authorization"] == f"Bearer {HIDDEN}"


async def test_token_file_that_vanished_is_unreachable(api, tmp_path):
    config = kubeconfig(tmp_path, api.url, tokenFile=str(tmp_path / "none"))
    async with connect(config) as client:
        with pytest.raises(UnreachableError, match="no credentials"):
            await client.get(PATH)


async def test_client_tells_where_it_is(api, tmp_path):
    async with connect(kubeconfig(tmp_path, api.url)) as client:
        assert client.server == api.url
        assert client.namespace == "home"
        assert client.settings.request_timeout_s == 10.0


def watch(silence_s=2.0):
    return WatchOptions(resource_version="100", timeout_s=9, silence_s=silence_s)


async def test_watch_yields_lines_until_its_end(api, client):
    async with client.stream_watch(SERVICES.path(), watch()) as lines:
        api.send(b'{"a":1}\n{"b":')
        api.send(b"2}\n\n")
        api.end_watches()
        assert [line async for line in lines] == [b'{"a":1}', b'{"b":2}']


async def test_watch_that_is_silent_says_so(api, client):
    async with client.stream_watch(SERVICES.path(), watch(0.02)) as lines:
        api.send(b"{}\n")
        assert await anext(lines) == b"{}"
        with pytest.raises(SilentError):
            await anext(lines)


async def test_watch_that_is_cut_is_unreachable(api, client):
    async with client.stream_watch(SERVICES.path(), watch()) as lines:
        api.cut_watches()
        with pytest.raises(UnreachableError) as caught:
            await anext(lines)
    assert not isinstance(caught.value, SilentError)


async def test_watch_left_early_frees_its_connection(api, client):
    async with client.stream_watch(SERVICES.path(), watch()) as lines:
        api.send(b"{}\n")
        assert await anext(lines) == b"{}"
    await api.until(lambda: not api.open)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (status(410, "Expired"), GoneError),
        (status(403, "Forbidden"), ForbiddenError),
        (status(429, "TooManyRequests", details={"retryAfterSeconds": 1}), TooManyRequestsError),
    ],
)
async def test_watch_that_is_refused_is_an_error_by_status(api, client, answer, kind):
    api.answer_next("watch", answer)
    with pytest.raises(kind):
        async with client.stream_watch(SERVICES.path(), watch()):
            pass


async def test_watch_that_is_not_answered_does_not_wait_for_silence(api):
    api.answer_next("watch", Answer(delay_s=5.0))
    settings = ClientSettings(request_timeout_s=0.02)
    async with ApiClient(Access(server=api.url), settings) as client:
        with pytest.raises(UnreachableError, match="no answer"):
            async with client.stream_watch(SERVICES.path(), watch(60.0)):
                pass


async def test_line_without_an_end_is_given_up(api, client, monkeypatch):
    monkeypatch.setattr(client_module, "MAX_WATCH_LINE_BYTES", 1000)
    async with client.stream_watch(SERVICES.path(), watch()) as lines:
        api.send(event("ADDED", {"x": "y" * 300}))
        api.send(b"x" * 1001)
        assert len(await anext(lines)) > 300
        with pytest.raises(BadAnswerError, match="more than 1000 bytes"):
            await anext(lines)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000])
async def test_answer_that_is_no_object_is_refused(body):
    with pytest.raises(BadAnswerError):
        parse_object(body)


async def test_answer_that_is_an_object_is_decoded():
    assert parse_object(b'{"a": [1, null]}') == {"a": [1, None]}


async def test_fake_is_a_server_of_its_own():
    async with FakeApi() as one, FakeApi() as two:
        assert one.url != two.url
