"""`/admin/scans`: records scans of barcodes."""

from fastapi import APIRouter, Request

from api.audit.context import skip_audit
from api.deps import Transaction
from api.idempotency import OnceOnly
from api.openapi import problems
from api.reprice_after_commit import Reprice
from api.route_class import ProblemRoute
from api.schemas.scans import RecordedScanOut, ScanCreate, ScanOut
from flexiprice.catalog import scans
from flexiprice.db.clock import database_now

router = APIRouter(prefix="/scans", tags=["scans"], route_class=ProblemRoute)


@router.post("", responses=problems(401, 404, 409, 503))
async def record_scan(
    transaction: Transaction, reprice: Reprice, request: Request, once: OnceOnly, body: ScanCreate
) -> ScanOut:
    """Records a scan: finds its batch by GTIN and lot or date, or makes it; changes its stock.

    The code is the text that a scanner sends: of GS1-128, DataMatrix or a QR code, a GS1 Digital Link, or a
    plain GTIN. The date is AI 17 or 7003, else AI 15; day 00 is the last of the month. A code with a date
    makes a batch that does not exist. A lot names the batch, whose expiry date is corrected to the code's. A
    code without lot and date means the product's only batch that is in stock and not expired; if there are
    several, they are listed and nothing changes. Enqueues the repricing of the batch.
    """
    async with transaction() as session:
        first = await once.find(session, body)
        if first is None:
            recorded = await scans.record_scan(
                session,
                body.code,
                store=body.store,
                quantity=body.quantity,
                mode=body.mode,
                now=await database_now(session),
            )
            shown = RecordedScanOut.of_recorded(recorded)
            await once.keep(session, body, shown)
        else:
            skip_audit(request)
            shown = RecordedScanOut.model_validate_json(first)
    # Of a repeated request too: the first may have ended before it enqueued anything.
    repricing = await reprice.reprice([shown.batch.batch_id])
    return ScanOut(**shown.model_dump(), repricing=repricing)
