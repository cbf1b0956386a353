"""An audit entry in words: action, values before and after, reason of a refusal."""

import pytest

from flexiprice.domain.audit import AuditOutcome, FieldChange
from flexiprice.domain.audit_words import AuditWords, audit_words

PRICE = FieldChange("5.00", "4.00")


def words(action: str, target: str, **parts: object) -> AuditWords:
    given = {"actor": "anna", "outcome": AuditOutcome.DONE, "changes": {}, "details": {}, **parts}
    return audit_words(action=action, target=target, **given)


@pytest.mark.parametrize(
    ("action", "target", "changes", "details", "sentence"),
    [
        ("change_product", "OMN-1", {"base_price": PRICE}, {}, "price of OMN-1: 5.00 → 4.00"),
        (
            "change_product",
            "OMN-1",
            {"unit_cost": FieldChange("2.10", None), "base_price": PRICE},
            {},
            "price of OMN-1: 5.00 → 4.00; cost 2.10 → none",
        ),
        (
            "create_store",
            "harbour",
            {"time_zone": FieldChange(None, "Europe/Berlin")},
            {},
            "create store harbour: time zone Europe/Berlin",
        ),
        (
            "delete_batch",
            "OMN-1 in main, expires 2026-12-01",
            {"quantity": FieldChange(7, None)},
            {"batch_id": 4711},
            "delete batch OMN-1 in main, expires 2026-12-01: quantity was 7",
        ),
        (
            "pause_queue",
            "discounts",
            {"paused": FieldChange(False, True)},
            {"changed": True},
            "pause queue discounts: paused no → yes",
        ),
        ("resume_queue", "discounts", {}, {"changed": False}, "resume queue discounts"),
        ("put_batches", "1,200 batches", {}, {"created": 1200}, "put 1,200 batches: created 1,200"),
        ("put_batches", "", {}, {"created": 0}, "put batches: created 0"),
        ("load_sample", "sample catalogue", {}, {"batches": 233}, "load the sample catalogue: batches 233"),
        ("offer_sign_in", "bootstrap", {}, {}, "offer a sign-in as bootstrap"),
        (
            "revoke_tasks",
            "a, b, c",
            {},
            {"outcomes": {"a": "prevented", "b": "prevented", "c": "unknown"}},
            "revoke tasks a, b, c: prevented 2, unknown 1",
        ),
        (
            "retry_tasks",
            "a, b",
            {},
            {"new_task_ids": {"a": "c", "b": None}},
            "retry tasks a, b: enqueued again 1 of 2",
        ),
        (
            "revoke_api_key",
            "till",
            {"revoked_at": FieldChange(None, "2026-03-01T09:30:12.123456+00:00")},
            {},
            "revoke api key till: revoked at 2026-03-01 09:30 UTC",
        ),
    ],
)
def test_audited_change_is_one_sentence(action, target, changes, details, sentence):
    assert words(action, target, changes=changes, details=details).sentence == sentence


def test_audited_refusal_says_why_and_how_often():
    details = {"reason": "nobody has this key", "times": 1200, "status": 401, "fault": "unknown"}
    told = words("use_api", "GET /api/v1/admin/stores", outcome=AuditOutcome.REFUSED, details=details)
    assert told.sentence == "GET /api/v1/admin/stores: refused, nobody has this key (1,200 times)"
    assert told.further == ()


def test_further_details_are_words_and_never_json():
    details = {"request_id": "8f2c", "options": {"atomic": True, "queues": ["a", "b"], "until": None}}
    told = words("put_batches", "2 batches", details=details)
    assert list(map(str, told.further)) == [
        "request id 8f2c",
        "options atomic: yes, queues: a, b, until: none",
    ]


def test_audited_account_is_followed_by_the_user_behind_sudo():
    assert words("migrate", "0008", details={"sudo_user": "anna"}, actor="root").who == "root (sudo by anna)"
