"""A file server on this machine for tests, which can tell versions, send parts, fail and break off."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class FileServer:
    """What the server does, and what it was asked."""

    folder: Path
    address: str = ""
    has_ranges: bool = True
    version: str | None = '"one"'  # the ETag
    breaks: list[int] = field(default_factory=list)  # answers that end after so many bytes, one after another
    codes: dict[str, list[int]] = field(default_factory=dict)  # path -> errors to answer with, one after another
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path and range

    def times(self, name: str) -> int:
        """How often a file was asked for."""
        return sum(path.endswith(name) for path, _ in self.asked)


@contextmanager
def serve(folder: Path) -> Iterator[FileServer]:
    """Serve `folder` on a free port of this machine."""
    state = FileServer(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, state)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(request: BaseHTTPRequestHandler, state: FileServer) -> None:
    """Answer as the state of the server says."""
    name = request.path.partition("?")[0].lstrip("/")
    asked = request.headers.get("Range")
    state.asked.append((request.path, asked))
    if codes := state.codes.get(name):
        request.send_error(codes.pop(0))
        return
    if not (state.folder / name).is_file():
        request.send_error(404)
        return
    content = (state.folder / name).read_bytes()
    begin = 0
    if state.has_ranges and asked and request.headers.get("If-Range") == state.version:
        begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        if begin >= len(content):
            request.send_error(416)
            return
    request.send_response(206 if begin else 200)
    if begin:
        request.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
    if state.version:
        request.send_header("ETag", state.version)
    request.send_header("Content-Length", str(len(content) - begin))
    request.end_headers()
    rest = content[begin:]
    request.wfile.write(rest[: state.breaks.pop(0)] if state.breaks else rest)
