import pytest
from bench.wire import Chunks, answer_in

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PLAIN = HEAD + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nb\r\nlo\n0\r\n\r\nend\r\n0\r\n\r\n"
BODY = b"hello\n0\r\n\r\nend"


@pytest.mark.parametrize(("answer", "body"), [(PLAIN, b"hello"), (CHUNKED, BODY)])
def test_an_answer_is_taken_when_it_is_whole_and_not_before(answer, body):
    for length in range(len(answer)):
        assert answer_in(answer[:length]) is None
    assert answer_in(answer) == (200, body)


def test_chunks_are_the_same_in_whatever_pieces_they_come():
    for size in range(1, len(CHUNKED)):
        chunks = Chunks()
        found = b"".join(
            chunks.feed(CHUNKED[start : start + size]) for start in range(0, len(CHUNKED), size)
        )
        assert found == BODY
        assert chunks.has_ended
