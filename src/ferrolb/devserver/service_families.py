"""IP families and cluster IPs of a Service: what it gets, and what it may ask for.

The functions change the `spec` they are given, which is the caller's own copy, and return what is
wrong. Order and wording are those of a Kubernetes API server: families first, then addresses,
each step only when the one before found nothing wrong.
"""

from collections.abc import Sequence

from ferrolb.apimachinery import FieldError, FieldErrorKind
from ferrolb.devserver.ip_validation import ip_problem, parse_leniently
from ferrolb.devserver.ranges import IPFamily, ServiceRanges, family_of_address
from ferrolb.devserver.service_fields import (
    HEADLESS,
    PREFER_DUAL_STACK,
    REQUIRE_DUAL_STACK,
    SINGLE_STACK,
    is_headless,
    needs_cluster_ip,
    put,
    put_texts,
    service_type,
    text,
    texts,
)
from ferrolb.model import BadAddress, Json, JsonObject

_POLICIES = (PREFER_DUAL_STACK, REQUIRE_DUAL_STACK, SINGLE_STACK)
_FAMILIES = (IPFamily.IPV4.value, IPFamily.IPV6.value)
_POLICY = "spec.ipFamilyPolicy"
_CLUSTER_IPS = "spec.clusterIPs"


def normalize_cluster_ips(spec: JsonObject, old: JsonObject | None) -> None:
    """Make `clusterIPs` follow `clusterIP` for clients that know only the latter."""
    single, several = text(spec, "clusterIP"), texts(spec, "clusterIPs")
    if old is None:
        if single and not several:
            put_texts(spec, "clusterIPs", [single])
        return
    old_single, old_several = text(old, "clusterIP"), texts(old, "clusterIPs")
    if not several and single == old_single:
        put_texts(spec, "clusterIPs", old_several)
    elif single != old_single and several == old_several:
        put_texts(spec, "clusterIPs", [single] if single or not old_single else [])


def keeps_dual_stack(spec: JsonObject, old: JsonObject | None) -> bool:
    """Tell whether a PreferDualStack Service is left as it is.

    A change of the cluster's own families must not change Services that nobody touches.
    """
    if old is None or service_type(old) != service_type(spec) or not needs_cluster_ip(spec):
        return False
    return (
        text(spec, "ipFamilyPolicy") == PREFER_DUAL_STACK
        and text(old, "ipFamilyPolicy") in ("", PREFER_DUAL_STACK)
        and texts(old, "clusterIPs") == texts(spec, "clusterIPs")
        and texts(old, "ipFamilies") == texts(spec, "ipFamilies")
    )


def default_families(
    spec: JsonObject, old: JsonObject | None, ranges: ServiceRanges
) -> list[FieldError]:
    """Fill in `ipFamilyPolicy` and `ipFamilies` of a Service that has cluster IPs or none."""
    is_open = text(spec, "clusterIP") == HEADLESS and not spec.get("selector")
    if not text(spec, "ipFamilyPolicy"):
        inherited = text(old, "ipFamilyPolicy") if old else ""
        spec["ipFamilyPolicy"] = inherited or (REQUIRE_DUAL_STACK if is_open else SINGLE_STACK)
    errors = validate_cluster_ips(spec)
    if errors:
        return errors
    if old is not None:
        errors += _shrink(spec, old)
    errors += _check_policy(spec)
    errors += _infer_families(spec, ranges)
    if errors:
        return errors
    # a Service without selector and address serves endpoints of families the cluster may lack
    if not is_open:
        errors = _check_configured(spec, ranges)
    if not errors:
        _complete_families(spec, ranges, is_open=is_open)
    return errors


