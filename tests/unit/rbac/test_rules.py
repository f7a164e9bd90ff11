import itertools

import pytest
import yaml

from ferrolb.rbac import (
    RULES,
    Program,
    Right,
    effect_of,
    is_spare,
    markdown_table,
    roles_manifest,
    stands_for,
)

WRITES = ("", "services/status")
BROAD = {"*", "update", "deletecollection", "escalate", "bind", "impersonate"}


def test_no_right_is_granted_twice_and_each_says_for_what_and_what_without():
    granted = [
        (rule.program, rule.group, rule.resource, verb) for rule in RULES for verb in rule.verbs
    ]
    assert len(granted) == len(set(granted))
    assert all(rule.use and rule.without for rule in RULES)
    assert not BROAD & {verb for *_, verb in granted}
    assert not [rule for rule in RULES if "*" in (rule.group, rule.resource)]


def test_the_cluster_s_secrets_and_pods_are_no_business_of_ours():
    for rule in RULES:
        if rule.resource.partition("/")[0] in ("secrets", "pods", "configmaps", "deployments"):
            assert rule.is_namespaced
        if not rule.is_namespaced and not {"list", "watch"} >= set(rule.verbs):
            assert rule.resource in ("services/status", "events")
    assert not [
        rule for rule in RULES if rule.program is Program.SPEAKER and rule.resource == "secrets"
    ]


@pytest.mark.parametrize("program", list(Program))
def test_the_manifest_grants_what_the_table_says(program):
    documents = list(yaml.safe_load_all(roles_manifest(program)))
    kinds = [one["kind"] for one in documents]
    assert kinds == ["ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"]
    assert all(one["metadata"]["labels"] == {"app": "metallb"} for one in documents)
    for role, binding in zip(documents[1:3], documents[3:], strict=True):
        granted = {
            (group, resource, verb, tuple(rule.get("resourceNames", ())))
            for rule in role["rules"]
            for group, resource, verb in itertools.product(
                rule["apiGroups"], rule["resources"], rule["verbs"]
            )
        }
        assert granted == {
            (rule.group, rule.resource, verb, rule.names)
            for rule in RULES
            if rule.program is program and rule.is_namespaced is (role["kind"] == "Role")
            for verb in rule.verbs
        }
        assert binding["roleRef"]["kind"] == role["kind"]
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert binding["metadata"].get("namespace") == role["metadata"].get("namespace")
        [subject] = binding["subjects"]
        assert (subject["name"], subject["namespace"]) == (str(program), "metallb-system")


@pytest.mark.parametrize("program", list(Program))
def test_the_table_for_readers_has_a_line_for_each_rule(program):
    lines = markdown_table(program).splitlines()
    assert len(lines) == 2 + sum(rule.program is program for rule in RULES)
    assert all(line.count("|") == 6 for line in lines)


def test_c01_the_right_to_replace_stands_for_the_one_to_patch():
    tried = Right(resource="services/status", verb="update", namespace="shop", name="web")
    patch = Right(resource="services/status", verb="patch", namespace="shop", name="web")
    assert is_spare(Program.CONTROLLER, patch)
    assert not is_spare(Program.CONTROLLER, tried)
    assert stands_for(Program.CONTROLLER, tried) == Right(resource="services/status", verb="patch")
    pool = Right(
        group="metallb.io", resource="ipaddresspools", verb="get", namespace="own", name="p"
    )
    assert stands_for(Program.CONTROLLER, pool) == Right(
        group="metallb.io", resource="ipaddresspools/status", verb="patch", namespace="own"
    )


def test_c25_nodes_may_be_listed_instead_of_watched_by_the_controller_only():
    right = Right(resource="nodes", verb="watch")
    assert is_spare(Program.CONTROLLER, right)
    assert not is_spare(Program.SPEAKER, right)


def test_what_a_program_needs_everywhere_is_missing_everywhere_or_not_at_all():
    event = Right(resource="events", verb="create", namespace="shop")
    assert stands_for(Program.SPEAKER, event) == Right(resource="events", verb="create")
    assert effect_of(Program.SPEAKER, Right(resource="events", verb="create"))
    assert effect_of(Program.SPEAKER, Right(resource="events", verb="get")) == ""
