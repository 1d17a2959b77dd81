"""The public keys that verify the tokens of verdicts."""

from datetime import UTC, datetime

from aiohttp import hdrs, web

from liveness.issuing import REFRESH_INTERVAL, Issuing

ISSUING = web.AppKey("issuing", Issuing)

PATH = "/.well-known/jwks.json"

routes = web.RouteTableDef()


@routes.get(PATH)
async def jwks(request: web.Request) -> web.Response:
    """List them as a JWK set (RFC 7517 section 5)."""
    keys = await request.app[ISSUING].jwks(datetime.now(UTC))
    return web.json_response(
        {"keys": keys},
        content_type="application/jwk-set+json",
        headers={hdrs.CACHE_CONTROL: f"public, max-age={REFRESH_INTERVAL}"},
    )
