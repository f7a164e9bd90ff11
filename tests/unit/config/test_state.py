import pytest

from ferrolb.config import (
    FIELD_CONDITION,
    POOL_CONDITION,
    Condition,
    ConfigError,
    ConfigurationResult,
    ConfigurationStatus,
    configuration_status,
    field_condition,
    handler_condition,
    pool_condition,
    read_conditions,
    unknown_condition,
)
from ferrolb.model import Json, ObjectRef


def error(message: str, path: str = "spec.addresses[0]", name: str = "p") -> ConfigError:
    ref = ObjectRef("IPAddressPool", "metallb-system", name)
    return ConfigError(object=ref, path=path, message=message)


OK = Condition(type="a", is_true=True, reason="Reconciled")
WRONG = Condition(type="b", is_true=False, reason="ConfigurationError", message="wrong")
LOST = Condition(type="c", is_true=False, reason="UnknownError", message="lost")
WRONG_TOO = Condition(type="d", is_true=False, reason="ConfigurationError", message="wrong too")
NOT_WRONG = Condition(type="e", is_true=True, reason="ConfigurationError", message="odd")


def test_no_errors() -> None:
    assert pool_condition([]) == Condition(
        type="poolReconcilerValid", is_true=True, reason="Reconciled", message=""
    )
    assert field_condition([]) == Condition(
        type="ferrolb.io/fieldsValid", is_true=True, reason="Reconciled", message=""
    )


def test_one_error_is_as_metallb_words_it() -> None:
    assert pool_condition([error('duplicate definition of pool "p"')]) == Condition(
        type=POOL_CONDITION,
        is_true=False,
        reason="ConfigurationError",
        message='configuration error: duplicate definition of pool "p"',
    )


def test_all_errors_one_a_line() -> None:
    condition = pool_condition([error("first"), error("second"), error("third")])
    assert condition.message == "configuration error: first\nsecond\nthird"


def test_fields_of_all_errors() -> None:
    condition = field_condition([error("first"), error("second", path="", name="q")])
    assert condition == Condition(
        type=FIELD_CONDITION,
        is_true=False,
        reason="FieldErrors",
        message="IPAddressPool metallb-system/p spec.addresses[0]: first\n"
        "IPAddressPool metallb-system/q: second",
    )


@pytest.mark.parametrize("length", [1, 30, 99, 1024])
@pytest.mark.parametrize("make", [pool_condition, field_condition])
def test_messages_fit_the_schema(make, length) -> None:
    errors = [error(f"{index:04}".ljust(length, "x")) for index in range(9000)]
    message = make(errors).message
    assert len(message) <= 32_768
    lines = message.split("\n")
    assert lines[-1] == f"and {9000 - len(lines) + 1} more"
    assert len(message) > 32_768 - length - 200


def test_a_single_endless_message_fits_the_schema() -> None:
    assert len(pool_condition([error("x" * 40_000), error("y")]).message) == 32_768
    assert len(unknown_condition("t", "x" * 40_000).message) == 32_768


def test_failures_of_another_kind() -> None:
    assert handler_condition("poolReconcilerValid") == Condition(
        type="poolReconcilerValid",
        is_true=False,
        reason="ConfigurationError",
        message="configuration error: general handler sync state error",
    )
    assert unknown_condition("poolReconcilerValid", "no answer") == Condition(
        type="poolReconcilerValid", is_true=False, reason="UnknownError", message="no answer"
    )


@pytest.mark.parametrize(
    ("conditions", "result", "summary"),
    [
        ([], "Unknown", ""),
        ([OK], "Valid", ""),
        ([OK, LOST], "Valid", ""),
        ([NOT_WRONG], "Valid", ""),
        ([OK, WRONG], "Invalid", "wrong"),
        ([WRONG, OK, LOST, WRONG_TOO], "Invalid", "wrong\nwrong too"),
    ],
)
def test_result_and_summary(conditions, result, summary) -> None:
    assert configuration_status(iter(conditions)) == ConfigurationStatus(
        result=ConfigurationResult(result), error_summary=summary, conditions=tuple(conditions)
    )


def test_a_nameless_failure_is_still_invalid() -> None:
    silent = Condition(type="x", is_true=False, reason="ConfigurationError")
    assert configuration_status([silent]).result == ConfigurationResult.INVALID


def test_field_errors_alone_do_not_make_it_invalid() -> None:
    status = configuration_status([field_condition([error("x")])])
    assert status.result == ConfigurationResult.VALID


def test_conditions_of_an_object() -> None:
    raw: Json = {
        "status": {
            "conditions": [
                {"type": "a", "status": "True", "reason": "Reconciled", "message": ""},
                {
                    "type": "b",
                    "status": "False",
                    "reason": "ConfigurationError",
                    "message": "wrong",
                },
                {"type": "u", "status": "Unknown"},
                {"status": "True"},
                "x",
                {"type": 7, "status": "True"},
            ]
        }
    }
    assert read_conditions(raw) == (
        OK,
        WRONG,
        Condition(type="u", is_true=False, reason=""),
    )


@pytest.mark.parametrize(
    "raw", [None, 7, {}, {"status": None}, {"status": []}, {"status": {"conditions": "x"}}]
)
def test_conditions_of_any_shape(raw: Json) -> None:
    assert read_conditions(raw) == ()
