"""The memberlist secret: made once, and insisted on where the roles do not allow it yet."""

import asyncio

import pytest
from tests.fakes.object_api import Refusal, serve_objects

from ferrolb.controller import memberlist
from ferrolb.controller.memberlist import MemberlistSecret
from ferrolb.kube import ForbiddenError
from ferrolb.runtime import Health

pytestmark = pytest.mark.anyio

OBJECT = "/api/v1/namespaces/metallb-system/secrets/memberlist"
BY_ROLES = (
    'secrets is forbidden: User "u" cannot create resource "secrets" in API group "" in the '
    'namespace "metallb-system"'
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def secret(client):
    return MemberlistSecret(client, namespace="metallb-system", name="memberlist", deployment="")


async def test_it_is_made_once():
    async with serve_objects() as (api, client):
        assert await secret(client).ensure()
        made = api.objects[OBJECT]["data"]
        assert await secret(client).ensure()
        assert api.objects[OBJECT]["data"] == made


async def test_a_refusal_by_the_roles_is_insisted_against_and_shown(monkeypatch):
    monkeypatch.setattr(memberlist, "RETRY_S", 0.01)
    health = Health()
    async with serve_objects() as (api, client):
        tried = asyncio.Event()

        def refuse(seen):
            if seen.method != "POST":
                return None
            if len(api.requests("POST")) >= 3:
                tried.set()
            return Refusal(403, "Forbidden", BY_ROLES)

        api.refuse = refuse
        assert not await secret(client).ensure()
        task = asyncio.create_task(secret(client).insist(health))
        async with asyncio.timeout(5):
            await tried.wait()
        assert "memberlist secret" in health.failures
        api.refuse = lambda seen: None
        async with asyncio.timeout(5):
            await task
        assert health.failures == {}
        assert "secretkey" in api.objects[OBJECT]["data"]


async def test_a_refusal_by_admission_is_an_error():
    async with serve_objects() as (api, client):
        api.refuse = lambda seen: Refusal(403, "Forbidden", "denied the request")
        with pytest.raises(ForbiddenError):
            await secret(client).ensure()
