"""The main job: the requirement's chapter from end to end, on the embedded API server.

It starts the programs as a user would, speaks to them through `kubectl` alone, and checks what it
shows. Nodes, speakers and traffic join it as further `Step`s and `Program`s.
"""

from ferrolb.demo.cluster import DemoError
from ferrolb.demo.walk import run_demo

__all__ = ["DemoError", "run_demo"]
