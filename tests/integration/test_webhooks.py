"""Webhooks of a whole server: what a relying party is told, and that it is told after a crash."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from liveness.app import create_app
from liveness.errors import SettingsInvalid
from liveness.hooks import Hook
from tests.integration.plain import bearer, publish, reach, serving, settings
from tests.integration.program import Program, free_port
from tests.integration.test_api_keys import BANK, KEYS, SHOP, keyed, make
from tests.receiver import SECRET, WRITTEN, Receiver

README = Path(__file__).parents[2] / "README.md"


def hooked(url: str, name: str = "bank") -> dict[str, Any]:
    return {
        "webhook": (f"{name}={url}/hook",),
        "webhook_secret": (f"{name}={WRITTEN}",),
        "webhook_allow_private": True,
    }


async def finish(client: ClientSession, key: str, **wanted: Any) -> dict[str, Any]:
    """Have a session come to its end."""
    session = await make(client, key, **wanted)
    peer = await publish(client, session)
    await reach(client, session, "running")
    assert (await client.delete(f"/whip/{session['id']}", headers=bearer(session))).status == 200
    await peer.close()
    return session


async def shown(client: ClientSession, session: dict[str, Any], token: str) -> dict[str, Any]:
    async with client.get(f"/api/sessions/{session['id']}", headers=keyed(token)) as response:
        assert response.status == 200
        body: dict[str, Any] = await response.json()
        return body


async def webhook(
    client: ClientSession, session: dict[str, Any], when: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Wait until the delivery of a session has come so far."""
    async with asyncio.timeout(10):
        while not when(found := (await shown(client, session, BANK))["webhook"]):  # noqa: ASYNC110 - polled over HTTP
            await asyncio.sleep(0.02)
    return dict(found)


def has_failed(delivery: dict[str, Any]) -> bool:
    return delivery["error"] is not None


def has_arrived(delivery: dict[str, Any]) -> bool:
    return bool(delivery["status"] == "delivered")


async def test_a_relying_party_is_told_what_it_could_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liveness.webhooks.FIRST_PAUSE", 1.0)
    async with (
        Receiver(503).listening() as receiver,
        serving(api_key=KEYS, **hooked(receiver.url)) as client,
    ):
        session = await finish(client, BANK, metadata={"case": 7})
        await finish(client, SHOP)
        await receiver.told(1)
        waits = await webhook(client, session, has_failed)
        read = await shown(client, session, BANK)
        del read["webhook"]
        assert (waits["status"], waits["tries"], waits["error"]) == ("waiting", 1, "HTTP 503")
        assert waits["due_at"]
        # Neither who holds the session's token nor another relying party learns of it.
        assert await shown(client, session, session["token"]) == read
        await receiver.told(2)
        assert receiver.bodies == [read, read]
        assert read["metadata"] == {"case": 7}
        assert read["verdict"]["reasons"] == ["peer_left"]
        assert read["verdict"]["token"]
        await webhook(client, session, has_arrived)
        async with client.get("/metrics") as response:
            text = await response.text()
        assert 'liveness_webhook_tries_total{outcome="failed"} 1.0' in text
        assert 'liveness_webhook_tries_total{outcome="delivered"} 1.0' in text


async def test_without_keys_every_session_has_the_webhook() -> None:
    async with (
        Receiver().listening() as receiver,
        serving(**hooked(receiver.url, "default")) as client,
    ):
        async with client.post("/api/sessions") as response:
            session = await response.json()
        peer = await publish(client, session)
        await reach(client, session, "running")
        await client.delete(f"/whip/{session['id']}", headers=bearer(session))
        await peer.close()
        await receiver.told(1)
        assert receiver.sessions == [session["id"]]


def test_a_webhook_is_of_a_relying_party_that_there_is() -> None:
    with pytest.raises(SettingsInvalid, match="no --api-key of the name shop"):
        create_app(settings(api_key=KEYS[:1], **hooked("https://shop.example", "shop")))
    with pytest.raises(SettingsInvalid, match="no --api-key of the name bank"):
        create_app(settings(**hooked("https://bank.example")))


async def test_a_verdict_survives_the_death_of_all_processes(tmp_path: Path) -> None:
    port = free_port()
    secrets = tmp_path / "secrets"
    secrets.write_text(f"bank={WRITTEN}\n")
    secrets.chmod(0o600)
    options = (
        *("--workers", "1", "--spoof-model", "none", "--api-key", f"bank:{BANK}"),
        *("--webhook", f"bank=http://127.0.0.1:{port}/hook", "--webhook-allow-private"),
        *("--webhook-secret-file", str(secrets)),
    )
    with Program(tmp_path, *options).begin() as first:
        async with first.ready().client() as client:
            session = await finish(client, BANK)
            await webhook(client, session, has_failed)
        for process in (*first.processes(), first.process):
            process.kill()
        first.process.wait(10)
    async with Receiver().listening(port) as receiver:
        with Program(tmp_path, *options).begin() as second:
            async with second.ready().client() as client:
                await receiver.told(1, within=30)
                assert receiver.sessions == [session["id"]]
                assert (await webhook(client, session, has_arrived))["tries"] >= 2
    log = (tmp_path / "log").read_text()
    assert "verdict failed" in log
    assert "verdict delivered" in log
    assert WRITTEN not in log


async def test_the_lines_of_the_readme_check_a_delivery() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (lines,) = [block for block in blocks if "webhook-signature" in block]
    names: dict[str, Any] = {}
    exec(lines.replace("whsec_...", WRITTEN), names)  # noqa: S102 - as a reader of it would
    is_genuine = names["is_genuine"]
    hook, now = Hook("bank", "", (bytes(32), SECRET)), int(datetime.now(UTC).timestamp())
    body = b'{"id": "a"}'
    headers = hook.headers("verdict-a", now, body)
    assert is_genuine(headers, body)
    assert not is_genuine(headers, body + b" ")
    assert not is_genuine(headers | {"webhook-id": "verdict-b"}, body)
    assert not is_genuine(headers | {"webhook-timestamp": str(now + 1)}, body)
    assert not is_genuine(hook.headers("verdict-a", now - 900, body), body)
    assert not is_genuine(Hook("bank", "", (bytes(32),)).headers("verdict-a", now, body), body)
