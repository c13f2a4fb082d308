"""The service as an ASGI application: every run's endpoints, what is known of the service, and the page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import PlainTextResponse, Response
from fastapi.routing import APIRoute

from longshort import __version__
from longshort.serve import page
from longshort.serve.access import Access
from longshort.serve.body import Body
from longshort.serve.endpoints import endpoints
from longshort.serve.endpoints.cards import About, Card
from longshort.serve.errors import RESPONSES, add_handlers, problem
from longshort.serve.house import House
from longshort.serve.limits import Limits
from longshort.serve.observe import Observe
from longshort.serve.runs import Run

DESCRIPTION = """Predictions of trained runs. Each run has addresses of its own; `GET /runs` names them.

What is wrong with a request is said in one line, `{"error": …}`. WebSocket sessions are at `/runs/NAME/session`:
messages and answers are JSON, and `GET /runs/NAME` gives their schemas."""


def create_app(
    runs: Sequence[Run],
    limits: Limits | None = None,
    *,
    key: str | None = None,
    local: bool = True,
    origins: Sequence[str] = (),
) -> FastAPI:
    """A service for some runs.

    Args:
        runs: as `load_runs` gives them.
        limits: its bounds.
        key: the API key that callers must know; None for none.
        local: whether it answers only under names of this machine.
        origins: of pages from elsewhere that may ask.
    """
    house = House(limits or Limits())

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(house.sessions.watch())
        yield
        watching.cancel()
        house.engine.close()

    app = FastAPI(
        title="longshort",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # these pages load their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=_name,
        responses={status: RESPONSES[status] for status in (401, 403)} if key else {403: RESPONSES[403]},
    )
    app.state.house = house
    add_handlers(app)
    cards = [_add_run(app, run, house) for run in runs]
    _add_about(app, house, cards)
    page.add(app)
    app.add_middleware(Body, house=house)
    if origins:
        app.add_middleware(CORSMiddleware, allow_origins=list(origins), allow_methods=["*"], allow_headers=["*"])
    app.add_middleware(Access, key=key, local=local, origins=origins)
    app.add_middleware(Observe, metrics=house.metrics)
    return app


def _add_run(app: FastAPI, run: Run, house: House) -> Card:
    """A run's own addresses."""
    router = APIRouter(prefix=f"/runs/{run.name}", tags=[run.name], responses=RESPONSES)
    module, more = endpoints(run.task), dict[str, Any]()
    if module is not None:
        module.add(router, run, house)
        more = module.card(run)
    scores = run.model.fitted.scores
    card = Card(
        name=run.name,
        task=run.task,
        verdict=scores.verdict if scores is not None else None,
        session=any(getattr(route, "name", "") == "session" for route in router.routes),
        about=more,
    )

    @app.get(f"/runs/{run.name}", tags=[run.name], summary="What a run is")
    async def about() -> Card:
        return card

    app.include_router(router)
    return card


def _add_about(app: FastAPI, house: House, cards: list[Card]) -> None:
    """What is known of the service itself."""

    @app.get("/runs", tags=["service"], summary="The runs that are served")
    async def runs() -> About:
        return About(version=__version__, runs=cards)

    @app.get("/health", tags=["service"], summary="Whether the process lives", response_class=PlainTextResponse)
    async def health() -> str:
        return "ok"

    @app.get(
        "/ready", tags=["service"], summary="Whether it takes requests", response_class=PlainTextResponse,
        responses={503: RESPONSES[503]},
    )  # fmt: skip
    async def ready() -> Any:
        return problem(503, "the service is about to stop") if house.sessions.stopping else "ok"

    @app.get("/metrics", tags=["service"], summary="Counters for Prometheus", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(house.metrics.exposition(), media_type=house.metrics.content_type)


def _name(route: APIRoute) -> str:
    """Of an operation in the description: "sales-predict"."""
    return "-".join(part for part in route.path.strip("/").split("/") if part != "runs") or "runs"
