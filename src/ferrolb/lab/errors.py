"""What can go wrong with a lab, as told to the user."""


class LabError(Exception):
    """The lab cannot do what was asked; the text says why and what to do."""


class NoLabError(LabError):
    """No lab of that name is running."""


class RefusedError(LabError):
    """The supervisor refused a request: no such node, program or fault, or a bad argument."""
