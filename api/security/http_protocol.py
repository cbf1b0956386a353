"""uvicorn's HTTP protocol with limits for the size and the time of headers, which uvicorn lacks."""

from asyncio import BaseTransport, TimerHandle, Transport
from typing import ClassVar, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle


class BoundedHttpProtocol(HttpToolsProtocol):
    """Ends connections whose headers are too long or too slow; passed to uvicorn as `--http`.

    The limits apply before authentication.
    """

    max_header_bytes: ClassVar[int] = 65_536
    header_seconds: ClassVar[float] = 10.0

    _in_headers = False
    _header_bytes = 0
    _header_timer: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Starts the timer for the first request."""
        super().connection_made(cast("Transport", transport))
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Resets the counter for each request of a connection."""
        self._in_headers, self._header_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stops the timer: the application has limits of its own for the body."""
        self._in_headers = False
        self._stop_timer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Counts the bytes of headers, and rejects too many."""
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            self._stop_timer()
            return
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > self.max_header_bytes:
                self._refuse()
                return
        # uvicorn stops its own keep-alive timer at the first byte of the next request.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        idle = cycle is None or cycle.response_complete
        if (self._in_headers or idle) and self._header_timer is None:
            self._start_timer()

    def _refuse(self) -> None:
        self._stop_timer()
        self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _start_timer(self) -> None:
        self._header_timer = self.loop.call_later(self.header_seconds, self._on_timeout)

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _on_timeout(self) -> None:
        self._header_timer = None
        if not self.transport.is_closing():
            self.transport.close()
