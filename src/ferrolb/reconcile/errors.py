"""What this room raises."""


class ReconcileError(Exception):
    """A machine was given an input that cannot happen in its state: the caller has a defect."""
