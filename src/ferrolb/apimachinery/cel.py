"""Validation rules of custom resource definitions (x-kubernetes-validations)."""

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from ferrolb.apimachinery.document import equal_json
from ferrolb.apimachinery.field_error import FieldError
from ferrolb.apimachinery.rule_texts import rule_text_errors, undefined_field
from ferrolb.apimachinery.schema_view import SchemaView
from ferrolb.apimachinery.schema_walk import ABSENT, Absent, children, join_path
from ferrolb.apimachinery.validation import BLOCKING, NO_FIELD, validate, validate_part
from ferrolb.model import Json, JsonObject

_ENGINE: Final = "ferrolb.apimachinery.cel_engine"

_NOT_CHECKED: Final = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)

_RESERVED: Final = frozenset(
    (
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "namespace",
        "null",
        "package",
        "return",
        "true",
        "var",
        "void",
        "while",
    )
)
_ESCAPES: Final = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_ESCAPED: Final = re.compile(r"__|[./-]")


class _Program(Protocol):
    @property
    def uses_old_self(self) -> bool: ...

    def evaluate(self, variables: JsonObject) -> "tuple[Json, str]": ...


class _Engine(Protocol):
    CelCompileError: type[Exception]

    def compile_expression(
        self, text: str, self_type: str, *, returns: str, is_old_optional: bool
    ) -> _Program: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    program: _Program
    text: str
    message: str
    message_program: _Program | None
    reason: str
    field_path: str
    is_old_optional: bool

    @property
    def label(self) -> str:
        """What names the rule in messages about its evaluation."""
        return self.message or self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules of a schema, compiled once; `errors` are those that could not be."""

    errors: tuple[FieldError, ...] = ()
    _rules: Mapping[SchemaView, tuple[_Rule, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def evaluate(
        self, obj: JsonObject, schema: SchemaView, old: JsonObject | None = None
    ) -> list[FieldError]:
        """Return the rules that `obj` breaks; `schema` is the one that they were compiled from.

        `old` is the object before this update. Rules on how a value may change are passed over
        where there was none.
        """
        before: Json | Absent = ABSENT if old is None else old
        return [error for error, is_new in self._walk(obj, before, schema, "") if is_new]

    def tolerated(
        self, obj: JsonObject, schema: SchemaView, old: JsonObject
    ) -> Iterator[FieldError]:
        """Give the rules that `obj` breaks, and breaks as it did before."""
        for error, is_new in self._walk(obj, old, schema, ""):
            if not is_new:
                yield error

    def _walk(
        self, value: Json, old: Json | Absent, schema: SchemaView, path: str
    ) -> Iterator[tuple[FieldError, bool]]:
        if value is None or schema.is_builtin or not self._rules:
            return
        for rule in self._rules.get(schema, ()):
            yield from _apply(rule, value, old, schema, path)
        is_map = schema.additional() is not None
        for item, before, child, place in children(value, old, schema, path):
            yield from self._walk(item, before, child, _keyed(path, place) if is_map else place)


def compile_rules(schema: SchemaView, path: str = "openAPIV3Schema") -> RuleSet:
    """Compile all rules of a definition's schema, which stands at `path` of the definition."""
    found = list(_declared(schema, path))
    if not found:
        return RuleSet()
    # The CEL library is an optional dependency, and takes a while to load.
    engine: _Engine = importlib.import_module(_ENGINE)
    rules: dict[SchemaView, tuple[_Rule, ...]] = {}
    errors: list[FieldError] = []
    for node, declared, place in found:
        if isinstance(declared, dict):
            errors += rule_text_errors(declared, node, place)
        compiled = _compile(engine, node, declared, place)
        if isinstance(compiled, FieldError):
            errors.append(compiled)
        else:
            rules[node] = (*rules.get(node, ()), compiled)
    return RuleSet(errors=tuple(errors), _rules=rules)


def validate_resource(
    obj: JsonObject, schema: SchemaView, rules: RuleSet, old: JsonObject | None = None
) -> list[FieldError]:
    """Return all that is wrong with a custom resource by its schema and by its rules."""
    return _with_rules(validate(obj, schema, old), obj, schema, rules, old)


def validate_status(
    obj: JsonObject, schema: SchemaView, rules: RuleSet, old: JsonObject
) -> list[FieldError]:
    """Return all that is wrong with a custom resource of which the status was written."""
    status = schema.property("status")
    errors: list[FieldError] = []
    if status is not None and "status" in obj:
        before = old.get("status", ABSENT)
        errors = validate_part(obj["status"], status, before, field="status")
    return _with_rules(errors, obj, schema, rules, old)


def _with_rules(
    errors: list[FieldError],
    obj: JsonObject,
    schema: SchemaView,
    rules: RuleSet,
    old: JsonObject | None,
) -> list[FieldError]:
    if not rules:
        return errors
    if any(error.kind in BLOCKING for error in errors):
        return [*errors, FieldError.invalid(NO_FIELD, None, _NOT_CHECKED)]
    return [*errors, *rules.evaluate(obj, schema, old)]


def tolerated_rules(
    obj: JsonObject, schema: SchemaView, rules: RuleSet, old: JsonObject
) -> list[FieldError]:
    """Return the rules that an update breaks where nothing has changed: it is warned of them."""
    return list(rules.tolerated(obj, schema, old))


def _keyed(path: str, place: str) -> str:
    """Return the place of a map's value as rules name it: by its key, in brackets."""
    key = place[len(path) + 1 :] if path else place
    return f"{path}[{key}]"


