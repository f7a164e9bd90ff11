"""Values that all rooms share: names, addresses, pools, selectors, Services, verdicts.

Only checked, frozen values live here, with the arithmetic that belongs to them. No API object
(raw JSON stays in `kube`, `config`, `apimachinery`, `store` and `devserver`), no decision, no
state.
"""

from ferrolb.model.address import (
    BadAddress,
    Family,
    IPAddress,
    IPNetwork,
    RequestedAddress,
    family_of,
    is_buggy,
    parse_address,
    summarize_range,
)
from ferrolb.model.event import EventNote, EventType
from ferrolb.model.json import Json, JsonArray, JsonObject
from ferrolb.model.layer2 import (
    EXCLUDE_LABEL,
    Endpoints,
    InterfaceRule,
    L2Advertisement,
    MacAddress,
    Node,
)
from ferrolb.model.names import Namespace, NodeName, ObjectRef, PoolName, ServiceKey
from ferrolb.model.pool import AddressEntry, Pool, PoolSet, ServiceAllocation
from ferrolb.model.selector import LabelSelector, Operator, Requirement
from ferrolb.model.service import (
    Annotation,
    Ingress,
    IPFamilyPolicy,
    Port,
    Service,
)
from ferrolb.model.text import quote, quote_list
from ferrolb.model.verdict import PoolVerdict, Reason, Verdict

__all__ = [
    "EXCLUDE_LABEL",
    "AddressEntry",
    "Annotation",
    "BadAddress",
    "Endpoints",
    "EventNote",
    "EventType",
    "Family",
    "IPAddress",
    "IPFamilyPolicy",
    "IPNetwork",
    "Ingress",
    "InterfaceRule",
    "Json",
    "JsonArray",
    "JsonObject",
    "L2Advertisement",
    "LabelSelector",
    "MacAddress",
    "Namespace",
    "Node",
    "NodeName",
    "ObjectRef",
    "Operator",
    "Pool",
    "PoolName",
    "PoolSet",
    "PoolVerdict",
    "Port",
    "Reason",
    "RequestedAddress",
    "Requirement",
    "Service",
    "ServiceAllocation",
    "ServiceKey",
    "Verdict",
    "family_of",
    "is_buggy",
    "parse_address",
    "quote",
    "quote_list",
    "summarize_range",
]
