"""A file that is dropped into the watched directory is imported once, and moved with its report."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from flexiprice.access.audit_log import list_audit
from flexiprice.catalog.imports.file_options import FileOptions
from flexiprice.catalog.imports.saved_mappings import save_mapping
from flexiprice.db.import_tables import FileImport
from flexiprice.db.tables import Batch, Product
from flexiprice.errors import InvalidSettings
from flexiprice.import_folder import FileOutcome, FolderSummary, import_folder
from flexiprice.resources import Resources, open_resources
from flexiprice.settings import load_settings

STOCK = "sku,name,category,base_price,expiry_date,quantity\nRYE,Rye bread,Bakery,3.49,2031-05-02,{}\n"
SALE = "line_id,occurred_at,sku,quantity\n{},2026-03-31T09:00:00Z,RYE,2\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The watched directory, empty."""
    return tmp_path


@pytest.fixture
async def resources(database_url: str, redis_url: str, directory: Path) -> AsyncIterator[Resources]:
    settings = load_settings(
        env_files=(),
        database_url=database_url,
        redis_url=redis_url,
        import_directory=directory,
        import_settle=timedelta(0),
        event_retention_days=36500,
    )
    async with open_resources(settings, program="flexiprice-tests") as opened:
        yield opened


async def run(resources: Resources, seen: list[FileOutcome] | None = None) -> FolderSummary:
    outcomes = [] if seen is None else seen

    async def on_imported(outcome: FileOutcome) -> None:
        outcomes.append(outcome)

    return await import_folder(
        resources.sessions,
        resources.settings,
        on_imported=on_imported,
        on_progress=lambda *_: None,
    )


def drop(directory: Path, place: str, content: str | bytes) -> Path:
    path = directory / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def found_in(directory: Path, folder: str) -> list[str]:
    """The names of finished files without the instant that makes them unique."""
    return sorted(path.name.partition("Z-")[2] for path in (directory / folder).rglob("*") if path.is_file())


def report_of(directory: Path, folder: str, name: str) -> dict:
    [path] = (directory / folder).rglob(f"*{name}.report.json")
    return json.loads(path.read_text())


async def stock_of(resources: Resources) -> dict[str, int]:
    async with resources.sessions() as session:
        rows = await session.execute(select(Product.sku, Batch.quantity).join(Batch))
        return {sku: int(quantity) for sku, quantity in rows}


async def test_a_file_is_imported_and_moved_to_done_with_its_report(
    resources: Resources, directory: Path
) -> None:
    drop(directory, "stock/morning.csv", STOCK.format(12))
    seen: list[FileOutcome] = []
    assert await run(resources, seen) == FolderSummary(imported=1)
    assert await stock_of(resources) == {"RYE": 12}
    assert len(seen[0].changed_batches) == 1
    assert found_in(directory, "stock") == []
    assert found_in(directory, "done") == ["morning.csv", "morning.csv.report.json"]
    report = report_of(directory, "done", "morning.csv")
    assert (report["file"], report["status"], report["error"]) == ("stock/morning.csv", "imported", None)
    assert report["report"]["batches_new"] == 1


async def test_the_first_run_makes_the_folders(resources: Resources, directory: Path) -> None:
    assert await run(resources) == FolderSummary()
    folders = {"stock", "complete", "prices", "sales", "waste", "counts", "deliveries", "done", "failed"}
    assert set(os.listdir(directory)) == folders  # noqa: PTH208 -- names alone


