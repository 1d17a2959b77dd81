import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession

from liveness import __version__
from liveness.__main__ import main
from liveness.keys import KeyFolder
from liveness.models import LANDMARKS_FILE, LANDMARKS_SHA256
from liveness.signing import Claims, read_keys, verify
from tests.integration.plain import Plain, bearer, create, post, publish, serving, show

README = Path(__file__).parents[2] / "README.md"
JWKS = "/.well-known/jwks.json"
LIMIT = 0.3  # seconds of video
ISSUER, LIFETIME = "https://check.example", 600


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[ClientSession]:
    tokens: dict[str, Any] = {"issuer": ISSUER, "verdict_lifetime": LIFETIME}
    async with serving(data_dir=tmp_path, time_limit=LIMIT, **tokens) as client:
        yield client


async def fetch_keys(client: ClientSession) -> dict[str, Any]:
    async with client.get(JWKS) as response:
        assert response.status == 200
        keys: dict[str, Any] = json.loads(await response.text())
        return keys


async def claims_of(client: ClientSession, verdict: dict[str, Any]) -> Claims:
    return verify(verdict["token"], read_keys(await fetch_keys(client)), datetime.now(UTC))


async def address(client: ClientSession) -> str:
    async with client.get("/healthz") as response:
        return str(response.url.origin())


async def judged(client: ClientSession) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Have a session come to its end; gives it, the verdict that was told, and the offer."""
    session = await create(client)
    peer = await publish(client, session)
    told: dict[str, Any] = {"type": ""}
    async with asyncio.timeout(20):
        while told.pop("type") != "verdict":
            told = json.loads(await peer.messages.get())
    await peer.close()
    return session, told, peer.pc.localDescription.sdp


async def test_the_public_keys_can_be_had_by_anybody(client: ClientSession) -> None:
    async with client.get(JWKS, headers={"Origin": "https://bank.example"}) as response:
        assert response.status == 200
        assert response.content_type == "application/jwk-set+json"
        assert response.headers["Cache-Control"] == "public, max-age=300"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        (key,) = json.loads(await response.text())["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")


async def test_what_is_told_is_what_is_kept_and_signed(
    client: ClientSession, capfd: pytest.CaptureFixture[str]
) -> None:
    session, told, offer = await judged(client)
    assert (await show(client, session))["verdict"] == told
    claims = await claims_of(client, told)
    said = claims.model_dump(mode="json") | {"token": told["token"]}
    assert {name: said[name] for name in told} == told
    assert (claims.sub, claims.aud, claims.iss) == (session["id"], None, ISSUER)
    assert (claims.exp - claims.iat, claims.version) == (LIFETIME, __version__)
    assert claims.weights[LANDMARKS_FILE] == LANDMARKS_SHA256
    assert len(claims.weights) > 1
    assert {claims.dtls_fingerprint} == set(re.findall(r"a=fingerprint:(sha-256 \S+)", offer))
    assert told["token"] not in "".join(capfd.readouterr())


async def test_a_session_without_a_peer_is_signed_and_names_none(client: ClientSession) -> None:
    session, peer = await create(client), Plain()
    assert (await post(client, session, await peer.offer())).status == 201
    await client.delete(f"/whip/{session['id']}", headers=bearer(session))
    claims = await claims_of(client, (await show(client, session))["verdict"])
    assert (claims.verdict, claims.dtls_fingerprint) == ("incomplete", None)
    assert claims.sub == session["id"]
    await peer.close()


async def test_old_verdicts_stay_valid_when_the_key_was_rotated(tmp_path: Path) -> None:
    async with serving(data_dir=tmp_path, time_limit=LIMIT) as client:
        session, old, _ = await judged(client)
        before = (await fetch_keys(client))["keys"]
    assert main(["rotate-key", "--data-dir", str(tmp_path)]) == 0
    async with serving(data_dir=tmp_path, time_limit=LIMIT) as client:
        assert (await claims_of(client, old)).sub == session["id"]
        _, new, _ = await judged(client)
        assert await claims_of(client, new)
        after = (await fetch_keys(client))["keys"]
    assert (len(before), len(after)) == (1, 2)
    kids = [jwt.get_unverified_header(each["token"])["kid"] for each in (old, new)]
    assert kids == [before[0]["kid"], KeyFolder(tmp_path).signing_key().kid]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What the command wrote, without what the server logged meanwhile."""
    lines = capsys.readouterr().out.splitlines(keepends=True)
    return "".join(line for line in lines if "[info " not in line)


async def test_the_command_checks_a_token(
    client: ClientSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session, told, _ = await judged(client)
    of = ["verify", told["token"], "--session", session["id"]]
    url = await address(client) + JWKS
    capsys.readouterr()  # what the server logged
    assert await asyncio.to_thread(main, [*of, "--jwks", url]) == 0
    by_url = said(capsys)
    assert f" {session['id']}\n" in by_url
    assert "incomplete" in by_url
    assert main([*of, "--data-dir", str(tmp_path)]) == 0
    assert said(capsys) == by_url
    assert await asyncio.to_thread(main, [*of, "--jwks", url.replace("jwks", "none")]) == 1
    assert "404" in capsys.readouterr().err


async def test_the_lines_of_the_readme_check_a_token(client: ClientSession) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (lines,) = [block for block in blocks if "PyJWKClient" in block]
    served_by = lines.replace("https://check.example", await address(client))
    assert served_by != lines
    names: dict[str, Any] = {}
    exec(served_by, names)  # noqa: S102 - as a reader of it would
    is_live = names["is_live"]
    session, told, _ = await judged(client)
    assert not await asyncio.to_thread(is_live, told["token"], session["id"])
    for token, about, audience in (
        (told["token"][:-8] + "A" * 8, session["id"], None),
        (told["token"], "another", None),
        (told["token"], session["id"], "bank"),
        ("token", session["id"], None),
    ):
        with pytest.raises(jwt.PyJWTError):
            await asyncio.to_thread(is_live, token, about, audience)
