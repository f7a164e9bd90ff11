"""Rights in the cluster: which one a request needs, and which ones each program has.

The tables here are the only source: the roles below `deploy/rbac`, the tables of `docs/rbac.md` and
what a program says of a right that it misses are made from them. Nothing here asks the API.
"""

from ferrolb.rbac.manifest import markdown_table, roles_manifest
from ferrolb.rbac.rights import Right, right_of
from ferrolb.rbac.rules import RULES, Program, Rule, effect_of, is_spare, stands_for

__all__ = [
    "RULES",
    "Program",
    "Right",
    "Rule",
    "effect_of",
    "is_spare",
    "markdown_table",
    "right_of",
    "roles_manifest",
    "stands_for",
]
