"""The page of imports: a file is uploaded, previewed and imported; dropped files are listed."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from sqlalchemy import text

from flexiprice.access.audit_log import list_audit
from flexiprice.catalog.imports.file_options import FileOptions
from flexiprice.catalog.imports.saved_mappings import delete_mapping, save_mapping
from flexiprice.domain.file_import import FileImportStatus
from flexiprice.import_folder.records import FileImportRecord, write_record
from tests.browser.browser import Visit, visiting
from tests.browser.harness import READ_KEY, Harness

GOOD = "sku,name,category,base_price,expiry_date,quantity\nUP-RYE,Rye bread,Bakery,3.49,2031-05-02,12\n"
BAD = "UP-MILK,Milk,Dairy,cheap,2031-05-02,3\n"


@pytest.fixture
def stock_file(tmp_path: Path) -> Path:
    path = tmp_path / "morning.csv"
    path.write_text(GOOD + BAD)
    return path


async def stock_of(harness: Harness, sku: str) -> int:
    async with harness.resources.sessions() as session:
        query = text(
            "SELECT coalesce(sum(quantity), 0) FROM batches JOIN products ON products.id = product_id "
            "WHERE sku = :sku"
        )
        return int((await session.execute(query, {"sku": sku})).scalar_one())


@pytest.mark.small
async def test_a_file_is_previewed_before_it_is_imported(
    visit: Visit, harness: Harness, stock_file: Path
) -> None:
    page = await visit.open("/imports")
    card = page.get_by_label("Import a file")
    async with page.expect_file_chooser() as choosing:
        await card.get_by_role("button", name="Choose a file").click()
    await (await choosing.value).set_files(stock_file)
    await expect(card).to_contain_text("morning.csv: nothing is written yet")
    await expect(card).to_contain_text("'cheap' is not a price")
    assert await stock_of(harness, "UP-RYE") == 0
    await card.get_by_role("button", name="Import 1 row").click()
    await expect(card).to_contain_text("morning.csv is imported")
    assert await stock_of(harness, "UP-RYE") == 12_000
    listed = page.get_by_label("Imported files").first
    await expect(listed).to_contain_text("morning.csv")
    await expect(listed).to_contain_text("partly")
    async with harness.resources.sessions() as session:
        entry = (await list_audit(session, limit=1))[0]
    assert (entry.action, entry.target, entry.source) == ("import_file", "morning.csv", "monitor")


async def test_options_change_the_preview(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "comma.csv"
    path.write_text(GOOD.replace("3.49", '"3,49"').replace("2031-05-02", "2.5.2031"))
    page = await visit.open("/imports")
    await page.locator("input[type=file]").set_input_files(path)
    card = page.get_by_label("Import a file")
    await expect(card).to_contain_text("No row can be imported")
    await card.get_by_text("Amounts have a decimal comma").click()
    await card.get_by_label("Date format").fill("%d.%m.%Y")
    await card.get_by_label("Date format").press("Tab")
    await expect(card.get_by_role("button", name="Import 1 row")).to_be_visible()


async def test_a_file_that_is_no_table_is_refused_with_the_reason(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "letter.csv"
    path.write_text("Dear grocer,\nplease find enclosed\n")
    page = await visit.open("/imports")
    await page.locator("input[type=file]").set_input_files(path)
    await expect(page.get_by_label("Import a file")).to_contain_text("the file has no column for sku")


async def test_a_key_that_may_not_change_prices_may_not_upload(
    browser: Browser, harness: Harness, stock_file: Path
) -> None:
    async with visiting(browser, harness, key=READ_KEY) as visit:
        page = await visit.open("/imports")
        await expect(page.get_by_label("Import a file")).to_contain_text("Your key is read-only")
        await expect(page.locator("input[type=file]")).to_have_count(0)


async def test_a_dropped_file_is_listed_with_the_reason_of_its_failure(
    visit: Visit, harness: Harness
) -> None:
    record = FileImportRecord(
        place="stock/night/export.csv",
        kind="stock",
        status=FileImportStatus.FAILED,
        error="there is no format or saved mapping 'night'",
    )
    async with harness.resources.sessions.begin() as session:
        await write_record(session, record, fingerprint=b"n" * 32)
    page = await visit.open("/imports")
    listed = page.get_by_label("Imported files").first
    await expect(listed).to_contain_text("stock/night/export.csv")
    await expect(listed).to_contain_text("there is no format or saved mapping 'night'")


async def test_an_import_that_is_refused_after_its_preview_is_in_the_audit(
    visit: Visit, harness: Harness, stock_file: Path
) -> None:
    async with harness.resources.sessions.begin() as session:
        await save_mapping(session, "night-shift", FileOptions(store="main"))
    page = await visit.open("/imports")
    card = page.get_by_label("Import a file")
    await card.get_by_label("Format", exact=True).click()
    await page.get_by_role("option", name="night-shift").click()
    await page.locator("input[type=file]").set_input_files(stock_file)
    await expect(card.get_by_role("button", name="Import 1 row")).to_be_visible()
    async with harness.resources.sessions.begin() as session:
        await delete_mapping(session, "night-shift")
    await card.get_by_role("button", name="Import 1 row").click()
    await expect(card).to_contain_text("there is no format or saved mapping 'night-shift'")
    async with harness.resources.sessions() as session:
        entry = (await list_audit(session, limit=1))[0]
    assert (entry.action, entry.target, entry.outcome) == ("import_file", "morning.csv", "refused")
