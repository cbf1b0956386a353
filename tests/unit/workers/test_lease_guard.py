"""After an interruption, a worker may expire others only after a whole lease of replies."""

from workers.runtime.recovery.heartbeat import LeaseGuard


def guard_after_replies_until(last: int) -> LeaseGuard:
    guard = LeaseGuard()
    for second in range(last + 1):
        guard.record_success(second)
    return guard


def test_worker_may_expire_others_after_a_whole_lease_of_replies():
    assert not guard_after_replies_until(2).can_expire_others(2.9)
    assert guard_after_replies_until(2).can_expire_others(3)
    assert guard_after_replies_until(60).can_expire_others(61)


def test_missed_heartbeat_begins_the_proof_anew():
    guard = guard_after_replies_until(9)
    guard.record_failure()
    assert not guard.can_expire_others(10)
    for second in (10, 11, 12):
        guard.record_success(second)
    assert not guard.can_expire_others(12.9)
    assert guard.can_expire_others(13)


def test_late_heartbeat_or_late_reply_begins_the_proof_anew():
    guard = guard_after_replies_until(9)
    assert not guard.can_expire_others(13)
    guard.record_success(13)
    assert not guard.can_expire_others(14)
