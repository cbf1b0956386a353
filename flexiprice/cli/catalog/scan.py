"""`flexiprice scan`: records the codes that a barcode scanner sends."""

import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Final

import typer
from pydantic import TypeAdapter, ValidationError

from flexiprice.catalog.gs1 import Scan
from flexiprice.catalog.scans import RecordedScan, ScanMode
from flexiprice.cli.broker import command_settings
from flexiprice.cli.catalog.scan_station import ScanOrder, ScanOutcome, scan_station
from flexiprice.cli.console import JsonOption, escaped, output, print_json, stderr
from flexiprice.cli.json_words import further_facts, record_in_api_words
from flexiprice.cli.tasks.enqueue import repricing
from flexiprice.db.tables import MAIN_STORE
from flexiprice.domain.expiry import expiry_words
from flexiprice.domain.quantity import Quantity, format_quantity
from flexiprice.domain.validation_reasons import reason_of
from flexiprice.errors import InvalidInput
from flexiprice.plurals import counted

SOME_SCANS_BAD = 3
_QUANTITY: Final = TypeAdapter[Decimal](Quantity)


def _quantity(text: str) -> Decimal:
    try:
        return _QUANTITY.validate_python(text)
    except ValidationError as error:
        raise typer.BadParameter(reason_of(error.errors(include_url=False)[0])) from None


def scan(
    *,
    codes: Annotated[
        list[str] | None,
        typer.Argument(metavar="CODE", help="Scanned codes; without one, lines of standard input are read."),
    ] = None,
    store: Annotated[str, typer.Option(metavar="CODE", help="Store whose stock changes.")] = MAIN_STORE,
    is_count: Annotated[
        bool,
        typer.Option(
            "--set/--add",
            help="`--add` adds the quantity, as a delivery; `--set` makes it the stock, as a count.",
        ),
    ] = False,
    quantity: Annotated[
        Decimal | None,
        typer.Option(
            parser=_quantity,
            metavar="NUMBER",
            help="Quantity of each scan, in the product's unit. [default: the count or weight in the code, "
            "or 1; `--set` needs it]",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Record scanned barcodes: find the batch of each, or make it, and change its stock.

    A code is the text that a scanner sends: of GS1-128, DataMatrix or a QR code, a GS1 Digital Link, or a
    plain GTIN. A scanner that types is a keyboard: start the command without a code, and scan until Ctrl-D.

    The GTIN names the product. The lot (10) names the batch, and its date is corrected to that of the code
    (17, else 15); without a lot, the date names it. A code with a date makes a batch that does not exist; a
    code without lot and date means the product's only batch that is in stock and not expired.

    Each scan is one transaction and reprices its batch.

    Exit codes: 0 all scans recorded, 3 some were refused and the others recorded, 1 none recorded.
    """
    settings = command_settings()
    if is_count and quantity is None:
        raise InvalidInput("--set needs the quantity that was counted, such as --quantity 24")
    order = ScanOrder(store, quantity, ScanMode.SET if is_count else ScanMode.ADD)
    outcomes: list[tuple[str, ScanOutcome]] = []
    with scan_station(settings, order) as station:
        for code in codes or _typed():
            outcome = station.record(code)
            outcomes.append((code, outcome))
            if not as_json:
                _show(len(outcomes), code, outcome)
    bad = sum(outcome.error is not None for _, outcome in outcomes)
    if as_json:
        scans = [_as_json(code, outcome) for code, outcome in outcomes]
        print_json({"recorded": len(outcomes) - bad, "bad": bad, "scans": scans})
    elif len(outcomes) > 1:
        output().print(f"{counted(len(outcomes) - bad, 'scan')} recorded, {bad} refused.", style="dim")
    if bad:
        raise typer.Exit(SOME_SCANS_BAD if bad < len(outcomes) else 1)


def _typed() -> Iterator[str]:
    if sys.stdin.isatty():
        stderr().print("Scan, or type a code and Enter; Ctrl-D ends.")
    # Bytes: text would end a line at the separator GS.
    for line in sys.stdin.buffer:
        if code := line.decode(errors="replace").strip():
            yield code


def _show(number: int, code: str, outcome: ScanOutcome) -> None:
    console = output()
    if outcome.recorded is None:
        reason = outcome.error.message if outcome.error else ""
        console.print(f"[red]{number}. {escaped(code)} refused: {escaped(reason)}[/]", soft_wrap=True)
    else:
        console.print(f"{number}. {escaped(_sentence(outcome.recorded))}", soft_wrap=True)


def _sentence(recorded: RecordedScan) -> str:
    batch = recorded.batch
    lot = f", lot {batch.lot}" if batch.lot else ""
    before = "new batch," if recorded.created else f"{format_quantity(recorded.quantity_before)} →"
    stock = f"{before} {format_quantity(batch.quantity, batch.unit)} in stock"
    weight = f", {recorded.scan.weight:f} kg" if recorded.scan.weight is not None else ""
    old = recorded.expiry_date_before
    day = f"expires {batch.expiry_date}" if batch.expiry_date else expiry_words(None)
    expires = f"{day}{f', corrected from {expiry_words(old)}' if old else ''}"
    return f"{batch.sku} {batch.product} in {batch.store}{lot}, {expires}: {stock}{weight}"


def _as_json(code: str, outcome: ScanOutcome) -> dict[str, object]:
    if outcome.recorded is not None:
        return {
            "code": code,
            **record_in_api_words(outcome.recorded),
            "repricing": repricing(outcome.job),
        }
    error = outcome.error
    return {"code": code, "error": error and {"code": error.code, "message": error.message}}


@further_facts.register
def _(record: Scan, shown: dict[str, object]) -> dict[str, object]:  # noqa: ARG001
    return {"elements": dict(record.elements)}
