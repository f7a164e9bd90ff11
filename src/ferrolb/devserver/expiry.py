"""Deletes Events an hour after they were last seen, as clusters do."""

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery import parse_time
from ferrolb.devserver.builtin import EVENTS
from ferrolb.devserver.strategies import member_of, metadata_of
from ferrolb.store import NotFoundError, ObjectKey

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster
    from ferrolb.model import JsonObject

EVENT_LIFETIME: Final = timedelta(hours=1)
"""A real server's default. Events are the only objects that programs make without end."""

SWEEP_INTERVAL_S: Final = 60.0
"""Seconds between two looks at all Events; each is a pass over what is stored."""


def last_seen(event: "JsonObject") -> datetime | None:
    """Return the latest of an Event's own times; None where it has none."""
    times = (
        event.get("lastTimestamp"),
        member_of(event, "series").get("lastObservedTime"),
        event.get("eventTime"),
        metadata_of(event).get("creationTimestamp"),
    )
    return max((found for time in times if (found := parse_time(time))), default=None)


async def expire_events(cluster: "Cluster") -> None:
    """Delete the Events that were not seen for an hour."""
    before = cluster.now() - EVENT_LIFETIME
    for event in cluster.store.list(EVENTS).items:
        seen = last_seen(event)
        if seen is not None and seen >= before:
            continue
        metadata = metadata_of(event)
        key = ObjectKey(EVENTS, str(metadata.get("namespace") or ""), str(metadata["name"]))
        try:
            write = cluster.store.delete(key, now=cluster.now())
        except NotFoundError:
            continue
        await cluster.committed(write.change)


async def sweep(cluster: "Cluster") -> None:
    """Delete old Events now and then, until cancelled."""
    while True:
        await asyncio.sleep(SWEEP_INTERVAL_S)
        await expire_events(cluster)
