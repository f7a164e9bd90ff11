"""Make the data of `src/ferrolb/devserver/schemas` from Kubernetes' published Go modules.

`builtin.json`: `k8s.io/kubernetes` contains, under `api/openapi-spec/v3`, what a real API server
answers on `/openapi/v3`. Taken from it are the kinds that the development server serves, with all
types that they refer to, without descriptions and lists of allowed values.

`protobuf.json`: the field numbers of the kinds that kubectl sends as protobuf, from the struct
tags in `k8s.io/api` and `k8s.io/apimachinery`.

Needs `go`. With `--openapi DIRECTORY` the documents are another server's; protobuf is left alone.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final, TypeAlias, Union

Json: TypeAlias = Union["dict[str, Json]", "list[Json]", str, int, float, bool, None]
Schemas: TypeAlias = dict[str, Json]

MODULE: Final = "k8s.io/kubernetes@v1.34.3"
OPENAPI: Final = Path("api/openapi-spec/v3")
TARGETS: Final = Path(__file__).resolve().parent.parent / "src/ferrolb/devserver/schemas"
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

SUBRESOURCE_TYPES: Final = {"api/v1": ("io.k8s.api.authentication.v1.TokenRequest",)}
"""Kinds of another group that subresources take, by the document they are in."""

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


GO_PACKAGES: Final[dict[str, tuple[str, str]]] = {
    "apps/v1": ("k8s.io/api@v0.34.3", "apps/v1"),
    "authentication/v1": ("k8s.io/api@v0.34.3", "authentication/v1"),
    "authorization/v1": ("k8s.io/api@v0.34.3", "authorization/v1"),
    "core/v1": ("k8s.io/api@v0.34.3", "core/v1"),
    "meta/v1": ("k8s.io/apimachinery@v0.34.3", "pkg/apis/meta/v1"),
    "rbac/v1": ("k8s.io/api@v0.34.3", "rbac/v1"),
}

PROTOBUF_KINDS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "apps/v1": ("apps/v1", ("Deployment",)),
    "authentication.k8s.io/v1": (
        "authentication/v1",
        ("SelfSubjectReview", "TokenRequest", "TokenReview"),
    ),
    "authorization.k8s.io/v1": (
        "authorization/v1",
        (
            "LocalSubjectAccessReview",
            "SelfSubjectAccessReview",
            "SelfSubjectRulesReview",
            "SubjectAccessReview",
        ),
    ),
    "rbac.authorization.k8s.io/v1": (
        "rbac/v1",
        ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    ),
    "v1": ("core/v1", ("ConfigMap", "Namespace", "Secret", "Service", "ServiceAccount")),
}
"""Kinds that `kubectl create` and `kubectl auth` send as protobuf, by apiVersion."""

GO_FIELD: Final = re.compile(
    r'^\t(?:\w+ +)?(\S+) +`json:"([^"]*)"[^`\n]*protobuf:"([^"]*)"', re.MULTILINE
)
GO_IMPORTS: Final = {"metav1": "meta/v1", "v1": "core/v1"}
GO_SCALARS: Final = {
    "string": "string",
    "types.UID": "string",
    "bool": "bool",
    "int32": "int",
    "int64": "int",
    "[]byte": "bytes",
    "intstr.IntOrString": "int-or-string",
    "resource.Quantity": "quantity",
    "runtime.RawExtension": "json",
}
GO_SPECIAL: Final = {
    "meta/v1.Time": "time",
    "meta/v1.MicroTime": "micro-time",
    "meta/v1.FieldsV1": "json",
}


def main() -> int:
    """Write the files, or with `--check` tell by the exit status whether they are up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--openapi", type=Path, help="directory of OpenAPI v3 documents")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    directory: Path = options.openapi or _module_directory(MODULE) / OPENAPI
    made = {"builtin.json": _render(_extract(directory))}
    if options.openapi is None:
        made["protobuf.json"] = _render(_protobuf_tables())
    stale = [name for name, text in made.items() if _read(TARGETS / name) != text]
    if options.check and stale:
        sys.stderr.write(f"not what {MODULE} gives, run make schemas: {', '.join(stale)}\n")
        return 1
    for name in stale:
        (TARGETS / name).write_text(made[name], encoding="utf-8")
    return 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _module_directory(module: str) -> Path:
    answer = subprocess.run(
        ["go", "mod", "download", "-json", module],
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
        wanted += SUBRESOURCE_TYPES.get(group_version, ())
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
    """Leave out descriptions, and the groups that a type like DeleteOptions also belongs to.

    So are lists of allowed values, in which a running server differs from the published documents.
    """
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
        elif key != "description" and not (key == "enum" and isinstance(value, list)):
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


def _protobuf_tables() -> Schemas:
    """Return kinds -> their message, and message -> field number -> name, type, flag."""
    packages = {
        path: _Package(_module_directory(module) / directory / "types.go")
        for path, (module, directory) in GO_PACKAGES.items()
    }
    kinds: dict[str, Json] = {}
    wanted: list[tuple[str, str]] = []
    for api_version, (path, names) in PROTOBUF_KINDS.items():
        for name in names:
            kinds[f"{api_version} {name}"] = f"{path}.{name}"
            wanted.append((path, name))
    tables: Schemas = {"kinds": kinds}
    while wanted:
        path, name = wanted.pop()
        if f"{path}.{name}" not in tables:
            fields = packages[path].fields(path, name, packages)
            tables[f"{path}.{name}"] = {number: [*field] for number, field in fields.items()}
            for _, kind, _ in fields.values():
                message = kind.rpartition("@")[2] if "@" in kind else ""
                if message:
                    target, _, target_name = message.rpartition(".")
                    wanted.append((target, target_name))
    return tables


class _Package:
    """The types of one Go package."""

    def __init__(self, source: Path) -> None:
        text = source.read_text(encoding="utf-8")
        self.structs = dict(re.findall(r"^type (\w+) struct \{\n(.*?)^\}", text, re.M | re.S))
        self.aliases = dict(re.findall(r"^type (\w+) (?!struct)(\S+)$", text, re.M))

    def fields(
        self, path: str, name: str, packages: "dict[str, _Package]"
    ) -> dict[str, tuple[str, str, bool]]:
        """Return number -> JSON name (empty: inline), type, and whether a zero value counts."""
        found: dict[str, tuple[str, str, bool]] = {}
        for go_type, json_tag, proto_tag in GO_FIELD.findall(self.structs[name]):
            json_name, _, options = json_tag.partition(",")
            number = proto_tag.split(",")[1]
            counts = go_type.startswith("*") or "omitempty" not in options
            found[number] = (json_name, _kind(path, go_type.lstrip("*"), packages), counts)
        return found


def _kind(path: str, go_type: str, packages: "dict[str, _Package]") -> str:
    """Return a type's code: a scalar's name, `@message`, after `[]` or `map:` where repeated."""
    if go_type in GO_SCALARS:
        return GO_SCALARS[go_type]
    if go_type.startswith("[]"):
        return "[]" + _kind(path, go_type[2:].lstrip("*"), packages)
    if go_type.startswith("map["):
        return "map:" + _kind(path, go_type.partition("]")[2], packages)
    prefix, _, name = go_type.rpartition(".")
    path = GO_IMPORTS.get(prefix, path)
    if f"{path}.{name}" in GO_SPECIAL:
        return GO_SPECIAL[f"{path}.{name}"]
    if name in packages[path].structs:
        return f"@{path}.{name}"
    alias = packages[path].aliases[name]
    # A named list is a message of its own, with the entries as its only field.
    return "list" if alias == "[]string" else _kind(path, alias, packages)


if __name__ == "__main__":
    sys.exit(main())
