"""An import of any bytes stores what its report says, and nothing of a refused file."""

import pickle

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.errors import InvalidInput

HEADER = b"sku,name,category,base_price,unit_cost,quantity,expiry_date,lot,store\n"
GOOD = b"GOOD-1,Rye bread,Bakery,3.49,1.20,24,2030-01-02,L1,main\n"
JSON_GOOD = (
    b'{"sku": "GOOD-1", "name": "Rye", "category": "B", "base_price": 3.49, "quantity": 1, '
    b'"expiry_date": "2030-01-02"}\n'
)
# Attacks on numbers, dates, the database's text, spreadsheets, and the reader itself.
BUCKET_COUNT = [
    "9" * 400, "1e999999999", "NaN", "-1", "0x10", "1_0", "٣", "9223372036854775808", "2147483648",
    "0000-00-00", "9999-12-31", "2030-02-30", "infinity", "a\x00b", "\x00", "\ud800", "\u202e", "\u2028",
    "=cmd|' /C calc'!A0", "=HYPERLINK(\"http://x\")", "+1+1", "-2+3", "@SUM(A1)", "\t=1", '"', '""', '"open',
    "'; DROP TABLE batches; --", "%s", "{}", "x" * 70_000, "main", "", "GOOD-1", "A",
]  # fmt: skip
cells = st.sampled_from(BUCKET_COUNT) | st.text(max_size=20)
rows = st.lists(cells, min_size=7, max_size=10).map(
    lambda parts: ",".join(parts).encode("utf-8", "surrogatepass")
)
nested = st.builds(
    lambda opening, depth: b'{"sku": ' + opening * depth,
    st.sampled_from([b"[", b'{"a":']),
    st.sampled_from([1, 900, 100_000]),
)
lines = rows | nested | st.binary(max_size=60) | st.just(pickle.dumps({"sku": "A"})) | st.just(JSON_GOOD)
files = st.builds(
    lambda header, found, more: header + b"\n".join(found) + b"\n" + more,
    st.sampled_from([HEADER, HEADER + GOOD, JSON_GOOD, b"", b"\xff\xfe", b"\xef\xbb\xbf" + HEADER]),
    st.lists(lines, max_size=6),
    st.sampled_from([b"", GOOD, JSON_GOOD]),
)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=files)
async def test_import_stores_what_its_report_says_and_nothing_of_a_refused_file(session, content):
    counts = text("SELECT (SELECT count(*) FROM products), (SELECT count(*) FROM batches)")
    unsound = text(
        r"SELECT count(*) FROM products JOIN batches ON product_id = products.id "
        r"WHERE sku || name || category || lot ~ '[\u0001-\u001f\u007f-\u009f]' OR sku <> btrim(sku)"
    )
    async with session.begin_nested() as rehearsal:
        before = (await session.execute(counts)).one()
        try:
            report = (await import_catalogue(session, [content])).report
        except InvalidInput as error:
            said, stored = error.message, (0, 0)
        else:
            said = "; ".join(str(problem) for row in report.bad_rows[:1] for problem in row.problems)
            assert report.read == report.imported + report.bad
            assert bool(said) == bool(report.bad)
            stored = (report.products_new, report.batches_new)
        assert len(said) < 2000
        products, batches = (await session.execute(counts)).one()
        assert (products - before[0], batches - before[1]) == stored
        assert await session.scalar(unsound) == 0
        await rehearsal.rollback()
