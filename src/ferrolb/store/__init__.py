"""Versioned JSON objects: resourceVersion, watch history, conflicts, finalizers, paging.

One `Store` is what etcd and the registry's generic part are to a Kubernetes API server. It knows
objects by resource, namespace and name, and of their content `metadata` only (and of a Namespace
what ends it). Defaulting, validation, schemas, patches and HTTP belong elsewhere. It is
synchronous, has no clock and calls nobody: who waits for changes is woken by the caller, looks at
`Store.latest` and asks `Store.changes_since`.

Each version of an object is kept once, as encoded JSON. So nobody can change what is stored, a
version is shared by the object, the history and a snapshot, and 10,000 Services are some 15 MB.
Every `obj`, `previous` and `items` is decoded for the one who asks, each time: change it at
will, keep it in a variable when needed twice, and take `encoded` where bytes are wanted.
"""

from ferrolb.store.change import Change, ChangeType, project
from ferrolb.store.errors import (
    AlreadyExistsError,
    BadContinueTokenError,
    ConflictError,
    ExpiredError,
    NotFoundError,
    Precondition,
    StoreError,
    TooLargeVersionError,
)
from ferrolb.store.history import HISTORY_BYTES_LIMIT, HISTORY_LIMIT
from ferrolb.store.key import ObjectKey, ResourceId
from ferrolb.store.meta import NO_PRECONDITIONS, Preconditions, has_finalizers, timestamp
from ferrolb.store.paging import Page
from ferrolb.store.store import Snapshot, Store, Write

__all__ = [
    "HISTORY_BYTES_LIMIT",
    "HISTORY_LIMIT",
    "NO_PRECONDITIONS",
    "AlreadyExistsError",
    "BadContinueTokenError",
    "Change",
    "ChangeType",
    "ConflictError",
    "ExpiredError",
    "NotFoundError",
    "ObjectKey",
    "Page",
    "Precondition",
    "Preconditions",
    "ResourceId",
    "Snapshot",
    "Store",
    "StoreError",
    "TooLargeVersionError",
    "Write",
    "has_finalizers",
    "project",
    "timestamp",
]
