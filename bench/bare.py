"""The yardstick: a bare lightkube client that writes the same statuses and knows nothing.

Run as `python -m bench.bare KUBECONFIG NAMESPACE SERVICES`. It patches the Services `service_name`
lists, then waits to be ended, so that what it has used can be read like any program's.
"""

import asyncio
import sys
from typing import Final

from lightkube import AsyncClient
from lightkube.config.kubeconfig import KubeConfig
from lightkube.resources.core_v1 import Service
from lightkube.types import PatchType

from bench.objects import address_text, service_name, status_patch

CONNECTIONS: Final = 16
"""Patches on their way at once, as many as the controller has."""


async def patch_all(kubeconfig: str, namespace: str, services: int) -> None:
    """Write an address into the status of each Service."""
    client = AsyncClient(config=KubeConfig.from_file(kubeconfig), trust_env=False)
    waiting = list(range(services))[::-1]

    async def work() -> None:
        while waiting:
            number = waiting.pop()
            await client.patch(
                Service.Status,
                service_name(number),
                status_patch(address_text(number)),
                namespace=namespace,
                patch_type=PatchType.MERGE,
            )

    async with client, asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(work())


async def _main(kubeconfig: str, namespace: str, services: int) -> None:
    await patch_all(kubeconfig, namespace, services)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
