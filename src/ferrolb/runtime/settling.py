"""Garbage collection that costs a running program little."""

import gc


def settle() -> None:
    """Collect once, and leave out of every later collection what is there now.

    What a program has loaded and listed stays for its lifetime; a full collection walks over all of
    it, milliseconds in which nobody is answered. Call it before there is anybody to answer.
    What of this becomes part of a cycle later and is dropped is never given back: of the objects
    that the API tells of none does.
    """
    gc.collect()
    gc.freeze()
