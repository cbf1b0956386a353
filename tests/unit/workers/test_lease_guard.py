"""After an interruption, a worker may expire others only after a whole lease of replies."""

from workers.runtime.recovery.heartbeat import LeaseGuard


def answered_until(last: int) -> LeaseGuard:
    contact = LeaseGuard()
    for second in range(last + 1):
        contact.answered(second)
    return contact


def test_worker_may_expire_others_after_a_whole_lease_of_replies():
    assert not answered_until(2).can_expire_others(2.9)
    assert answered_until(2).can_expire_others(3)
    assert answered_until(60).can_expire_others(61)


def test_missed_heartbeat_begins_the_proof_anew():
    contact = answered_until(9)
    contact.missed()
    assert not contact.can_expire_others(10)
    for second in (10, 11, 12):
        contact.answered(second)
    assert not contact.can_expire_others(12.9)
    assert contact.can_expire_others(13)


def test_late_heartbeat_or_late_reply_begins_the_proof_anew():
    contact = answered_until(9)
    assert not contact.can_expire_others(13)
    contact.answered(13)
    assert not contact.can_expire_others(14)
