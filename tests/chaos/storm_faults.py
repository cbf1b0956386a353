"""Workers killed, stopped and frozen at random: only poison jobs become dead letters."""

import asyncio
import random
import signal
import time
from collections import Counter
from typing import Final

from flexiprice.queue.admin.dead_letters import count_dead_letters, list_dead_letters
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason
from tests.chaos.fault_tasks import POISON
from tests.chaos.harness import Harness, Worker
from tests.chaos.outcome import Outcome, outcome

SEED: Final = 20_261_126
_JOBS: Final = 500
_STORM_SECONDS: Final = 180.0
_STRIKE_EVERY_SECONDS: Final = 2.0
_FROZEN_SECONDS: Final = 6.0
# All that is left then may have to run alone, one job a worker at a time.
_CALM_SECONDS: Final = 900.0


async def kill_stop_and_freeze(harness: Harness) -> Outcome:
    """500 jobs, three workers, 180 s of kill, stop and freeze at random, a strike every two seconds."""
    jobs, _, strikes, rest = await _storm(harness, poisons=0)
    given_up = (await count_dead_letters(harness.queue.redis)).by_reason[DeadLetterReason.GIVEN_UP]
    return await outcome(
        harness,
        jobs,
        note=f"given up {given_up} of {len(jobs)}; seed {SEED}; {_told(strikes)}; {rest}",
        as_it_should=not given_up and min(strikes[kind] for kind in _STRIKES) > 0,
    )


async def poison_amid_the_storm(harness: Harness) -> Outcome:
    """A job that kills its workers among 100 that do not, and 60 s of kill, stop and freeze."""
    jobs, (poison,), strikes, rest = await _storm(harness, poisons=1, count=100, seconds=60)
    letters = [letter.job_id for letter in await list_dead_letters(harness.queue.redis)]
    return await outcome(
        harness,
        jobs,
        failing={poison: "worker_lost"},
        note=f"given up: {len(letters)}; seed {SEED}; {_told(strikes)}; {rest}",
        as_it_should=letters == [poison],
    )


_STRIKES: Final = ("kill", "stop", "freeze")


async def _storm(
    harness: Harness, *, poisons: int, count: int = _JOBS, seconds: float = _STORM_SECONDS
) -> tuple[list[str], list[str], Counter[str], str]:
    """Enqueues jobs all the while; returns them and those that kill, which strikes fell, and how it ended."""
    # The seed decides strikes, victims and durations of jobs; the start of a worker takes its own time.
    chance = random.Random(SEED)
    strikes = Counter[str]()
    thaws: list[asyncio.Task[None]] = []
    jobs: list[str] = []
    await harness.start_workers(3, worker_grace="1")
    poison = await harness.enqueue(poisons, POISON)
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        while len(jobs) < count * (passed + _STRIKE_EVERY_SECONDS) / seconds and len(jobs) < count:
            jobs += await harness.enqueue(before=round(chance.uniform(0.2, 3.0), 1))
        await asyncio.sleep(_STRIKE_EVERY_SECONDS)
        _replace_the_dead(harness)
        victim, strike = chance.choice(_alive(harness)), chance.choice(_STRIKES)
        strikes[strike] += 1
        match strike:
            case "kill":
                victim.kill()
            case "stop":
                victim.signal(signal.SIGTERM)
            case _:
                victim.signal(signal.SIGSTOP)
                thaws.append(asyncio.create_task(_thaw(victim)))
    await asyncio.gather(*thaws)
    calm = time.monotonic()
    ready = asyncio.create_task(harness.until_ready([*jobs, *poison], _CALM_SECONDS))
    while not ready.done():
        _replace_the_dead(harness)
        await asyncio.wait([ready], timeout=0.5)
    return jobs, poison, strikes, f"{time.monotonic() - calm:.0f} s for the rest"


def _alive(harness: Harness) -> list[Worker]:
    return [worker for worker in harness.workers if worker.is_alive]


def _replace_the_dead(harness: Harness) -> None:
    for _ in range(3 - len(_alive(harness))):
        harness.start_worker(worker_grace="1")


async def _thaw(worker: Worker) -> None:
    await asyncio.sleep(_FROZEN_SECONDS)
    if worker.is_alive:
        worker.signal(signal.SIGCONT)


def _told(strikes: Counter[str]) -> str:
    return ", ".join(f"{strikes[kind]} {kind}" for kind in _STRIKES)
