from ipaddress import ip_address

from ferrolb.lab.probing import Span, Timeline, doubles, read_spans, silences
from ferrolb.model import Json, NodeName


def timeline(*questions, **settings):
    """Each question: who answered it; one a second, answers come 0.1 s later."""
    line = Timeline(**settings)
    for number, nodes in enumerate(questions):
        line.on_question(now=float(number))
        for node in nodes:
            line.on_answer(node, now=number + 0.1)
    line.finish()
    return line.spans()


def outline(spans):
    return [(span.first, span.last, span.questions, span.nodes) for span in spans]


def test_equal_neighbours_become_one_span():
    spans = timeline(["n1"], ["n1"], [], ["n2"], ["n2", "n1"], ["n2"])
    assert outline(spans) == [
        (0.0, 1.0, 2, ("n1",)),
        (2.0, 2.0, 1, ()),
        (3.0, 3.0, 1, ("n2",)),
        (4.0, 4.0, 1, ("n1", "n2")),
        (5.0, 5.0, 1, ("n2",)),
    ]
    assert (spans[0].first_answer, spans[0].last_answer) == (0.1, 1.1)


def test_silence_lasts_from_answer_to_answer():
    assert list(silences(timeline(["n1"], [], [], ["n2"]))) == [(0.1, 3.1)]
    assert list(silences(timeline([], ["n1"], []))) == [(0.0, 1.1), (1.1, 2.0)]
    assert list(silences(timeline(["n1"], ["n2"]))) == []


def test_two_answers_to_one_question_are_found():
    assert outline(doubles(timeline(["n1"], ["n1", "n2"], ["n2"]))) == [(1.0, 1.0, 1, ("n1", "n2"))]
    assert outline(doubles(timeline(["n1", "n1"], ["n2"]))) == []


def test_the_question_that_is_open_is_not_told_as_silence():
    line = Timeline()
    line.on_question(now=1.0)
    assert line.spans() == ()
    line.finish()
    assert outline(line.spans()) == [(1.0, 1.0, 1, ())]


def test_an_answer_from_before_the_question_does_not_count_for_it():
    line = Timeline()
    line.on_question(now=1.0)
    line.on_answer(NodeName("n1"), now=0.9)
    line.finish()
    line.on_answer(NodeName("n1"), now=1.1)
    assert outline(line.spans()) == [(1.0, 1.0, 1, ())]


def test_spans_are_bounded_and_told_since_a_time():
    spans = timeline(["n1"], [], ["n1"], [], limit=3)
    assert [span.first for span in spans] == [1.0, 2.0, 3.0]
    line = Timeline()
    for number in range(4):
        line.on_question(now=float(number))
    assert outline(line.spans(since=2.0)) == [(0.0, 2.0, 3, ())]
    assert outline(line.spans(since=2.5)) == []


def test_spans_survive_their_way_over_the_socket():
    spans = timeline(["n1"], [], ["n1", "n2"])
    told: Json = {"192.168.100.5": [span.to_json() for span in spans]}
    assert read_spans(told) == {ip_address("192.168.100.5"): spans}
    assert isinstance(spans[0], Span)
