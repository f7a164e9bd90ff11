"""Families of a Service after its creation: the second one comes and goes, the first one stays."""

import json
from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.services import Services, causes

DUAL = {"ipFamilyPolicy": "RequireDualStack"}


@pytest.fixture(scope="module")
def services(api: ApiServer) -> Services:
    return Services(api, api.new_namespace())


@pytest.mark.parametrize("policy", ["PreferDualStack", "RequireDualStack"])
def test_an_upgrade_adds_the_second_family(services: Services, policy: str) -> None:
    service = services.made()
    spec = services.patched(service, ipFamilyPolicy=policy)
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]
    assert spec["clusterIP"] == spec["clusterIPs"][0] == service["spec"]["clusterIP"]
    assert spec["clusterIPs"][1].startswith("fd00:10:96::")


def test_an_upgrade_of_ipv6_adds_ipv4_behind_it(services: Services) -> None:
    service = services.made(ipFamilies=["IPv6"])
    spec = services.patched(service, ipFamilyPolicy="PreferDualStack")
    assert spec["ipFamilies"] == ["IPv6", "IPv4"]
    assert spec["clusterIPs"][1].startswith("10.96.")


def test_an_upgrade_may_choose_the_second_address(services: Services) -> None:
    service = services.made()
    both = [service["spec"]["clusterIP"], "fd00:10:96::71"]
    spec = services.patched(service, **DUAL, clusterIPs=both)
    assert spec["clusterIPs"] == both
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]


def test_an_upgrade_may_name_both_families(services: Services) -> None:
    service = services.made()
    spec = services.patched(service, **DUAL, ipFamilies=["IPv4", "IPv6"])
    assert len(spec["clusterIPs"]) == 2


def test_an_upgrade_in_the_other_order_is_refused(services: Services) -> None:
    answer = services.patch(services.made(), **DUAL, ipFamilies=["IPv6", "IPv4"])
    assert answer.status_code == 422
    assert "spec.clusterIPs[0]" in [field for field, _ in causes(answer)]


def test_a_second_family_without_a_policy_is_refused(services: Services) -> None:
    answer = services.patch(services.made(), ipFamilies=["IPv4", "IPv6"])
    detail = "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families "
    assert causes(answer) == [
        ("spec.ipFamilyPolicy", f'Invalid value: "SingleStack": {detail}are specified')
    ]


def test_a_downgrade_keeps_the_first_family_and_address(services: Services) -> None:
    service = services.made(**DUAL)
    spec = services.patched(service, ipFamilyPolicy="SingleStack")
    assert spec["ipFamilies"] == ["IPv4"]
    assert spec["clusterIPs"] == [service["spec"]["clusterIP"]]


def test_a_downgrade_frees_the_second_address(services: Services) -> None:
    service = services.made(**DUAL)
    services.patched(service, ipFamilyPolicy="SingleStack")
    second = service["spec"]["clusterIPs"][1]
    assert services.made(clusterIP=second)["spec"]["clusterIP"] == second


def test_a_downgrade_may_take_the_second_family_away_itself(services: Services) -> None:
    service = services.made(**DUAL)
    first = service["spec"]["clusterIPs"][:1]
    spec = services.patched(
        service, ipFamilyPolicy="SingleStack", ipFamilies=["IPv4"], clusterIPs=first
    )
    assert spec["clusterIPs"] == first


def test_a_downgrade_to_the_second_family_is_refused(services: Services) -> None:
    service = services.made(**DUAL)
    answer = services.patch(service, ipFamilyPolicy="SingleStack", ipFamilies=["IPv6"])
    assert answer.status_code == 422


def test_the_second_family_does_not_go_without_a_downgrade(services: Services) -> None:
    service = services.made(**DUAL)
    answer = services.patch(service, ipFamilies=["IPv4"])
    assert answer.status_code == 422
    detail = "must be 'SingleStack' to release the secondary IP family"
    text = f'Invalid value: "RequireDualStack": {detail}'
    assert causes(answer) == [("spec.ipFamilyPolicy", text)]


def test_the_second_address_does_not_go_without_a_downgrade(services: Services) -> None:
    service = services.made(**DUAL)
    answer = services.patch(service, clusterIPs=service["spec"]["clusterIPs"][:1])
    detail = "must be 'SingleStack' to release the secondary cluster IP"
    text = f'Invalid value: "RequireDualStack": {detail}'
    assert causes(answer) == [("spec.ipFamilyPolicy", text)]


def test_the_first_family_is_immutable(services: Services) -> None:
    answer = services.patch(services.made(), ipFamilies=["IPv6"])
    assert answer.status_code == 422
    fields = [field for field, _ in causes(answer)]
    assert fields


def test_the_second_address_is_immutable(services: Services) -> None:
    service = services.made(**DUAL)
    both = [service["spec"]["clusterIP"], "fd00:10:96::72"]
    answer = services.patch(service, clusterIPs=both)
    assert causes(answer) == [("spec.clusterIPs[1]", _immutable(both))]


def test_an_upgrade_to_an_address_in_use_is_refused(services: Services) -> None:
    used = services.made(ipFamilies=["IPv6"])["spec"]["clusterIP"]
    service = services.made()
    both = [service["spec"]["clusterIP"], used]
    answer = services.patch(service, **DUAL, clusterIPs=both)
    (cause,) = causes(answer)
    assert cause[0] == "spec.clusterIPs"
    assert cause[1].endswith(f"failed to allocate IP {used}: provided IP is already allocated")


def test_a_refused_upgrade_takes_no_address(services: Services) -> None:
    service = services.made()
    both = [service["spec"]["clusterIP"], "fd00:10:96::73"]
    answer = services.patch(service, **DUAL, clusterIPs=both, type="Unknown")
    assert answer.status_code == 422
    assert services.made(clusterIP="fd00:10:96::73")["spec"]["ipFamilies"] == ["IPv6"]


def test_a_prefer_dual_stack_service_stays_as_it_is(services: Services) -> None:
    service = services.made(ipFamilyPolicy="PreferDualStack")
    changed = services.patched(service, selector={"app": "a"})
    assert changed == {**service["spec"], "selector": {"app": "a"}}


def test_a_headless_service_changes_its_families(services: Services) -> None:
    service = services.made(clusterIP="None", selector={"app": "a"})
    spec = services.patched(service, ipFamilyPolicy="PreferDualStack")
    assert (spec["ipFamilies"], spec["clusterIPs"]) == (["IPv4", "IPv6"], ["None"])


def test_external_name_becomes_dual_stack_at_once(services: Services) -> None:
    service = services.made(type="ExternalName", externalName="a.example", ports=[])
    changed: dict[str, Any] = {"type": "ClusterIP", "externalName": None, "ports": [{"port": 80}]}
    spec = services.patched(service, **changed, **DUAL)
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]


def test_dual_stack_goes_with_external_name(services: Services) -> None:
    service = services.made(**DUAL)
    spec = services.patched(service, type="ExternalName", externalName="a.example")
    assert {"ipFamilies", "ipFamilyPolicy", "clusterIPs"} & spec.keys() == set()


def _immutable(value: Any) -> str:
    listed = json.dumps(value, separators=(",", ":"))
    return f"Invalid value: {listed}: may not change once set"
