"""Trained runs over HTTP and WebSocket, and a page to use them: one process serves several runs."""

from longshort.errors import InputError

try:
    import fastapi as _fastapi
    import prometheus_client as _prometheus_client
    import uvicorn as _uvicorn
    import websockets as _websockets
except ImportError as error:
    raise InputError(f"serving needs the package {error.name}: pip install 'longshort[serve]'") from None

from longshort.serve.app import create_app
from longshort.serve.limits import Limits
from longshort.serve.server import serve

__all__ = ["Limits", "create_app", "serve"]

del _fastapi, _prometheus_client, _uvicorn, _websockets
