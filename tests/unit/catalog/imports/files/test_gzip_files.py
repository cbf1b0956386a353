"""A compressed file is unpacked by its content, within a limit."""

import gzip
import zlib

import pytest

from flexiprice.catalog.imports.files.gzip_files import unpack_gzip
from flexiprice.catalog.imports.files.sources import SourceOptions, open_source
from flexiprice.errors import InvalidInput

TEXT = b"sku,name\n" + b"".join(b"A%d,Rice\n" % number for number in range(50_000))


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_the_pieces_of_a_compressed_file_are_the_file(size: int) -> None:
    unpacked = list(unpack_gzip(pieces(gzip.compress(TEXT), size), max_bytes=len(TEXT)))
    assert b"".join(unpacked) == TEXT
    assert max(map(len, unpacked)) <= 1 << 16


def test_members_in_a_row_and_padding_are_one_file() -> None:
    packed = gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]) + bytes(512)
    assert b"".join(unpack_gzip(pieces(packed, 100), max_bytes=1 << 20)) == TEXT


def test_a_bomb_is_refused_after_its_limit_and_not_unpacked_whole() -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(bytes(100 << 20)) + packer.flush()
    assert len(bomb) < 200_000
    unpacked: list[bytes] = []
    with pytest.raises(InvalidInput, match=r"more than 1,000,000 bytes: .* FLEXIPRICE_MAX_UNPACKED_BYTES"):
        unpacked.extend(unpack_gzip([bomb], max_bytes=1_000_000))
    assert 900_000 < sum(map(len, unpacked)) <= 1_000_000


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (gzip.compress(TEXT)[:-20], "is cut off"),
        (gzip.compress(TEXT)[:2], "is cut off"),
        (gzip.compress(TEXT)[:-6] + b"wrong!", "is damaged"),
        (gzip.compress(TEXT) + b"sku,name\n", "is damaged"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(packed: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        list(unpack_gzip(pieces(packed, 1000), max_bytes=1 << 20))


def test_the_file_inside_is_detected_by_its_content() -> None:
    for inside, line in ((TEXT, 2), (b'{"sku": "A0"}\n{"sku": "A1"}\n', 1), (b'[{"sku": "A0"}]', 1)):
        with open_source(pieces(gzip.compress(inside), 10), SourceOptions()) as file:
            first = next(file.records)
        assert (first.line, first.cells["sku"]) == (line, "A0")
    with (
        pytest.raises(InvalidInput, match="compressed"),
        open_source([gzip.compress(gzip.compress(TEXT))], SourceOptions()),
    ):
        pass
