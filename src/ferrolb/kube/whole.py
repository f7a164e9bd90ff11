"""The objects of a cache as `config` reads them: whole, and those that cannot be decoded too."""

from typing import TYPE_CHECKING

from ferrolb.config import unreadable_object

if TYPE_CHECKING:
    from ferrolb.kube.cache import Cache
    from ferrolb.kube.objects import RawObject
    from ferrolb.model import Json


def contents(cache: "Cache[RawObject]") -> "list[Json]":
    """Return every object; one that cannot be read stands as an object without anything valid."""
    unreadable = [unreadable_object(key.namespace, key.name) for key in cache.unreadable]
    return [
        *(
            obj.content
            for key, obj in zip(cache.keys(), cache.values(), strict=True)
            if key not in cache.unreadable
        ),
        *unreadable,
    ]
