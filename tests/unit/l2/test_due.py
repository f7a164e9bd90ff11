from ferrolb.l2.due import DueQueue


def drain(queue: DueQueue[str], now: float) -> list[str]:
    found = []
    while (popped := queue.pop(now)) is not None:
        found.append(popped[0])
    return found


def test_keys_come_in_order_of_time_then_of_setting():
    queue: DueQueue[str] = DueQueue()
    for key, due in (("b", 2.0), ("c", 1.0), ("a", 2.0), ("late", 9.0)):
        queue.set(key, due)
    assert queue.next_due() == 1.0
    assert drain(queue, 2.0) == ["c", "b", "a"]
    assert "late" in queue
    assert queue.pop(8.9) is None
    assert queue.pop(9.5) == ("late", 9.0)
    assert queue.next_due() is None


def test_setting_again_replaces_and_discarding_forgets():
    queue: DueQueue[str] = DueQueue()
    queue.set("a", 1.0)
    queue.set("a", 3.0)
    queue.set("b", 2.0)
    queue.discard("b")
    queue.discard("never there")
    assert queue.next_due() == 3.0
    assert drain(queue, 10.0) == ["a"]
    assert len(queue) == 0


def test_outdated_entries_do_not_pile_up():
    queue: DueQueue[str] = DueQueue()
    queue.set("other", 5000.0)
    for i in range(10_000):
        queue.set("a", float(i))
    assert len(queue._heap) <= 2 * 2 + 64
    assert drain(queue, 9999.0) == ["other", "a"]
