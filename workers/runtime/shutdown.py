"""The graceful shutdown of a worker process, by signal, command, recycling or failure."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Final

from flexiprice.queue.worker.heartbeat import WorkerCommand
from flexiprice.telemetry import get_logger
from workers.runtime.worker import Worker

_LOGGER = get_logger(__name__)
# Time to requeue jobs after they were cancelled.
_REQUEUE_TIMEOUT_SECONDS: Final = 6.0


class Shutdown:
    """Starts the shutdown of a process once, and ends the grace period of its jobs.

    Attributes:
        requested: whether somebody asked for it, or a part of the process failed; recycling alone does not.
    """

    def __init__(
        self, grace: timedelta, *, drain_and_stop: Callable[[asyncio.Event], Coroutine[Any, Any, None]]
    ) -> None:
        """Waits for a request.

        Args:
            grace: how long running jobs may continue before they are requeued.
            drain_and_stop: called once; running jobs are requeued when its argument is set.
        """
        self.requested = False
        self._grace = grace
        self._drain_and_stop = drain_and_stop
        self._grace_ended = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None
        self._commands: set[WorkerCommand] = set()

    @property
    def has_begun(self) -> bool:
        """Whether the process claims no more jobs."""
        return self._draining is not None

    def install_signal_handlers(self) -> None:
        """Requests the shutdown on SIGTERM and SIGINT. A second signal ends the grace period."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self.request)

    def request(self) -> None:
        """Begins the shutdown; a second request ends the grace period."""
        if self.requested:
            self._grace_ended.set()
            return
        self.requested = True
        self.begin_within_grace()

    def on_command(self, command: WorkerCommand) -> None:
        """Begins the shutdown that a command asks for."""
        # Every heartbeat repeats it.
        if command in self._commands:
            return
        self._commands.add(command)
        _LOGGER.info("worker_command_received", command=command.value)
        self.requested = True
        if command is WorkerCommand.STOP:
            self.begin_within_grace()
        else:
            self.begin()

    def begin_within_grace(self) -> None:
        """Begins the shutdown; running jobs are requeued after the grace period."""
        asyncio.get_running_loop().call_later(self._grace.total_seconds(), self._grace_ended.set)
        self.begin()

    def begin(self) -> None:
        """Begins the shutdown; running jobs may finish."""
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain_and_stop(self._grace_ended), name="drain")

    async def join(self) -> None:
        """Waits until the shutdown has ended, if it has begun."""
        if self._draining is not None:
            await asyncio.wait([self._draining])


async def drain(worker: Worker, grace_ended: asyncio.Event) -> None:
    """Waits for the running jobs of a worker, and requeues them when the grace period has ended."""
    await worker.stop_consuming()
    if not worker.running:
        return
    _LOGGER.info("worker_draining", running=worker.running)
    idle = asyncio.create_task(worker.join())
    forced = asyncio.create_task(grace_ended.wait())
    await asyncio.wait([idle, forced], return_when=asyncio.FIRST_COMPLETED)
    forced.cancel()
    if not idle.done():
        worker.release_jobs()
        await asyncio.wait([idle], timeout=_REQUEUE_TIMEOUT_SECONDS)
        idle.cancel()
