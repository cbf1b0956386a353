"""Colors and signs of states."""

import pytest

from api.monitor.status_style import status_style
from flexiprice.domain.run import RunStatus
from flexiprice.queue.status import JobStatus
from flexiprice.queue.worker.heartbeat import WorkerStatus


@pytest.mark.parametrize("state", [*RunStatus, *JobStatus, *WorkerStatus])
def test_every_status_has_a_sign_of_its_own_beside_its_color(state: str) -> None:
    assert status_style(state.value)[0] != status_style("a state that there is not")[0]
