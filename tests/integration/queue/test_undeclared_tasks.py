"""Errors of a program for tasks that only newer workers declare."""

import pytest

from flexiprice.errors import InvalidInput
from flexiprice.queue.admin.inspect import get_declared_task
from flexiprice.queue.client import TaskQueue
from flexiprice.settings import Settings
from tests.support.workers import running, until_live


async def test_error_says_to_restart_where_only_workers_know_the_task(queue: TaskQueue, settings: Settings):
    async with running(settings):
        await until_live(queue)
        with pytest.raises(InvalidInput, match="restart this program") as refused:
            await get_declared_task(queue, "add")

    assert refused.value.details["field"] == "task"


async def test_error_lists_the_tasks_where_nobody_knows_it(queue: TaskQueue):
    with pytest.raises(
        InvalidInput, match="there is no task 'no_such_task'; there are recompute_all_discounts"
    ):
        await get_declared_task(queue, "no_such_task")


async def test_task_of_this_program_needs_no_worker(queue: TaskQueue):
    assert (await get_declared_task(queue, "recompute_all_discounts")).name == "recompute_all_discounts"
