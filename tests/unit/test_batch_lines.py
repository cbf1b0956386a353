"""Lines of batches are read the same however they arrive, and in bounded memory."""

import pytest

from flexiprice.errors import InvalidInput
from flexiprice.services import batch_lines
from flexiprice.services.batch_lines import LineFormat, read_batch_lines

GOOD = '{"sku": "A", "expiry_date": "2025-03-01", "quantity": 1}'


async def read(*chunks: bytes, line_format: LineFormat = LineFormat.NDJSON):
    async def arriving():
        for chunk in chunks:
            yield chunk

    return [line async for lines in read_batch_lines(arriving(), line_format) for line in lines]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_where_the_bytes_are_cut_does_not_matter(size):
    text = f"\ufeff{GOOD}\r\n\r\n  \n{GOOD.replace('A', 'ü')}\n{{\n{GOOD}".encode()
    lines = await read(*(text[start : start + size] for start in range(0, len(text), size)))
    assert [line.number for line in lines] == [1, 4, 5, 6]
    assert [line.batch.sku if line.batch else None for line in lines] == ["A", "ü", None, "A"]


async def test_a_line_that_is_too_long_is_one_bad_line_however_long_it_is():
    piece = b"x" * 40_000
    lines = await read(piece, piece, piece, b"\n" + GOOD.encode() + b"\n", piece, piece)
    assert [(line.number, line.batch is None) for line in lines] == [(1, True), (2, False), (3, True)]
    assert "65536" in lines[0].problems[0].reason


async def test_more_lines_than_allowed_are_refused(monkeypatch):
    monkeypatch.setattr(batch_lines, "MAX_LINES", 3)
    assert len(await read(f"{GOOD}\n".encode() * 3)) == 3
    with pytest.raises(InvalidInput, match="more than 3 lines"):
        await read(f"{GOOD}\n".encode() * 4)


async def test_an_empty_cell_of_csv_stands_for_the_default():
    lines = await read(b"store,sku,lot,expiry_date,quantity\n,A, ,2025-03-01,1\n", line_format=LineFormat.CSV)
    assert (lines[0].batch.store, lines[0].batch.lot) == ("main", "")


@pytest.mark.parametrize("quantity", ["1.5", "1e3", "", "-1", "one", "2147483648", "9" * 5000])
async def test_a_quantity_is_a_whole_number_of_units(quantity):
    [line] = await read(
        f"sku,expiry_date,quantity\nA,2025-03-01,{quantity}\n".encode(), line_format=LineFormat.CSV
    )
    assert [problem.field for problem in line.problems] == ["quantity"]


async def test_what_is_wrong_with_a_line_is_told_in_bounded_words():
    body = '{"' + "k" * 5000 + '": 1, "a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "\\ud800": 1}\n'
    [line] = await read(body.encode())
    assert 0 < len(line.problems) <= 5
    assert all(len(problem.field or "") <= 100 for problem in line.problems)
