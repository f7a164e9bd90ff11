"""A cluster's network on one machine: nodes, switch, router and client as network namespaces.

One supervisor owns every namespace and process of a lab, and all of it ends with the supervisor.
`Lab` is its client. What runs below the supervisor (programs, backends, service proxy, faults) is
in this room too, but is not loaded by a client. What the programs do is not: they are started as
a user would start them.
"""

from ferrolb.lab.client import Lab, Progress
from ferrolb.lab.errors import LabError, NoLabError, RefusedError
from ferrolb.lab.fault_kinds import FAULT_KINDS
from ferrolb.lab.folders import default_root, lab_folder
from ferrolb.lab.frames import Kind
from ferrolb.lab.invariants import Bounds, Invariant, Violation
from ferrolb.lab.judge import Judge
from ferrolb.lab.launch import run_supervisor
from ferrolb.lab.machine import Problem, check_machine
from ferrolb.lab.measure import Measured, run_measurement, summary
from ferrolb.lab.options import (
    DEFAULT_NAME,
    DEFAULT_SERVICE_NETWORKS,
    MAX_NODES,
    ApiKind,
    LabOptions,
    ProxyKind,
)
from ferrolb.lab.probing import Span, doubles, silences
from ferrolb.lab.sightings import Sighting
from ferrolb.lab.stage import Stage
from ferrolb.lab.status import (
    Completed,
    FaultEffect,
    LabStatus,
    NodeStatus,
    PodStatus,
    ProgramStatus,
    to_json,
)
from ferrolb.lab.witness import Witness

__all__ = [
    "DEFAULT_NAME",
    "DEFAULT_SERVICE_NETWORKS",
    "FAULT_KINDS",
    "MAX_NODES",
    "ApiKind",
    "Bounds",
    "Completed",
    "FaultEffect",
    "Invariant",
    "Judge",
    "Kind",
    "Lab",
    "LabError",
    "LabOptions",
    "LabStatus",
    "Measured",
    "NoLabError",
    "NodeStatus",
    "PodStatus",
    "Problem",
    "ProgramStatus",
    "Progress",
    "ProxyKind",
    "RefusedError",
    "Sighting",
    "Span",
    "Stage",
    "Violation",
    "Witness",
    "check_machine",
    "default_root",
    "doubles",
    "lab_folder",
    "run_measurement",
    "run_supervisor",
    "silences",
    "summary",
    "to_json",
]
