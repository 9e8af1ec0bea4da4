"""Serves the page with NiceGUI until Ctrl-C."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nicegui import app, ui

from jepa_planner.cli.view.access import Gate, GatedApp, is_local
from jepa_planner.cli.view.live_pictures import LivePictures
from jepa_planner.cli.view.page import Page
from jepa_planner.cli.view.sender import Sender
from jepa_planner.nodes.client import PlannerClient
from jepa_planner.nodes.watch.planner_watch import PlannerWatch

TITLE = "jepa_planner"


def check_port(host: str, port: int) -> None:
    """Raises ValueError where nothing can be served there."""
    try:
        family, kind, proto, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise ValueError(f"--host {host}: {error.strerror}; expected a name or address of this computer") from error
    with socket.socket(family, kind, proto) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(where)
        except OSError as error:
            how = "choose another --port" if error.errno == errno.EADDRINUSE else "choose another --host or --port"
            raise ValueError(f"--host {host} --port {port}: {error.strerror}; {how}") from error


def address(host: str, port: int, token: str) -> str:
    """What a browser opens."""
    name = "localhost" if is_local(host) else socket.gethostname() if host in ("0.0.0.0", "::") else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


@contextmanager
def _logged(watch: PlannerWatch, live: LivePictures, rerun: str | None) -> Iterator[None]:
    if rerun is None:
        yield
        return
    from jepa_planner.cli.view.rerun_log import RerunLog

    log = RerunLog(watch, rerun)
    live.opened("rerun")
    try:
        yield
    finally:
        log.close()
        live.closed("rerun")


def serve(
    watch: PlannerWatch, client: PlannerClient, recorded: Path | None, host: str, gate: Gate, rerun: str | None = None
) -> None:
    """Shows what is watched and asks the planner what people want, until SIGINT or SIGTERM.

    rerun: where it is logged for Rerun too, see `RerunLog`.
    """
    live, sender = LivePictures(watch), Sender(client)

    @ui.page("/")
    def page() -> None:
        Page(watch, client, live, sender, recorded).build()

    app.add_middleware(GatedApp, gate=gate)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server raises what it was ended by once more
    with suppress(KeyboardInterrupt), _logged(watch, live, rerun):
        ui.run(
            host=host, port=gate.port, title=TITLE, reload=False, show=False, show_welcome_message=False,
            binding_refresh_interval=None,
        )  # fmt: skip
