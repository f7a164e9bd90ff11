"""What an API server accepts in a Service and warns of."""

from collections.abc import Iterable, Iterator

from ferrolb.devserver.ip_validation import cidr_warning, ip_warning
from ferrolb.devserver.service_fields import (
    EXTERNAL_NAME,
    is_headless,
    member,
    service_type,
    spec_of,
    text,
    texts,
)
from ferrolb.model import JsonObject


def service_warnings(service: JsonObject) -> tuple[str, ...]:
    """Return the warnings that a valid Service earns whenever it is written, in order."""
    spec = spec_of(service)
    return (*_of_cluster_ips(spec), *_of_headless(spec), *_of_spec(spec), *_of_status(service))


def _of_cluster_ips(spec: JsonObject) -> Iterator[str]:
    if not is_headless(spec):
        addresses = texts(spec, "clusterIPs")
        yield from _odd((f"spec.clusterIPs[{i}]", item) for i, item in enumerate(addresses))


def _of_headless(spec: JsonObject) -> Iterator[str]:
    if not is_headless(spec):
        return
    for field in ("loadBalancerIP", "externalIPs"):
        if spec.get(field):
            yield f"spec.{field} is ignored for headless services"
    if text(spec, "sessionAffinity") != "None":
        yield "spec.SessionAffinity is ignored for headless services"


def _of_spec(spec: JsonObject) -> Iterator[str]:
    external = texts(spec, "externalIPs")
    yield from _odd((f"spec.externalIPs[{i}]", item) for i, item in enumerate(external))
    yield from _odd([("spec.loadBalancerIP", text(spec, "loadBalancerIP"))])
    for index, item in enumerate(texts(spec, "loadBalancerSourceRanges")):
        found = cidr_warning(item.strip())
        if found:
            yield f"spec.loadBalancerSourceRanges[{index}]: {found}"
    if service_type(spec) == EXTERNAL_NAME:
        if external:
            yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    elif text(spec, "externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'


def _of_status(service: JsonObject) -> Iterator[str]:
    ingress = member(member(service, "status"), "loadBalancer").get("ingress")
    entries = ingress if isinstance(ingress, list) else []
    yield from _odd(
        (f"status.loadBalancer.ingress[{index}]", text(entry, "ip"))
        for index, entry in enumerate(entries)
        if isinstance(entry, dict)
    )


def _odd(addresses: Iterable[tuple[str, str]]) -> Iterator[str]:
    for path, item in addresses:
        found = ip_warning(item)
        if found:
            yield f"{path}: {found}"
