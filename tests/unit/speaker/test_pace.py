from ferrolb.speaker.pace import Pace


def test_a_burst_is_free_and_then_turns_come_at_the_rate():
    pace = Pace(rate=10, burst=3)
    assert [round(pace.take(now=100.0), 6) for _ in range(6)] == [0, 0, 0, 0.1, 0.2, 0.3]


def test_turns_not_taken_are_saved_up_to_the_burst():
    pace = Pace(rate=10, burst=2)
    for _ in range(5):
        pace.take(now=0.0)
    assert [round(pace.take(now=60.0), 6) for _ in range(3)] == [0, 0, 0.1]


def test_a_turn_waited_for_is_due_when_it_was_promised():
    pace = Pace(rate=10, burst=1)
    assert pace.take(now=0.0) == 0
    assert round(pace.take(now=0.0), 6) == 0.1
    assert round(pace.take(now=0.15), 6) == 0.05