def allocate_cluster_ips(spec: JsonObject, ranges: ServiceRanges) -> list[FieldError]:
    """Fill in the cluster IPs that are missing; `spec` has its families."""
    if is_headless(spec):
        return []
    addresses = texts(spec, "clusterIPs")
    for index, family in enumerate(texts(spec, "ipFamilies")):
        if index >= len(addresses):
            picked = ranges.addresses[IPFamily(family)].pick()
            if picked is None:
                detail = "failed to allocate a serviceIP: range is full"
                return [FieldError(_CLUSTER_IPS, FieldErrorKind.INTERNAL, None, detail)]
            addresses.append(str(picked))
    put_texts(spec, "clusterIPs", addresses)
    put(spec, "clusterIP", addresses[0])
    return []


def check_cluster_ips(
    spec: JsonObject, held: Sequence[str], ranges: ServiceRanges
) -> list[FieldError]:
    """Return what is wrong with asking for the addresses that the Service does not hold yet."""
    if is_headless(spec):
        return []
    errors = []
    for family, item in zip(texts(spec, "ipFamilies"), texts(spec, "clusterIPs"), strict=False):
        address = parse_leniently(item)
        if item in held or isinstance(address, BadAddress):
            continue
        problem = ranges.addresses[IPFamily(family)].problem(address)
        if problem:
            detail = f"failed to allocate IP {item}: {problem}"
            errors.append(FieldError.invalid(_CLUSTER_IPS, _listed(spec, "clusterIPs"), detail))
    return errors


def validate_cluster_ips(spec: JsonObject) -> list[FieldError]:
    """Check `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` against each other."""
    errors = _validate_pair(spec)
    seen: list[str] = []
    for index, family in enumerate(texts(spec, "ipFamilies")):
        path = f"spec.ipFamilies[{index}]"
        if family not in _FAMILIES:
            errors.append(FieldError.unsupported(path, family, _FAMILIES))
        if family in seen:
            errors.append(FieldError.duplicate(path, family))
        seen.append(family)
    policy = text(spec, "ipFamilyPolicy")
    if policy and policy not in _POLICIES:
        errors.append(FieldError.unsupported(_POLICY, policy, _POLICIES))
    misplaced = _validate_each(spec)
    errors += misplaced
    addresses = texts(spec, "clusterIPs")
    if len(addresses) > 2:
        detail = "may only hold up to 2 values"
        errors.append(FieldError.invalid(_CLUSTER_IPS, [*addresses], detail))
    return errors if misplaced or len(addresses) > 2 else errors + _validate_match(spec)


def validate_family_change(spec: JsonObject, old: JsonObject) -> list[FieldError]:
    """Check that an update changes no family or address, but adds or drops the second one.

    That it says SingleStack when it drops the second one, `default_families` has seen to.
    """
    if not (needs_cluster_ip(spec) and needs_cluster_ip(old)):
        return []
    if is_headless(spec) and is_headless(old):
        return []
    errors = _validate_change(spec, old, "clusterIPs")
    if not is_headless(spec) and not is_headless(old):
        errors += _validate_change(spec, old, "ipFamilies")
    return errors


def _listed(spec: JsonObject, field: str) -> Json:
    return [*texts(spec, field)]


def _shrink(spec: JsonObject, old: JsonObject) -> list[FieldError]:
    """Drop the second family when the update asks for SingleStack; else it must stay."""
    errors = []
    for field, name in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        before, after = texts(old, field), texts(spec, field)
        if text(spec, "ipFamilyPolicy") == SINGLE_STACK:
            if before == after:
                put_texts(spec, field, after[:1])
        elif after and len(after) < len(before):
            detail = f"must be 'SingleStack' to release the secondary {name}"
            errors.append(FieldError.invalid(_POLICY, text(spec, "ipFamilyPolicy"), detail))
    return errors


def _check_policy(spec: JsonObject) -> list[FieldError]:
    if text(spec, "ipFamilyPolicy") != SINGLE_STACK:
        return []
    return [
        FieldError.invalid(
            _POLICY,
            SINGLE_STACK,
            f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {name} are specified",
        )
        for field, name in (("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families"))
        if len(texts(spec, field)) == 2
    ]


