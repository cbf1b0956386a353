"""Recycling of a worker after a number of jobs."""

from workers.runtime.recycling import Recycling


def test_worker_is_recycled_once_after_its_number_of_jobs() -> None:
    told: list[str] = []
    recycling = Recycling(3, on_due=lambda: told.append("due"))
    recycling.count()
    recycling.count()
    assert (told, recycling.due) == ([], False)
    # Jobs that run at that moment still end, and are counted.
    for _ in range(3):
        recycling.count()
        assert (told, recycling.due) == (["due"], True)


def test_zero_stands_for_a_worker_that_is_never_replaced() -> None:
    told: list[str] = []
    recycling = Recycling(0, on_due=lambda: told.append("due"))
    for _ in range(5000):
        recycling.count()
    assert (told, recycling.due) == ([], False)