async def test_bad_rows_are_left_out_and_written_beside_the_file(
    resources: Resources, directory: Path
) -> None:
    drop(directory, "stock/a.csv", STOCK.format(12) + "MILK,Milk,Dairy,cheap,2031-05-02,3\n")
    assert await run(resources) == FolderSummary(partly=1)
    assert await stock_of(resources) == {"RYE": 12}
    [errors] = (directory / "done").rglob("*a.csv.errors.csv")
    assert errors.read_text() == "line,column,reason\n3,base_price,'cheap' is not a price\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        ("sku,price\nRYE,3.49\n", "no column for"),
        (
            "sku,expiry_date,quantity\nNOBODY,2031-05-02,3\n",
            "nothing was imported: 1 of 1 row cannot be used",
        ),
    ],
)
async def test_a_file_that_cannot_be_used_is_moved_to_failed_with_the_reason(
    resources: Resources, directory: Path, content: str | bytes, reason: str
) -> None:
    drop(directory, "stock/a.csv", content)
    drop(directory, "stock/b.csv", STOCK.format(12))
    assert await run(resources) == FolderSummary(failed=1, imported=1)
    assert "a.csv" in found_in(directory, "failed")
    assert reason in report_of(directory, "failed", "a.csv")["error"]
    async with resources.sessions() as session:
        entries = await list_audit(session, limit=10)
    refused = [entry for entry in entries if entry.outcome == "refused"]
    assert [(entry.target, entry.source) for entry in refused] == [("stock/a.csv", "folder")]


async def test_a_file_outside_of_the_folders_is_refused_with_their_names(
    resources: Resources, directory: Path
) -> None:
    drop(directory, "lost.csv", STOCK.format(12))
    assert await run(resources) == FolderSummary(failed=1)
    error = report_of(directory, "failed", "lost.csv")["error"]
    assert error.startswith("lost.csv lies in no folder: drop it into one of stock, complete, prices, sales")


async def test_a_folder_inside_names_the_format(resources: Resources, directory: Path) -> None:
    async with resources.sessions.begin() as session:
        await save_mapping(session, "night", FileOptions(decimal_comma=True, date_formats=("%d.%m.%Y",)))
    content = 'sku,name,category,base_price,expiry_date,quantity\nRYE,Rye,Bakery,"3,49",2.5.2031,12\n'
    drop(directory, "stock/night/export.csv", content)
    drop(directory, "stock/unknown/export.csv", content)
    assert await run(resources) == FolderSummary(imported=1, failed=1)
    assert await stock_of(resources) == {"RYE": 12}
    [refused] = (directory / "failed").rglob("*.report.json")
    assert "no format or saved mapping 'unknown'" in refused.read_text()


async def test_a_complete_file_marks_what_it_leaves_out_as_sold_out(
    resources: Resources, directory: Path
) -> None:
    rows = STOCK.format(12) + "".join(f"SKU{n},Roll,Bakery,0.49,2031-05-02,3\n" for n in range(9))
    drop(directory, "complete/monday.csv", rows)
    await run(resources)
    drop(directory, "complete/tuesday.csv", rows.replace("SKU0,Roll,Bakery,0.49,2031-05-02,3\n", ""))
    assert await run(resources) == FolderSummary(imported=1)
    assert (await stock_of(resources))["SKU0"] == 0


async def test_a_complete_file_with_a_bad_row_changes_nothing(resources: Resources, directory: Path) -> None:
    drop(directory, "complete/monday.csv", STOCK.format(12) + "MILK,Milk,Dairy,cheap,2031-05-02,3\n")
    assert await run(resources) == FolderSummary(failed=1)
    assert await stock_of(resources) == {}


async def test_a_file_of_prices_changes_prices_alone(resources: Resources, directory: Path) -> None:
    drop(directory, "stock/a.csv", STOCK.format(12))
    await run(resources)
    seen: list[FileOutcome] = []
    drop(directory, "prices/spring.csv", "sku,base_price\nRYE,2.99\n")
    assert await run(resources, seen) == FolderSummary(imported=1)
    assert seen[0].has_changed_products
    async with resources.sessions() as session:
        assert str(await session.scalar(select(Product.base_price))) == "2.99"
    assert await stock_of(resources) == {"RYE": 12}


