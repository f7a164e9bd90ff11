"""Make `src/ferrolb/devserver/schemas/builtin.json` from Kubernetes' OpenAPI v3 documents.

The Go module `k8s.io/kubernetes` contains, under `api/openapi-spec/v3`, what a real API server
answers on `/openapi/v3`. This script takes from it the kinds that the development server serves,
with all types that they refer to, without descriptions. Needs `go` (or `--openapi DIRECTORY`).
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Final, TypeAlias, Union

Json: TypeAlias = Union["dict[str, Json]", "list[Json]", str, int, float, bool, None]
Schemas: TypeAlias = dict[str, Json]

MODULE: Final = "k8s.io/kubernetes@v1.34.3"
OPENAPI: Final = Path("api/openapi-spec/v3")
TARGET: Final = (
    Path(__file__).resolve().parent.parent / "src/ferrolb/devserver/schemas/builtin.json"
)
REFERENCE: Final = "#/components/schemas/"
META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."

KINDS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "api/v1": (
        "io.k8s.api.core.v1.",
        (
            "ConfigMap",
            "Endpoints",
            "Event",
            "Namespace",
            "Node",
            "Pod",
            "Secret",
            "Service",
            "ServiceAccount",
        ),
    ),
    "apis/admissionregistration.k8s.io/v1": (
        "io.k8s.api.admissionregistration.v1.",
        ("ValidatingWebhookConfiguration",),
    ),
    "apis/apiextensions.k8s.io/v1": (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.",
        ("CustomResourceDefinition",),
    ),
    "apis/apps/v1": ("io.k8s.api.apps.v1.", ("DaemonSet", "Deployment", "ReplicaSet")),
    "apis/authentication.k8s.io/v1": (
        "io.k8s.api.authentication.v1.",
        ("SelfSubjectReview", "TokenReview"),
    ),
    "apis/authorization.k8s.io/v1": (
        "io.k8s.api.authorization.v1.",
        ("SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"),
    ),
    "apis/coordination.k8s.io/v1": ("io.k8s.api.coordination.v1.", ("Lease",)),
    "apis/discovery.k8s.io/v1": ("io.k8s.api.discovery.v1.", ("EndpointSlice",)),
    "apis/events.k8s.io/v1": ("io.k8s.api.events.v1.", ("Event",)),
    "apis/rbac.authorization.k8s.io/v1": (
        "io.k8s.api.rbac.v1.",
        ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    ),
}
"""Group and version -> the prefix of its schemas' names, and the kinds that are served."""

META_TYPES: Final = (
    "APIResourceList",
    "Condition",
    "DeleteOptions",
    "LabelSelector",
    "ListMeta",
    "ObjectMeta",
    "Patch",
    "Status",
    "WatchEvent",
)


def main() -> int:
    """Write the file, or with `--check` tell by the exit status whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--openapi", type=Path, help="directory of OpenAPI v3 documents")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    directory: Path = options.openapi or _module_directory() / OPENAPI
    text = _render(_extract(directory))
    if not options.check:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{TARGET.name} is not what {MODULE} gives: run make schemas\n")
    return 1


def _module_directory() -> Path:
    answer = subprocess.run(
        ["go", "mod", "download", "-json", MODULE],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",  # outside of any module, so that no go.mod is read or changed
    )
    return Path(json.loads(answer.stdout)["Dir"])


def _extract(directory: Path) -> Schemas:
    found: Schemas = {}
    for group_version, (prefix, kinds) in KINDS.items():
        name = f"{group_version.replace('/', '__')}_openapi.json"
        document = json.loads((directory / name).read_text(encoding="utf-8"))
        schemas: Schemas = document["components"]["schemas"]
        wanted = [prefix + kind for kind in kinds] + [META + kind for kind in META_TYPES]
        while wanted:
            current = wanted.pop()
            if current in found or current not in schemas:
                continue
            found[current] = _trim(schemas[current])
            wanted.extend(_references(found[current]))
    missing = [
        prefix + kind
        for prefix, kinds in [*KINDS.values(), (META, META_TYPES)]
        for kind in kinds
        if prefix + kind not in found
    ]
    if missing:
        raise SystemExit(f"not in the documents: {', '.join(missing)}")
    return found


def _trim(schema: Json) -> Json:
    """Leave out descriptions, and the groups that a type like DeleteOptions also belongs to."""
    if isinstance(schema, list):
        return [_trim(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    trimmed: dict[str, Json] = {}
    for key, value in schema.items():
        if key == "properties" and isinstance(value, dict):
            trimmed[key] = {name: _trim(child) for name, child in value.items()}
        elif key == "x-kubernetes-group-version-kind" and isinstance(value, list):
            trimmed[key] = [item for item in value if _is_served(item)]
        elif key != "description":
            trimmed[key] = _trim(value)
    return trimmed


def _is_served(item: Json) -> bool:
    if not isinstance(item, dict):
        return False
    group, version = item["group"], item["version"]
    return (f"apis/{group}/{version}" if group else f"api/{version}") in KINDS


def _references(schema: Json) -> list[str]:
    if isinstance(schema, list):
        return [name for item in schema for name in _references(item)]
    if not isinstance(schema, dict):
        return []
    names: list[str] = []
    for key, value in schema.items():
        if key == "$ref" and isinstance(value, str):
            names.append(value.removeprefix(REFERENCE))
        else:
            names.extend(_references(value))
    return names


def _render(schemas: Schemas) -> str:
    """One line a type: a change of one type is one line of the diff."""
    lines = (
        f"{json.dumps(name)}:{json.dumps(schemas[name], sort_keys=True, separators=(',', ':'))}"
        for name in sorted(schemas)
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