def _infer_families(spec: JsonObject, ranges: ServiceRanges) -> list[FieldError]:
    """Add the families of addresses asked for without saying the family."""
    families = texts(spec, "ipFamilies")
    errors = []
    addresses = [] if is_headless(spec) else texts(spec, "clusterIPs")
    for index, item in enumerate(addresses[len(families) :], start=len(families)):
        family = family_of_address(item)
        if family in ranges.addresses:
            families.append(family.value)
        else:
            path, detail = f"{_CLUSTER_IPS}[{index}]", f"{family} is not configured on this cluster"
            errors.append(FieldError.invalid(path, [*addresses], detail))
    put_texts(spec, "ipFamilies", families)
    return errors


def _check_configured(spec: JsonObject, ranges: ServiceRanges) -> list[FieldError]:
    errors = []
    if text(spec, "ipFamilyPolicy") == REQUIRE_DUAL_STACK and len(ranges.addresses) < 2:
        detail = "this cluster is not configured for dual-stack services"
        errors.append(FieldError.invalid(_POLICY, REQUIRE_DUAL_STACK, detail))
    errors += [
        FieldError.invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
        for index, family in enumerate(texts(spec, "ipFamilies"))
        if IPFamily(family) not in ranges.addresses
    ]
    return errors


def _complete_families(spec: JsonObject, ranges: ServiceRanges, *, is_open: bool) -> None:
    families = texts(spec, "ipFamilies") or [ranges.default_family.value]
    is_dual = text(spec, "ipFamilyPolicy") != SINGLE_STACK
    if is_dual and len(families) == 1 and (is_open or len(ranges.addresses) == 2):
        families.append(IPFamily(families[0]).other.value)
    put_texts(spec, "ipFamilies", families)


def _validate_pair(spec: JsonObject) -> list[FieldError]:
    single, several = text(spec, "clusterIP"), texts(spec, "clusterIPs")
    if (several[:1] or [""]) == [single] and (single or not several):
        return []
    is_missing = "must be empty when `clusterIP` is not specified"
    detail = "first value must match `clusterIP`" if single else is_missing
    return [FieldError.invalid(_CLUSTER_IPS, [*several], detail)]


def _validate_each(spec: JsonObject) -> list[FieldError]:
    addresses = texts(spec, "clusterIPs")
    errors = []
    for index, item in enumerate(addresses):
        if index == 0 and item == HEADLESS:
            if len(addresses) > 1:
                detail = "'None' must be the first and only value"
                errors.append(FieldError.invalid(_CLUSTER_IPS, [*addresses], detail))
            continue
        problem = ip_problem(item)
        if problem:
            errors.append(FieldError.invalid(f"{_CLUSTER_IPS}[{index}]", item, problem))
    return errors


def _validate_match(spec: JsonObject) -> list[FieldError]:
    """Check that valid addresses are of different families, and of those named."""
    addresses = texts(spec, "clusterIPs")
    if is_headless(spec):
        return []
    errors = []
    found = [family_of_address(item).value for item in addresses]
    if len(found) > 1 and sorted(found) != sorted(_FAMILIES):
        detail = "may specify no more than one IP for each IP family"
        errors.append(FieldError.invalid(_CLUSTER_IPS, [*addresses], detail))
    families = texts(spec, "ipFamilies")
    for index, (family, actual) in enumerate(zip(families, found, strict=False)):
        if family in _FAMILIES and family != actual:
            detail = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            path = f"{_CLUSTER_IPS}[{index}]"
            errors.append(FieldError.invalid(path, addresses[index], detail))
    return errors


def _validate_change(spec: JsonObject, old: JsonObject, field: str) -> list[FieldError]:
    before, after = texts(old, field), texts(spec, field)
    return [
        FieldError.invalid(f"spec.{field}[{index}]", [*after], "may not change once set")
        for index, (was, is_now) in enumerate(zip(before, after, strict=False))
        if was != is_now
    ]
