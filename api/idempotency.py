"""Answers a repeated request with the answer to the first, by its `Idempotency-Key`."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.context import action_of, actor_of
from flexiprice.errors import Conflict, InvalidInput, JobAlreadyDone
from flexiprice.runs.receipts import find_receipt, write_receipt

# A receipt's key has the instant of enqueueing, because ids of jobs may be reused; keys of requests are not.
_NO_INSTANT: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HEADER: Final = "Idempotency-Key"

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Idempotency key: for 90 days, a repeated request changes nothing and returns the answer "
        "to the first.",
    ),
]


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """The receipt of a request that may be repeated; without a key, it keeps nothing."""

    receipt_id: str | None

    async def find(self, session: AsyncSession, body: BaseModel) -> bytes | None:
        """Returns the first answer to this request, as JSON; None if this is the first.

        Raises:
            InvalidInput: the key is that of a request with another body.
        """
        if self.receipt_id is None:
            return None
        receipt = await find_receipt(session, job_id=self.receipt_id, enqueued_at=_NO_INSTANT)
        if receipt is None:
            return None
        asked, _, answer = receipt.result.partition(b"\n")
        if asked != _digest(body):
            raise InvalidInput("the key was sent with another request: choose a new one", field=_HEADER)
        return answer

    async def keep(self, session: AsyncSession, body: BaseModel, answer: BaseModel) -> None:
        """Keeps the answer, in the transaction of the change; must be its last statement.

        Raises:
            Conflict: the same request was made at the same time; the transaction must be rolled back.
        """
        if self.receipt_id is None:
            return
        result = _digest(body) + b"\n" + answer.model_dump_json().encode()
        try:
            await write_receipt(session, job_id=self.receipt_id, enqueued_at=_NO_INSTANT, result=result)
        except JobAlreadyDone:
            raise Conflict("this request was sent twice at once; send it again", field=_HEADER) from None


async def _first_answer(request: Request, idempotency_key: IdempotencyKey = None) -> FirstAnswer:
    if idempotency_key is None:
        return FirstAnswer(None)
    named = json.dumps([actor_of(request), action_of(request), idempotency_key])
    return FirstAnswer(f"request-{hashlib.sha256(named.encode()).hexdigest()[:32]}")


def _digest(body: BaseModel) -> bytes:
    return hashlib.sha256(body.model_dump_json().encode()).hexdigest().encode()


OnceOnly = Annotated[FirstAnswer, Depends(_first_answer)]
