import pytest

from ferrolb.lab.control import (
    Answer,
    Request,
    answer_error,
    decode_answer,
    decode_request,
    encode_line,
)
from ferrolb.lab.errors import LabError, NoLabError, RefusedError


def test_a_request_is_one_line_and_reads_back():
    request = Request(do="exec", arguments={"host": "n1", "argv": ["echo", "a\nb"]})
    line = encode_line(request)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_request(line) == request


def test_a_request_without_arguments_has_none():
    assert decode_request(b'{"do": "status"}') == Request(do="status", arguments={})


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"[]", b'{"with": {}}', b'{"do": 1}', b'{"do": "x", "with": 3}', b"\xff"]
)
def test_anything_else_is_refused(line):
    with pytest.raises(RefusedError):
        decode_request(line)


def test_an_answer_carries_a_value():
    assert decode_answer(encode_line(Answer(value={"a": 1}))) == {"a": 1}
    assert decode_answer(b"{}\n") == {}


@pytest.mark.parametrize(
    ("error", "kind"), [(RefusedError("no"), RefusedError), (LabError("broken"), LabError)]
)
def test_an_error_comes_out_as_what_it_was(error, kind):
    with pytest.raises(LabError) as raised:
        decode_answer(encode_line(answer_error(error)))
    assert type(raised.value) is kind
    assert str(raised.value) == str(error)


def test_an_unreadable_answer_is_an_error_but_not_a_refusal():
    with pytest.raises(LabError) as raised:
        decode_answer(b"nonsense\n")
    assert not isinstance(raised.value, (RefusedError, NoLabError))
