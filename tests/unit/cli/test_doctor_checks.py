"""Checks of `doctor`: draining workers, paused queues, failing and undeclared tasks."""

from dataclasses import replace

from flexiprice.cli.doctor.clock_checks import check_schedules
from flexiprice.cli.doctor.findings import Health
from flexiprice.cli.doctor.queue_checks import (
    check_dead_letters,
    check_queues,
    check_undeclared,
    check_workers,
)
from flexiprice.cli.doctor.run_checks import check_failing
from flexiprice.queue.admin.dead_letters import DeadLetterCounts
from flexiprice.queue.admin.inspect import UndeclaredTask
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason
from flexiprice.queue.worker.heartbeat import WorkerStatus
from flexiprice.settings import Queue
from tests.support.states import NOON, NOW, failing, queue, schedule, worker


def test_a_queue_whose_only_worker_drains_fails_and_one_beside_it_is_enough() -> None:
    draining = worker(status=WorkerStatus.DRAINING)
    found = list(check_workers([draining]))
    assert [finding.health for finding in found] == [Health.WARNING, *[Health.FAILED] * len(Queue)]
    assert "drains: it takes no more jobs, and 0 jobs run" in found[0].detail
    assert found[1].detail.startswith("none takes from the queue")
    assert "till-1 pid 77, draining" in found[1].detail
    assert {finding.health for finding in check_workers([draining, worker()])} == {Health.OK, Health.WARNING}
    (ticks,) = check_schedules([schedule()], [draining])
    assert ticks.health is Health.FAILED


def test_doctor_warns_of_paused_queues_with_time_person_and_remedy() -> None:
    assert list(check_queues([queue()])) == []
    (finding,) = check_queues([queue(paused_at=NOON, paused_by="night shift", waiting=1)])
    assert finding.health is Health.WARNING
    assert "by night shift; 1 job waits" in finding.detail
    assert finding.advice.endswith("discounts")
    (empty,) = check_queues([queue(paused_at=NOON)])
    assert empty.health is Health.WARNING
    (paused,) = check_schedules([schedule(paused_at=NOON, paused_by="night shift")], [worker()])
    assert paused.health is Health.WARNING
    assert "is paused since" in paused.detail


def test_a_task_that_no_worker_declares_calls_for_the_version_that_has_it() -> None:
    unknown = UndeclaredTask(task="count_stock", queue=Queue.DISCOUNTS, waiting=2, since=None)
    (finding,) = check_undeclared([unknown])
    assert finding.detail == "no worker declares count_stock: 2 jobs wait in discounts"
    assert finding.advice == "start or restart a worker of the version that has it"
    (since,) = check_undeclared([replace(unknown, since=NOON)])
    assert " since " in since.detail
    given_up = check_dead_letters(DeadLetterCounts(by_reason={DeadLetterReason.UNKNOWN_TASK: 1}))
    assert given_up.detail.startswith("1 needs a person")
    assert "the version that has it" in given_up.advice


def test_doctor_reports_failing_tasks_and_fails_for_scheduled_ones() -> None:
    (finding,) = check_failing([failing()], now=NOW)
    assert finding.health is Health.WARNING
    assert finding.detail.startswith("recompute_batches failed the last 3 times it ran, since ")
    assert finding.detail.endswith(": there is no such batch")
    assert finding.advice == "flexiprice runs --task recompute_batches --status failed --since 1d"
    (broken,) = check_failing([failing(scheduled=True)], now=NOW)
    assert broken.health is Health.FAILED
    (well,) = check_failing([], now=NOW)
    assert (well.health, well.detail) == (Health.OK, "no task fails")
