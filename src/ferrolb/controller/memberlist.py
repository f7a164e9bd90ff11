"""The secret that the speakers' gossip is encrypted with; the controller creates it once."""

import asyncio
import base64
import secrets
from typing import TYPE_CHECKING, Final

from ferrolb.kube import (
    DEPLOYMENTS,
    SECRETS,
    AlreadyExistsError,
    ApiError,
    ForbiddenError,
    NotFoundError,
    parse_object,
)
from ferrolb.runtime import StartupError
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from ferrolb.kube import ApiClient
    from ferrolb.model import JsonObject
    from ferrolb.runtime import Health

_KEY_BYTES: Final = 16
"""AES-128, as the gossip protocol takes it; what MetalLB creates."""


RETRY_S: Final = 10.0
"""Seconds between tries while the roles do not allow it."""

_STEP: Final = "memberlist secret"


class MemberlistSecret:
    """The secret of one installation."""

    def __init__(self, client: "ApiClient", *, namespace: str, name: str, deployment: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._deployment = deployment

    async def ensure(self) -> bool:
        """Create it unless it is there; False where the roles do not allow that.

        Raises:
            StartupError: the Deployment that is to own it does not exist.
            ApiError: the API failed.
        """
        try:
            await ensure_memberlist_secret(
                self._client,
                namespace=self._namespace,
                name=self._name,
                deployment=self._deployment,
            )
        except ForbiddenError as error:
            if error.right is None:
                raise
            return False
        return True

    async def insist(self, health: "Health") -> None:
        """Try again and again; addresses are given meanwhile, and the probes tell."""
        health.failing(_STEP, "the roles do not allow to look for it, or to create it")
        is_there = False
        while not is_there:
            await asyncio.sleep(RETRY_S)
            is_there = await self._try()
        health.recovered(_STEP)

    async def _try(self) -> bool:
        try:
            return await self.ensure()
        except ApiError as error:
            get_logger().warning("cannot create the memberlist secret", error=str(error))
            return False


async def ensure_memberlist_secret(
    client: "ApiClient", *, namespace: str, name: str, deployment: str
) -> None:
    """Create the secret `name` with a fresh key, unless it is there already.

    It is owned by the Deployment, so that it goes with it; by nothing if `deployment` is empty.

    Raises:
        StartupError: the Deployment that is to own it does not exist.
        ApiError: the API refused or could not be reached.
    """
    try:
        await client.get(SECRETS.path(namespace, name))
    except NotFoundError:
        pass
    else:
        return
    metadata: JsonObject = {"name": name, "namespace": namespace}
    if deployment:
        metadata["ownerReferences"] = [await _owner(client, namespace, deployment)]
    body: JsonObject = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "data": {"secretkey": base64.b64encode(_new_key()).decode()},
    }
    try:
        await client.create(SECRETS.path(namespace), body)
    except AlreadyExistsError:
        return
    get_logger().info("memberlist secret created", namespace=namespace, secret=name)


async def _owner(client: "ApiClient", namespace: str, deployment: str) -> "JsonObject":
    try:
        answer = await client.get(DEPLOYMENTS.path(namespace, deployment))
    except NotFoundError as error:
        text = (
            f"deployment {namespace}/{deployment}, which is to own the memberlist secret, "
            "does not exist: set --deployment, or leave --ml-secret-name empty"
        )
        raise StartupError(text) from error
    metadata = parse_object(answer).get("metadata")
    uid = metadata.get("uid") if isinstance(metadata, dict) else None
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment, "uid": uid}


def _new_key() -> bytes:
    """Return the key as the speakers read it: its text is base64 without padding."""
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).rstrip(b"=")
