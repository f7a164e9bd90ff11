"""Each kubectl command on the dev API server: what it prints, and how it ends."""

import json
import re

import pytest
from tests.fakes.devserver import Kubectl

SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: web
  annotations:
    metallb.universe.tf/address-pool: doc-example
spec:
  selector: {app: web}
  ports:
    - port: 8080
      targetPort: 8080
      protocol: TCP
  type: LoadBalancer
"""


@pytest.fixture
def web(kubectl: Kubectl, namespace: str) -> str:
    """A namespace with the Service `web`."""
    kubectl("apply", "-n", namespace, "-f", "-", stdin=SERVICE)
    return namespace


def test_version_shows_the_server(kubectl):
    assert re.search(r"Server Version: v1\.\d+\.\d+\+ferrolb", kubectl("version"))


def test_api_resources_lists_builtin_and_custom_kinds(kubectl):
    listed = kubectl("api-resources").splitlines()
    lines = {line.split()[0]: line for line in listed if "example.com" not in line}
    assert lines["services"].split() == ["services", "svc", "v1", "true", "Service"]
    assert lines["namespaces"].split() == ["namespaces", "ns", "v1", "false", "Namespace"]
    assert lines["ipaddresspools"].split()[-3:] == ["metallb.io/v1beta1", "true", "IPAddressPool"]
    assert lines["bgppeers"].split()[-3] == "metallb.io/v1beta2"
    assert len(lines) == 31  # and the header


def test_api_versions(kubectl):
    versions = kubectl("api-versions").split()
    assert {"v1", "apps/v1", "metallb.io/v1beta1", "metallb.io/v1beta2"} <= set(versions)


def test_apply_creates_then_changes_nothing_then_configures(kubectl, namespace):
    apply = ("apply", "-n", namespace, "-f", "-")
    assert kubectl(*apply, stdin=SERVICE) == "service/web created\n"
    assert kubectl(*apply, stdin=SERVICE) == "service/web unchanged\n"
    changed = SERVICE.replace("port: 8080", "port: 81", 1)
    assert kubectl(*apply, stdin=changed) == "service/web configured\n"
    service = kubectl.json("get", "svc", "web", "-n", namespace)
    assert [port["port"] for port in service["spec"]["ports"]] == [81]
    assert "generation" not in service["metadata"]


def test_get_prints_services_as_a_cluster_does(kubectl, web):
    header, line = kubectl("get", "svc", "-n", web).splitlines()
    assert header.split() == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    pattern = r"web +LoadBalancer +10\.96\.\d+\.\d+ +<pending> +8080:3\d{4}/TCP +\d+s"
    assert re.fullmatch(pattern, line)


def test_get_all_namespaces_wide_labels_and_name(kubectl, web):
    wide = kubectl("get", "svc", "-A", "-o", "wide", "--show-labels")
    assert re.search(rf"{web} +web .* app=web +<none>", wide)
    assert kubectl("get", "svc", "-n", web, "-o", "name") == "service/web\n"


def test_get_yaml_jsonpath_and_custom_columns(kubectl, web):
    assert "kind: Service" in kubectl("get", "svc", "web", "-n", web, "-o", "yaml")
    path = "jsonpath={.spec.ports[0].targetPort}"
    assert kubectl("get", "svc", "web", "-n", web, "-o", path) == "8080"
    columns = "custom-columns=A:.metadata.name,B:.spec.type"
    assert kubectl("get", "svc", "-n", web, "-o", columns).split() == [
        "A",
        "B",
        "web",
        "LoadBalancer",
    ]


def test_get_what_is_not_there(kubectl, namespace):
    assert kubectl.fails("get", "svc", "none", "-n", namespace) == (
        'Error from server (NotFound): services "none" not found\n'
    )
    done = kubectl.run("get", "svc", "-n", namespace)
    assert done.returncode == 0
    assert done.stderr == f"No resources found in {namespace} namespace.\n"


def test_selectors(kubectl, web):
    kubectl("label", "svc", "web", "-n", web, "tier=front")
    chosen = ("get", "svc", "-n", web, "-o", "name")
    assert kubectl(*chosen, "-l", "tier in (front,back),!gone") == "service/web\n"
    assert kubectl(*chosen, "-l", "tier!=front") == ""
    assert kubectl(*chosen, "--field-selector", "spec.type=LoadBalancer") == "service/web\n"
    assert kubectl(*chosen, "--field-selector", "metadata.name!=web") == ""
    assert "field label not supported: spec.nonsense" in kubectl.fails(
        *chosen, "--field-selector", "spec.nonsense=1"
    )


def test_get_in_pages(kubectl, namespace):
    for number in range(5):
        kubectl("create", "configmap", f"c{number}", "-n", namespace)
    names = kubectl("get", "cm", "-n", namespace, "--chunk-size=2", "-o", "name").split()
    assert names == [f"configmap/c{number}" for number in range(5)]


def test_describe_service(kubectl, web):
    text = kubectl("describe", "svc", "web", "-n", web)
    fields = dict(re.findall(r"^([A-Z][^:]*): +(.*)$", text, re.MULTILINE))
    assert fields["Type"] == "LoadBalancer"
    assert fields["Selector"] == "app=web"
    assert fields["Annotations"] == "metallb.universe.tf/address-pool: doc-example"
    assert fields["IP Family Policy"] == "SingleStack"
    assert re.fullmatch(r"<unset>  3\d{4}/TCP", fields["NodePort"])
    assert fields["Events"] == "<none>"


def test_describe_shows_events_of_the_object(kubectl, web):
    uid = kubectl.json("get", "svc", "web", "-n", web)["metadata"]["uid"]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "web.1", "namespace": web},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Service",
            "name": "web",
            "namespace": web,
            "uid": uid,
        },
        "type": "Warning",
        "reason": "AllocationFailed",
        "message": 'Failed to allocate IP: "4.3.2.1" is not allowed in config',
        "source": {"component": "metallb-controller"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 3,
    }
    kubectl("create", "-f", "-", stdin=json.dumps(event))
    described = kubectl("describe", "svc", "web", "-n", web)
    assert re.search(
        r"Warning +AllocationFailed +\d+\w* \(x3 over \d+\w*\) +metallb-controller +Failed to "
        r'allocate IP: "4\.3\.2\.1" is not allowed in config',
        described,
    )
    assert "AllocationFailed" in kubectl("get", "events", "-n", web)
    assert "Service/web" in kubectl("events", "--for", "svc/web", "-n", web)
    newer = kubectl.json("get", "events.events.k8s.io", "web.1", "-n", web)
    assert newer["note"] == event["message"]
    assert newer["regarding"]["name"] == "web"
    assert newer["deprecatedCount"] == 3


def test_typed_creates_in_protobuf(kubectl, namespace):
    create = ("create", "-n", namespace)
    assert kubectl(*create, "service", "loadbalancer", "lb", "--tcp=80:8080") == (
        "service/lb created\n"
    )
    kubectl(*create, "configmap", "c", "--from-literal=a=b")
    kubectl(*create, "secret", "generic", "s", "--from-literal=a=b")
    kubectl(*create, "serviceaccount", "bob")
    kubectl(*create, "deployment", "d", "--image=nginx")
    service = kubectl.json("get", "svc", "lb", "-n", namespace)
    (port,) = service["spec"]["ports"]
    assert (port["port"], port["targetPort"], port["protocol"]) == (80, 8080, "TCP")
    assert kubectl.json("get", "cm", "c", "-n", namespace)["data"] == {"a": "b"}
    assert kubectl.json("get", "secret", "s", "-n", namespace)["data"] == {"a": "Yg=="}
    assert re.search(r"d +0/1 +0 +0 ", kubectl("get", "deploy", "-n", namespace))


def test_create_twice(kubectl, web):
    assert 'services "web" already exists' in kubectl.fails(
        "create", "-n", web, "-f", "-", stdin=SERVICE
    )


def test_label_and_annotate(kubectl, web):
    assert kubectl("label", "svc", "web", "-n", web, "a=b") == "service/web labeled\n"
    assert kubectl("annotate", "svc", "web", "-n", web, "c=d") == "service/web annotated\n"
    kubectl("label", "svc", "web", "-n", web, "a-")
    metadata = kubectl.json("get", "svc", "web", "-n", web)["metadata"]
    assert "labels" not in metadata or "a" not in metadata["labels"]
    assert metadata["annotations"]["c"] == "d"


def test_invalid_label_is_refused(kubectl, web):
    refused = kubectl.fails(
        "patch",
        "svc",
        "web",
        "-n",
        web,
        "--type=merge",
        "-p",
        '{"metadata":{"labels":{"a":"b c"}}}',
    )
    assert 'metadata.labels: Invalid value: "b c": a valid label must be' in refused


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("strategic", '{"spec":{"ports":[{"port":8080,"targetPort":99}]}}'),
        ("merge", '{"spec":{"ports":[{"port":8080,"targetPort":99}]}}'),
        ("json", '[{"op":"replace","path":"/spec/ports/0/targetPort","value":99}]'),
    ],
)
def test_patch(kubectl, web, kind, patch):
    patched = kubectl("patch", "svc", "web", "-n", web, f"--type={kind}", "-p", patch)
    assert patched == "service/web patched\n"
    (port,) = kubectl.json("get", "svc", "web", "-n", web)["spec"]["ports"]
    assert port["targetPort"] == 99
    again = kubectl("patch", "svc", "web", "-n", web, f"--type={kind}", "-p", patch)
    assert again == "service/web patched (no change)\n"


def test_patch_status_leaves_the_rest(kubectl, web):
    patch = {
        "spec": {"type": "ClusterIP"},
        "status": {"loadBalancer": {"ingress": [{"ip": "172.31.249.7"}]}},
    }
    kubectl(
        "patch", "svc", "web", "-n", web, "--subresource=status", "--type=merge",
        "-p", json.dumps(patch),
    )  # fmt: skip
    service = kubectl.json("get", "svc", "web", "-n", web)
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["status"]["loadBalancer"]["ingress"] == [{"ip": "172.31.249.7", "ipMode": "VIP"}]
    assert "172.31.249.7 (VIP)" in kubectl("describe", "svc", "web", "-n", web)
    kubectl("patch", "svc", "web", "-n", web, "--type=merge", "-p", '{"status":null}')
    assert kubectl.json("get", "svc", "web", "-n", web)["status"] == service["status"]


def test_edit(kubectl, web):
    editor = {"KUBE_EDITOR": "sed -i s/8080/9090/"}
    done = kubectl.run("edit", "svc", "web", "-n", web, env=editor)
    assert (done.returncode, done.stdout) == (0, "service/web edited\n")
    (port,) = kubectl.json("get", "svc", "web", "-n", web)["spec"]["ports"]
    assert port["port"] == 9090


def test_replace(kubectl, web):
    service = kubectl.json("get", "svc", "web", "-n", web)
    service["spec"]["sessionAffinity"] = "ClientIP"
    text = json.dumps(service)
    assert kubectl("replace", "-f", "-", stdin=text) == "service/web replaced\n"
    assert "the object has been modified" in kubectl.fails("replace", "-f", "-", stdin=text)


def test_server_side_apply_and_its_conflicts(kubectl, namespace):
    apply = ("apply", "--server-side", "-n", namespace, "-f", "-")
    assert kubectl(*apply, stdin=SERVICE) == "service/web serverside-applied\n"
    other = SERVICE.replace("app: web", "app: other")
    refused = kubectl.fails(*apply, "--field-manager=other", stdin=other)
    assert 'conflict with "kubectl": .spec.selector' in refused
    kubectl(*apply, "--field-manager=other", "--force-conflicts", stdin=other)
    service = kubectl.json("get", "svc", "web", "-n", namespace, "--show-managed-fields")
    assert service["spec"]["selector"] == {"app": "other"}
    managers = [entry["manager"] for entry in service["metadata"]["managedFields"]]
    assert sorted(managers) == ["kubectl", "other"]


def test_diff(kubectl, web):
    same = kubectl.run("diff", "-n", web, "-f", "-", stdin=SERVICE)
    assert (same.returncode, same.stdout) == (0, "")
    changed = SERVICE.replace("port: 8080", "port: 81", 1)
    other = kubectl.run("diff", "-n", web, "-f", "-", stdin=changed)
    assert other.returncode == 1
    assert "-  - nodePort" in other.stdout or "-    port: 8080" in other.stdout
    (port,) = kubectl.json("get", "svc", "web", "-n", web)["spec"]["ports"]
    assert port["port"] == 8080


def test_dry_run_on_the_server_changes_nothing(kubectl, namespace):
    dry = kubectl("apply", "--dry-run=server", "-n", namespace, "-f", "-", stdin=SERVICE)
    assert dry == "service/web created (server dry run)\n"
    assert kubectl("get", "svc", "-n", namespace, "-o", "name") == ""


def test_unknown_and_repeated_fields(kubectl, namespace):
    misspelt = SERVICE.replace("selector", "selectors")
    refused = kubectl.fails("apply", "-n", namespace, "-f", "-", stdin=misspelt)
    assert 'unknown field "spec.selectors"' in refused
    done = kubectl.run("create", "--validate=warn", "-n", namespace, "-f", "-", stdin=misspelt)
    assert done.returncode == 0
    assert 'Warning: unknown field "spec.selectors"' in done.stderr
    assert "selectors" not in kubectl.json("get", "svc", "web", "-n", namespace)["spec"]


def test_wrong_type_and_invalid_values(kubectl, namespace):
    apply = ("apply", "--validate=false", "-n", namespace, "-f", "-")
    assert "cannot be handled as a Service" in kubectl.fails(
        *apply, stdin=SERVICE.replace("port: 8080", "port: many", 1)
    )
    assert "spec.ports[0].port: Invalid value: 99999" in kubectl.fails(
        *apply, stdin=SERVICE.replace("port: 8080", "port: 99999", 1)
    )
    assert 'metadata.name: Invalid value: "Web"' in kubectl.fails(
        *apply, stdin=SERVICE.replace("name: web", "name: Web")
    )


def test_wait_for_a_condition_a_field_and_a_deletion(kubectl, web):
    kubectl("wait", "--for=condition=Established", "crd/ipaddresspools.metallb.io")
    address = "--for=jsonpath={.status.loadBalancer.ingress[0].ip}=10.0.0.9"
    with kubectl.start("wait", "svc/web", "-n", web, "--timeout=20s", address) as waiting:
        kubectl(
            "patch", "svc", "web", "-n", web, "--subresource=status", "--type=merge",
            "-p", '{"status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.9"}]}}}',
        )  # fmt: skip
        assert waiting.communicate(timeout=30)[0] == "service/web condition met\n"
    with kubectl.start("wait", "svc/web", "-n", web, "--for=delete", "--timeout=20s") as gone:
        kubectl("delete", "svc", "web", "-n", web)
        assert gone.wait(30) == 0
    timed_out = kubectl.run(
        "wait", "crd/ipaddresspools.metallb.io", "--for=condition=None", "--timeout=1s"
    )
    assert timed_out.returncode == 1


def test_watch_prints_each_change_once(kubectl, web):
    with kubectl.start("get", "svc", "-n", web, "-w", "--output-watch-events") as watch:
        assert watch.stdout is not None
        lines = [watch.stdout.readline().split(), watch.stdout.readline().split()]
        kubectl("label", "svc", "web", "-n", web, "x=y")
        lines.append(watch.stdout.readline().split())
        kubectl("delete", "svc", "web", "-n", web)
        lines.append(watch.stdout.readline().split())
        watch.terminate()
    assert lines[0][:2] == ["EVENT", "NAME"]
    assert [line[:2] for line in lines[1:]] == [
        ["ADDED", "web"],
        ["MODIFIED", "web"],
        ["DELETED", "web"],
    ]


def test_explain(kubectl):
    text = kubectl("explain", "service.spec.ports")
    assert re.search(r"^  port\t<integer> -required-$", text, re.MULTILINE)
    custom = kubectl("explain", "ipaddresspool.spec.addresses")
    assert "FIELD: addresses <[]string>" in custom
    assert "does not exist" in kubectl.fails("explain", "service.spec.nonsense")


def test_auth_questions(kubectl):
    assert kubectl("auth", "can-i", "delete", "pods", "-A") == "yes\n"
    assert "kubernetes-admin" in kubectl("auth", "whoami")
    assert "*.*" in kubectl("auth", "can-i", "--list")


def test_delete_one_many_and_none(kubectl, web):
    kubectl("create", "configmap", "c", "-n", web)
    kubectl("label", "cm", "c", "-n", web, "a=b")
    assert kubectl("delete", "svc", "web", "-n", web) == 'service "web" deleted\n'
    assert kubectl("delete", "cm", "-n", web, "-l", "a=b") == 'configmap "c" deleted\n'
    assert "NotFound" in kubectl.fails("delete", "svc", "web", "-n", web)
    assert kubectl("delete", "svc", "web", "-n", web, "--ignore-not-found") == ""


def test_delete_waits_for_finalizers(kubectl, web):
    patch = ("patch", "svc", "web", "-n", web, "--type=merge", "-p")
    kubectl(*patch, '{"metadata":{"finalizers":["example.com/hold"]}}')
    with kubectl.start("delete", "svc", "web", "-n", web, "--timeout=20s") as deleting:
        kubectl("wait", "svc/web", "-n", web, "--for=jsonpath={.metadata.deletionTimestamp}")
        kubectl(*patch, '{"metadata":{"finalizers":null}}')
        assert deleting.wait(30) == 0
    assert "NotFound" in kubectl.fails("get", "svc", "web", "-n", web)


def test_secret_string_data_and_types(kubectl, namespace):
    manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n"
    kubectl("apply", "-n", namespace, "-f", "-", stdin=manifest)
    stored = kubectl.json("get", "secret", "s", "-n", namespace)
    assert (stored["type"], stored["data"]) == ("Opaque", {"a": "Yg=="})
    assert "stringData" not in stored
    tls = manifest.replace("stringData", "type: kubernetes.io/tls\nstringData")
    refused = kubectl.fails("create", "-n", namespace, "-f", "-", stdin=tls.replace("s}", "t}"))
    assert "data[tls.crt]: Required value" in refused