async def test_events_are_recorded_with_the_folder_as_their_source(
    resources: Resources, directory: Path
) -> None:
    drop(directory, "stock/a.csv", STOCK.format(12))
    await run(resources)
    async with resources.sessions.begin() as session:
        await session.execute(text("UPDATE batch_statements SET stated_at = '2026-03-31T06:00:00Z'"))
    drop(directory, "sales/till-1/noon.csv", SALE.format(1))
    drop(directory, "sales/till-2/noon.csv", SALE.format(1))
    drop(directory, "sales/nobody.csv", SALE.format(1))
    assert await run(resources) == FolderSummary(imported=2, failed=1)
    assert await stock_of(resources) == {"RYE": 8}


async def test_stock_holds_when_its_file_was_written(resources: Resources, directory: Path) -> None:
    path = drop(directory, "stock/a.csv", STOCK.format(12))
    os.utime(path, (1_774_944_000, 1_774_944_000))
    await run(resources)
    async with resources.sessions() as session:
        stated = await session.scalar(text("SELECT stated_at FROM batch_statements"))
    assert stated.isoformat() == "2026-03-31T08:00:00+00:00"


async def test_an_unfinished_file_waits(resources: Resources, directory: Path) -> None:
    for name in ("a.csv.part", ".a.csv", "a.csv.tmp"):
        drop(directory, f"stock/{name}", STOCK.format(12))
    (directory / "stock/link.csv").symlink_to("/etc/hostname")
    assert await run(resources) == FolderSummary()
    settling = resources.settings.model_copy(update={"import_settle": timedelta(hours=1)})
    drop(directory, "stock/a.csv", STOCK.format(12))
    still_settling = Resources(
        settling, resources.engine, resources.sessions, resources.redis, resources.tasks
    )
    assert await run(still_settling) == FolderSummary()
    assert await run(resources) == FolderSummary(imported=1)


async def test_a_file_that_was_imported_but_could_not_be_moved_is_only_moved(
    resources: Resources, directory: Path
) -> None:
    drop(directory, "stock/a.csv", STOCK.format(12))
    in_the_way = drop(directory, "done/stock", "a file where the folder should be")
    with pytest.raises(InvalidSettings, match=r"cannot be read or moved: stock/a.csv: File exists"):
        await run(resources)
    assert await stock_of(resources) == {"RYE": 12}
    async with resources.sessions.begin() as session:
        await session.execute(text("UPDATE batches SET quantity = 5000"))
    in_the_way.unlink()
    assert await run(resources) == FolderSummary(imported=1)
    assert await stock_of(resources) == {"RYE": 5}
    assert found_in(directory, "done") == ["a.csv", "a.csv.report.json"]
    async with resources.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(FileImport)) == 1


async def test_the_same_content_dropped_again_is_another_file(resources: Resources, directory: Path) -> None:
    for quantity in (12, 7, 12):
        drop(directory, "stock/a.csv", STOCK.format(quantity))
        assert await run(resources) == FolderSummary(imported=1)
    assert await stock_of(resources) == {"RYE": 12}
    assert found_in(directory, "done").count("a.csv") == 3


async def test_one_run_at_a_time(resources: Resources, directory: Path) -> None:
    drop(directory, "stock/a.csv", STOCK.format(12))
    both = await asyncio.gather(run(resources), run(resources))
    assert sorted(both, key=lambda summary: summary.is_busy) in (
        [FolderSummary(imported=1), FolderSummary(is_busy=True)],
        [FolderSummary(imported=1), FolderSummary()],
    )
    assert await stock_of(resources) == {"RYE": 12}


async def test_a_directory_that_is_missing_is_named(resources: Resources, directory: Path) -> None:
    missing = resources.settings.model_copy(update={"import_directory": directory / "missing"})
    with pytest.raises(InvalidSettings, match=r"FLEXIPRICE_IMPORT_DIRECTORY .* cannot be used: No such file"):
        await run(replace(resources, settings=missing))