def _declared(schema: SchemaView, path: str) -> Iterator[tuple[SchemaView, Json, str]]:
    if schema.is_builtin:
        return
    listed = schema.raw.get("x-kubernetes-validations")
    for index, declared in enumerate(listed if isinstance(listed, list) else []):
        yield schema, declared, f"{path}.x-kubernetes-validations[{index}]"
    for name in schema.property_names():
        child = schema.property(name)
        if child is not None:
            yield from _declared(child, f"{path}.properties[{name}]")
    for keyword, child in (
        ("items", schema.items()),
        ("additionalProperties", schema.additional()),
    ):
        if child is not None:
            yield from _declared(child, f"{path}.{keyword}")


def _compile(engine: _Engine, schema: SchemaView, declared: Json, path: str) -> _Rule | FieldError:
    rule = declared if isinstance(declared, dict) else {}
    text = _text(rule, "rule")
    if not text:
        return FieldError.required(f"{path}.rule", "rule is not specified")
    is_old_optional = rule.get("optionalOldSelf") is True
    self_type = _self_type(schema)
    keyword, source, returns = "rule", text, "BOOL"
    names = frozenset(map(_escape, schema.property_names()))
    if undefined := undefined_field(text, schema, names):
        return FieldError.invalid(f"{path}.rule", text, undefined)
    try:
        program = engine.compile_expression(
            source, self_type, returns=returns, is_old_optional=is_old_optional
        )
        message_program = None
        if message := _text(rule, "messageExpression"):
            keyword, source, returns = "messageExpression", message, "STRING"
            message_program = engine.compile_expression(
                source, self_type, returns=returns, is_old_optional=is_old_optional
            )
    except engine.CelCompileError as error:
        return FieldError.invalid(f"{path}.{keyword}", source, str(error))
    return _Rule(
        program=program,
        text=text,
        message=_text(rule, "message"),
        message_program=message_program,
        reason=_text(rule, "reason"),
        field_path=_text(rule, "fieldPath").removeprefix("."),
        is_old_optional=is_old_optional,
    )


def _text(rule: JsonObject, key: str) -> str:
    value = rule.get(key)
    return value.strip() if isinstance(value, str) else ""


def _self_type(schema: SchemaView) -> str:
    return schema.type if schema.type and not schema.int_or_string else "any"


def _apply(
    rule: _Rule, value: Json, old: Json | Absent, schema: SchemaView, path: str
) -> Iterator[tuple[FieldError, bool]]:
    """Give what is wrong by one rule, and whether it is this update's doing."""
    has_old = old is not ABSENT and old is not None
    uses_old = rule.program.uses_old_self
    if uses_old and not has_old and not rule.is_old_optional:
        return
    variables: JsonObject = {"self": _to_cel(value, schema, is_root=not path)}
    if has_old and not isinstance(old, Absent):
        earlier = _to_cel(old, schema, is_root=not path)
        variables |= {"oldSelf": earlier, "oldSelves": [earlier]}
    else:
        variables["oldSelves"] = []
    result, failure = rule.program.evaluate(variables)
    if failure:
        text = _evaluation_text(failure, rule)
        yield FieldError.invalid(path or NO_FIELD, schema.type, text), True
    elif result is not True:
        is_same = not uses_old and not isinstance(old, Absent) and equal_json(value, old)
        yield _broken(rule, variables, schema, path), not is_same


def _evaluation_text(failure: str, rule: _Rule) -> str:
    if failure == "no such overload":
        return (
            f"'{failure}': call arguments did not match a supported operator, function or macro "
            f"signature for rule: {rule.label}"
        )
    return f"{failure} evaluating rule: {rule.label}"


def _broken(rule: _Rule, variables: JsonObject, schema: SchemaView, path: str) -> FieldError:
    detail = rule.message or f"failed rule: {rule.text}"
    if rule.message_program is not None:
        made, _ = rule.message_program.evaluate(variables)
        if isinstance(made, str) and made.strip() and "\n" not in made:
            detail = made.strip()
    place = join_path(path, rule.field_path) if rule.field_path else path or NO_FIELD
    match rule.reason:
        case "FieldValueRequired":
            return FieldError.required(place, detail)
        case "FieldValueForbidden":
            return FieldError.forbidden(place, detail)
        case "FieldValueDuplicate":
            return FieldError.duplicate(place, schema.type)
        case _:
            return FieldError.invalid(place, schema.type, detail)


def _to_cel(value: Json, schema: SchemaView | None, *, is_root: bool = False) -> Json:
    """Return what a rule sees: declared fields only, under names that are identifiers."""
    if isinstance(value, dict) and schema is not None:
        return _object_to_cel(value, schema, is_root=is_root)
    if isinstance(value, list) and schema is not None:
        items = schema.items()
        return [_to_cel(item, items) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and _is_number(schema):
        return float(value)
    return value


def _object_to_cel(value: JsonObject, schema: SchemaView, *, is_root: bool) -> JsonObject:
    seen: JsonObject = {}
    for key, item in value.items():
        declared = schema.property(key)
        if (is_root or schema.embedded_resource) and key == "metadata":
            names = item if isinstance(item, dict) else {}
            seen[key] = {name: names[name] for name in ("name", "generateName") if name in names}
        elif declared is not None:
            seen[_escape(key)] = _to_cel(item, declared)
        elif (values := schema.additional()) is not None:
            seen[key] = _to_cel(item, values)
    return seen


def _is_number(schema: SchemaView | None) -> bool:
    return schema is not None and schema.type == "number"


def _escape(name: str) -> str:
    if name in _RESERVED:
        return f"__{name}__"
    return _ESCAPED.sub(lambda match: _ESCAPES[match[0]], name)
