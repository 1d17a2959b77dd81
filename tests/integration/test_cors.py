from aiohttp import ClientSession

from tests.integration.plain import serving

PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,if-match",
}
HERE, ELSEWHERE = "https://shop.example", "https://other.example"


async def preflight(client: ClientSession, path: str, origin: str) -> dict[str, str]:
    response = await client.options(path, headers=PREFLIGHT | {"Origin": origin})
    assert response.status == 204, await response.text()
    return dict(response.headers)


async def test_any_origin_may_call_without_credentials() -> None:
    async with serving() as client:
        for path in ("/whip", "/whip/any", "/api/sessions", "/api/sessions/any"):
            headers = await preflight(client, path, HERE)
            assert headers["Access-Control-Allow-Origin"] == "*"
            assert "PATCH" in headers["Access-Control-Allow-Methods"]
            asked = PREFLIGHT["Access-Control-Request-Headers"]
            assert headers["Access-Control-Allow-Headers"] == asked
            assert "Access-Control-Allow-Credentials" not in headers
        response = await client.post("/api/sessions", headers={"Origin": HERE})
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        for name in ("Location", "Link", "ETag", "Retry-After"):
            assert name in response.headers["Access-Control-Expose-Headers"]


async def test_errors_can_be_read_from_elsewhere_too() -> None:
    async with serving() as client:
        response = await client.post("/whip", headers={"Origin": HERE})
        assert response.status == 401
        assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_origins_can_be_narrowed() -> None:
    async with serving(cors_origin=(HERE, "http://localhost:3000")) as client:
        headers = await preflight(client, "/whip", HERE)
        assert headers["Access-Control-Allow-Origin"] == HERE
        assert headers["Vary"] == "Origin"
        headers = await preflight(client, "/whip", ELSEWHERE)
        assert "Access-Control-Allow-Origin" not in headers
        response = await client.get("/healthz")
        assert response.headers["Vary"] == "Origin"
