"""The API's description, for people and for programs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

from app.api_docs.openapi import description
from app.api_docs.page import api_docs_page
from app.deps import RendererDep
from app.http.cache import FreshMeasured

router = APIRouter(dependencies=[FreshMeasured])


@router.get("/api/v1/openapi.json")
def openapi(request: Request) -> JSONResponse:
    """The description of the API."""
    return JSONResponse(description(request.app))


@router.get("/api/docs")
def api_docs(request: Request, render: RendererDep) -> HTMLResponse:
    """Calls, their parameters, bodies and answers."""
    return render(api_docs_page(description(request.app)))
