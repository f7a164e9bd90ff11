"""Custom resources and their definitions, through kubectl and as a client sees them."""

import json
from typing import Any

import pytest
import yaml
from tests.fakes.devserver import DevServer, Kubectl

POOL = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: doc-example}
spec:
  addresses: [172.31.249.0/24]
"""

WIDGET: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}
                ],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "size": {"type": "integer", "maximum": 9, "default": 3},
                                    "color": {"type": "string", "enum": ["red", "blue"]},
                                },
                                "x-kubernetes-validations": [
                                    {
                                        "rule": "self.size != 5",
                                        "message": "five is right out",
                                    },
                                    {
                                        "rule": "self.size >= oldSelf.size",
                                        "message": "may not shrink",
                                    },
                                ],
                            },
                            "status": {
                                "type": "object",
                                "properties": {"ready": {"type": "boolean"}},
                            },
                        },
                    }
                },
            },
            {
                "name": "v1alpha1",
                "served": True,
                "storage": False,
                "deprecated": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            },
        ],
    },
}


def widget(**spec):
    return json.dumps(
        {
            "apiVersion": "example.com/v1",
            "kind": "Widget",
            "metadata": {"name": "w"},
            "spec": spec,
        }
    )


@pytest.fixture(scope="module")
def widgets(devserver: DevServer) -> Kubectl:
    """A server with the Widget kind."""
    devserver.kubectl("apply", "-f", "-", stdin=json.dumps(WIDGET))
    devserver.kubectl("wait", "--for=condition=Established", "crd/widgets.example.com")
    return devserver.kubectl


def test_our_definitions_are_established_at_the_start(devserver):
    items = devserver.http.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").json()[
        "items"
    ]
    ours = [item for item in items if item["spec"]["group"] == "metallb.io"]
    assert len(ours) == 10
    for item in ours:
        conditions = {one["type"]: one["status"] for one in item["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}
        assert item["status"]["acceptedNames"] == item["spec"]["names"]


def test_pool_is_defaulted_printed_and_unchanged_when_applied_again(kubectl, namespace):
    apply = ("apply", "-n", namespace, "-f", "-")
    assert kubectl(*apply, stdin=POOL) == "ipaddresspool.metallb.io/doc-example created\n"
    assert kubectl(*apply, stdin=POOL) == "ipaddresspool.metallb.io/doc-example unchanged\n"
    pool = kubectl.json("get", "ipaddresspool", "doc-example", "-n", namespace)
    assert pool["spec"] == {
        "addresses": ["172.31.249.0/24"],
        "autoAssign": True,
        "avoidBuggyIPs": False,
    }
    assert pool["metadata"]["generation"] == 1
    header, line = kubectl("get", "ipaddresspools", "-n", namespace).splitlines()
    assert header.split("  ")[0] == "NAME"
    assert line.split() == ["doc-example", "true", "false", '["172.31.249.0/24"]']


def test_status_and_spec_are_written_apart(kubectl, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=POOL)
    patch = ("patch", "ipaddresspool", "doc-example", "-n", namespace, "--type=merge")
    both = (
        '{"spec":{"autoAssign":false},"status":{"assignedIPv4":1,"assignedIPv6":0,'
        '"availableIPv4":255,"availableIPv6":0}}'
    )
    kubectl(*patch, "-p", both)
    pool = kubectl.json("get", "ipaddresspool", "doc-example", "-n", namespace)
    assert (pool["spec"]["autoAssign"], pool.get("status")) == (False, None)
    assert pool["metadata"]["generation"] == 2
    kubectl(*patch, "--subresource=status", "-p", both.replace("false", "true"))
    pool = kubectl.json("get", "ipaddresspool", "doc-example", "-n", namespace)
    assert pool["spec"]["autoAssign"] is False
    assert pool["status"]["assignedIPv4"] == 1
    assert pool["metadata"]["generation"] == 2


def test_unknown_field_wrong_type_and_strategic_patch_are_refused(kubectl, namespace):
    apply = ("apply", "-n", namespace, "-f", "-")
    assert 'unknown field "spec.adresses"' in kubectl.fails(
        *apply, stdin=POOL.replace("addresses", "adresses")
    )
    assert "spec.addresses: Required value" in kubectl.fails(
        *apply, "--validate=false", stdin=POOL.replace("addresses", "adresses")
    )
    assert 'spec.autoAssign in body must be of type boolean: "string"' in kubectl.fails(
        *apply, "--validate=false", stdin=POOL + "  autoAssign: yes please\n"
    )
    kubectl(*apply, stdin=POOL)
    refused = kubectl.fails("patch", "ipaddresspool", "doc-example", "-n", namespace, "-p", "{}")
    assert "application/strategic-merge-patch+json is not supported" in refused


def test_versions_of_one_object_differ_in_apiversion_only(devserver, namespace):
    peer = {
        "apiVersion": "metallb.io/v1beta2",
        "kind": "BGPPeer",
        "metadata": {"name": "p"},
        "spec": {"myASN": 64512, "peerASN": 64512, "peerAddress": "192.0.2.1"},
    }
    path = f"/apis/metallb.io/{{}}/namespaces/{namespace}/bgppeers"
    made = devserver.http.post(path.format("v1beta2"), json=peer)
    assert made.status_code == 201
    old = devserver.http.get(path.format("v1beta1") + "/p")
    assert old.json()["apiVersion"] == "metallb.io/v1beta1"
    assert old.json()["metadata"]["uid"] == made.json()["metadata"]["uid"]
    assert "deprecated" in old.headers["warning"]
    listed = devserver.http.get(path.format("v1beta1")).json()
    assert (listed["apiVersion"], listed["kind"]) == ("metallb.io/v1beta1", "BGPPeerList")
    assert listed["items"][0]["apiVersion"] == "metallb.io/v1beta1"


def test_definition_brings_a_kind_with_columns_names_and_explain(widgets, namespace):
    assert widgets("create", "-n", namespace, "-f", "-", stdin=widget(color="red")) == (
        "widget.example.com/w created\n"
    )
    header, line = widgets("get", "wd", "-n", namespace).splitlines()
    assert (header.split(), line.split()) == (["NAME", "SIZE"], ["w", "3"])
    assert "size\t<integer>" in widgets("explain", "widget.spec")
    assert "Size:" in widgets("describe", "widget", "w", "-n", namespace)


def test_schema_and_rules_refuse(widgets, namespace):
    create = ("create", "-n", namespace, "-f", "-")
    refused = widgets.fails(*create, stdin=widget(size=10, color="green"))
    assert "spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9" in (
        refused
    )
    assert 'spec.color: Unsupported value: "green": supported values: "red", "blue"' in refused
    assert "five is right out" in widgets.fails(*create, stdin=widget(size=5))
    widgets(*create, stdin=widget(size=7))
    shrunk = widgets.fails("apply", "-n", namespace, "-f", "-", stdin=widget(size=6))
    assert "may not shrink" in shrunk


def test_pruning_and_deprecated_version(widgets, namespace):
    done = widgets.run(
        "create", "--validate=warn", "-n", namespace, "-f", "-", stdin=widget(size=1, x=2)
    )
    assert 'Warning: unknown field "spec.x"' in done.stderr
    assert widgets.json("get", "wd", "w", "-n", namespace)["spec"] == {"size": 1}
    old = widgets.run("get", "widgets.v1alpha1.example.com", "-n", namespace)
    assert "Warning: example.com/v1alpha1 Widget is deprecated" in old.stderr


def test_unfit_definitions_are_refused(kubectl):
    two = yaml.safe_load(yaml.safe_dump(WIDGET))
    two["spec"]["versions"][1]["storage"] = True
    refused = kubectl.fails("create", "-f", "-", stdin=json.dumps(two).replace("widget", "gadget"))
    assert "must have exactly one version marked as storage version" in refused
    wrong = json.dumps(WIDGET).replace("widgets.example.com", "widgets.example.org")
    assert "metadata.name" in kubectl.fails("create", "-f", "-", stdin=wrong)
    loose = yaml.safe_load(yaml.safe_dump(WIDGET))
    schema = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["spec"]["type"]
    refused = kubectl.fails(
        "create", "-f", "-", stdin=json.dumps(loose).replace("widget", "gadget")
    )
    assert "must not be empty for specified object fields" in refused


def test_definition_whose_names_are_taken_is_not_served(devserver, kubectl, widgets):
    other = json.dumps(WIDGET).replace("widgets", "wodgets")
    kubectl("create", "-f", "-", stdin=other)
    status = kubectl.json("get", "crd", "wodgets.example.com")["status"]
    conditions = {one["type"]: one for one in status["conditions"]}
    assert conditions["NamesAccepted"]["status"] == "False"
    assert conditions["NamesAccepted"]["message"] == '"WidgetList" is already in use'
    assert devserver.http.get("/apis/example.com/v1/wodgets").status_code == 404
    kubectl("delete", "crd", "wodgets.example.com")
    assert devserver.http.get("/apis/example.com/v1/widgets").status_code == 200


def test_deleting_a_definition_deletes_its_objects(devserver, kubectl, namespace):
    definition = json.dumps(WIDGET).replace("widget", "doomed").replace("Widget", "Doomed")
    kubectl("create", "-f", "-", stdin=definition.replace('"wd"', '"dm"'))
    thing = json.loads(widget(size=1)) | {"kind": "Doomed"}
    kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(thing))
    assert "deleted" in kubectl("delete", "crd", "doomeds.example.com")
    assert devserver.http.get("/apis/example.com/v1/doomeds").status_code == 404
    kubectl("create", "-f", "-", stdin=definition.replace('"wd"', '"dm"'))
    assert devserver.http.get("/apis/example.com/v1/doomeds").json()["items"] == []
    kubectl("delete", "crd", "doomeds.example.com")
