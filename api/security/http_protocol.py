"""How uvicorn reads HTTP, with bounds for the size and the time of headers, of which it has none itself."""

from asyncio import BaseTransport, TimerHandle, Transport
from typing import ClassVar, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle


class BoundedHttpProtocol(HttpToolsProtocol):
    """Ends connections whose headers are too long or too slow; to be given to uvicorn as `--http`.

    The limits hold before anybody has shown a key.
    """

    max_header_bytes: ClassVar[int] = 65_536
    header_seconds: ClassVar[float] = 10.0

    _in_headers = False
    _header_bytes = 0
    _patience: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Waits for a first request, but not for ever."""
        super().connection_made(cast("Transport", transport))
        self._start_patience()

    def connection_lost(self, exc: Exception | None) -> None:
        """Has nothing to wait for any more."""
        self._end_patience()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Starts counting anew with each request of a connection."""
        self._in_headers, self._header_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Leaves the rest of the request to the application, which has limits of its own."""
        self._in_headers = False
        self._end_patience()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Reads on, unless there was too much of it."""
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            self._end_patience()
            return
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > self.max_header_bytes:
                self._refuse()
                return
        # uvicorn ends its own wait for a next request with the first byte that comes.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        idle = cycle is None or cycle.response_complete
        if (self._in_headers or idle) and self._patience is None:
            self._start_patience()

    def _refuse(self) -> None:
        self._end_patience()
        self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _start_patience(self) -> None:
        self._patience = self.loop.call_later(self.header_seconds, self._lose_patience)

    def _end_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        self._patience = None
        if not self.transport.is_closing():
            self.transport.close()
