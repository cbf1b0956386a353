"""Unpacks gzip files in bounded memory, and refuses those that unpack to too much."""

import zlib
from collections.abc import Iterable, Iterator

from flexiprice.errors import InvalidInput

GZIP_SIGNATURE = b"\x1f\x8b"
_PIECE = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS


def unpack_gzip(chunks: Iterable[bytes], *, max_bytes: int) -> Iterator[bytes]:
    """Unpacks a gzip file, which may consist of several members, in pieces of at most 64 KiB.

    Args:
        chunks: the file's bytes, in chunks of any size.
        max_bytes: the maximum of unpacked bytes.

    Raises:
        InvalidInput: the file is damaged or cut off, or unpacks to more than `max_bytes`.
    """
    total = 0
    for piece in _pieces(chunks):
        total += len(piece)
        if total > max_bytes:
            raise InvalidInput(
                f"the file unpacks to more than {max_bytes:,} bytes: unpack and split it, or set "
                "FLEXIPRICE_MAX_UNPACKED_BYTES"
            )
        yield piece


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(_GZIP)
    is_whole = False
    for chunk in chunks:
        data = chunk
        while data:
            if member.eof:
                data = data.lstrip(b"\0")  # padding, as tapes and some programs append
                if not data:
                    break
                member = zlib.decompressobj(_GZIP)
            try:
                piece = member.decompress(data, _PIECE)
            except zlib.error as error:
                raise InvalidInput(f"the compressed file is damaged: {error}") from None
            if piece:
                yield piece
            data = member.unused_data if member.eof else member.unconsumed_tail
        is_whole = member.eof
    if not is_whole:
        raise InvalidInput("the compressed file is cut off: its end is missing")
