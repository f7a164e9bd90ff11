"""The controller: watches Services and pools, gives addresses, writes status and events.

Here is the wiring: what starts when, what a change sets off, what is written. The decisions are
`converge`'s, reading and writing is `kube`'s.
"""

from ferrolb.controller.options import ControllerOptions
from ferrolb.controller.program import run_controller

__all__ = ["ControllerOptions", "run_controller"]
