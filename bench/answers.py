"""The parts of the API's answers that measuring needs."""

import msgspec

from ferrolb.kube import ServiceObject


class _ListMeta(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815 - as the API spells it


class ServiceList(msgspec.Struct):
    """A list of Services, or a page of one."""

    metadata: _ListMeta
    items: list[ServiceObject] = []


class ServiceEvent(msgspec.Struct):
    """One event of a watch on Services; `object` is as good as empty in a bookmark."""

    type: str
    object: ServiceObject


decode_list = msgspec.json.Decoder(ServiceList).decode
decode_event = msgspec.json.Decoder(ServiceEvent).decode
