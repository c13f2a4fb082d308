"""`longshort serve`: runs over HTTP, and a page to use them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from longshort.cli import options
from longshort.cli.options import Text, Texts


def serve(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Run directories that `longshort fit` wrote.")],
    host: Annotated[str, typer.Option(help="Address to listen at; any but this machine's own needs an API key.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for a free one, which the log names.")] = 8000,
    api_key: Annotated[
        Text, typer.Option(envvar="LONGSHORT_API_KEY", show_envvar=True, help="What callers must know.")
    ] = None,
    cors: Annotated[
        Texts, typer.Option(metavar="ORIGIN", help="An origin, such as https://example.org, whose pages may ask too.")
    ] = None,
    set_: Annotated[
        Texts, typer.Option("--set", metavar="NAME=VALUE", help="A bound, such as sessions=500 or batch=32.")
    ] = None,
) -> None:
    """Serve runs over HTTP and WebSocket, with a page at the same address, until Ctrl-C or SIGTERM."""
    from longshort.serve import Limits
    from longshort.serve import serve as start

    limits = Limits.from_dict(options.settings(set_))
    start(runs, host=host, port=port, key=api_key or None, origins=cors or (), limits=limits)
