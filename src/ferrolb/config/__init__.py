"""Custom resources (JSON objects) to `model`: parsed, checked, conflicts settled.

Objects of any shape come in; values and a list of errors, each with object and field path, come
out. What the values are used for, and how the errors reach the user, belongs to other rooms.
"""

from ferrolb.config.addresses import BadEntry, parse_entry
from ferrolb.config.advertisement_drafts import AdvertisementDraft
from ferrolb.config.advertisements import (
    L2_ADVERTISEMENT_KIND,
    AcceptedAdvertisements,
    AdvertisementConfig,
    AdvertisementObjects,
    parse_advertisements,
)
from ferrolb.config.bgp_coverage import pools_with_bgp
from ferrolb.config.communities import (
    BadCommunity,
    Community,
    CommunityDraft,
    parse_community,
    resolve_community,
)
from ferrolb.config.errors import ConfigError, Issue
from ferrolb.config.parse import (
    COMMUNITY_KIND,
    LEGACY_POOL_KIND,
    POOL_KIND,
    AcceptedPools,
    PoolConfig,
    PoolObjects,
    parse_pools,
)
from ferrolb.config.pools import AllocationDraft, PoolDraft
from ferrolb.config.reading import unreadable_object
from ferrolb.config.selectors import InvalidSelector, ParsedSelectors, parse_selectors
from ferrolb.config.state import (
    FIELD_CONDITION,
    POOL_CONDITION,
    SPEAKER_CONDITION,
    Condition,
    ConditionReason,
    ConfigurationResult,
    ConfigurationStatus,
    configuration_status,
    field_condition,
    handler_condition,
    pool_condition,
    read_conditions,
    rights_condition,
    speaker_condition,
    unknown_condition,
)

__all__ = [
    "COMMUNITY_KIND",
    "FIELD_CONDITION",
    "L2_ADVERTISEMENT_KIND",
    "LEGACY_POOL_KIND",
    "POOL_CONDITION",
    "POOL_KIND",
    "SPEAKER_CONDITION",
    "AcceptedAdvertisements",
    "AcceptedPools",
    "AdvertisementConfig",
    "AdvertisementDraft",
    "AdvertisementObjects",
    "AllocationDraft",
    "BadCommunity",
    "BadEntry",
    "Community",
    "CommunityDraft",
    "Condition",
    "ConditionReason",
    "ConfigError",
    "ConfigurationResult",
    "ConfigurationStatus",
    "InvalidSelector",
    "Issue",
    "ParsedSelectors",
    "PoolConfig",
    "PoolDraft",
    "PoolObjects",
    "configuration_status",
    "field_condition",
    "handler_condition",
    "parse_advertisements",
    "parse_community",
    "parse_entry",
    "parse_pools",
    "parse_selectors",
    "pool_condition",
    "pools_with_bgp",
    "read_conditions",
    "resolve_community",
    "rights_condition",
    "speaker_condition",
    "unknown_condition",
    "unreadable_object",
]
