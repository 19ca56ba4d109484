"""Parse, query, page, render: one noun a file, about ten lines a route. The URL map is this list.

Order matters: an SAE's slug holds slashes, so the longer addresses come first.
"""

from app.routes import api, api_docs, health, home, latents, layers, methods, pairs, saes, static

ROUTERS = (
    static.router,
    health.router,
    api_docs.router,
    api.router,
    home.router,
    layers.router,
    methods.router,
    pairs.router,
    latents.router,
    saes.router,
)

__all__ = ["ROUTERS"]
