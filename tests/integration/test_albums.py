"""Pictures that are kept where the operator says so, and are not where nobody does."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from liveness.app import create_app
from liveness.errors import SettingsInvalid
from liveness.pictures import read_picture
from liveness.testing.fixtures import LivenessServer, ServerFactory
from liveness.testing.puppet import Puppet
from liveness.vision.detector import detect
from tests.integration.plain import bearer, settings
from tests.integration.test_api_keys import BANK, KEYS, SHOP, keyed, make, problem

JPEG, PNG, WEBP = b"\xff\xd8\xff", b"\x89PNG", b"WEBPVP8"
STEPS = ["front", "right"]


async def checked(server: LivenessServer, puppet: Puppet) -> dict[str, Any]:
    async with ClientSession(server.url) as client:
        session = await make(client, challenges=STEPS)
    check = await server.check(puppet, token=session["token"])
    assert [each.passed for each in check.verdict.challenges] == [True, True]
    return session


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def pictures(folder: Path) -> int:
    with sqlite3.connect(folder / "liveness.db") as database:
        (number,) = database.execute("SELECT count(*) FROM pictures").fetchone()
    database.close()
    return int(number)


async def test_pictures_are_kept_encrypted_for_the_relying_party(
    liveness_servers: ServerFactory, puppet: Puppet, tmp_path: Path
) -> None:
    server = await liveness_servers(
        keep_evidence=True, api_key=KEYS, store="sqlite", data_dir=tmp_path
    )
    session = await checked(server, puppet)
    path = f"/api/sessions/{session['id']}/pictures"
    async with ClientSession(server.url) as client:
        async with client.get("/api/page") as response:
            assert (await response.json())["keeps_pictures"] is True
        async with client.get(path, headers=keyed(BANK)) as response:
            assert response.headers["Cache-Control"] == "no-store"
            listed = (await response.json())["pictures"]
        assert [each["name"] for each in listed] == ["1-front", "2-right", "reference"]
        for each in listed:
            async with client.get(each["url"], headers=keyed(BANK)) as response:
                assert response.status == 200
                assert response.content_type == "image/jpeg"
                assert response.headers["Cache-Control"] == "no-store"
                content = await response.read()
            assert 5_000 < len(content) < 200_000
            assert len(detect(read_picture(content).luma, 320)) == 1
        for each in (path, f"{path}/reference"):
            assert await problem(await client.get(each)) == (401, "unauthorized")
            refused = await client.get(each, headers=bearer(session))
            assert await problem(refused) == (401, "unauthorized")
            foreign = await client.get(each, headers=keyed(SHOP))
            assert await problem(foreign) == (404, "not_found")
        for name in ("none", "..%2f..%2fkeys%2fpictures.key", "%00"):
            answer = await client.get(f"{path}/{name}", headers=keyed(BANK))
            assert await problem(answer) == (404, "not_found")
        assert pictures(tmp_path) == 3
        assert not any(JPEG in content for content in files(tmp_path).values())
        gone = await client.delete(f"/api/sessions/{session['id']}", headers=keyed(BANK))
        assert gone.status == 204
        assert (await client.get(path, headers=keyed(BANK))).status == 404
    assert pictures(tmp_path) == 0


async def test_unless_asked_for_no_picture_is_written_anywhere(
    liveness_servers: ServerFactory, puppet: Puppet, tmp_path: Path
) -> None:
    server = await liveness_servers(api_key=KEYS, store="sqlite", data_dir=tmp_path)
    session = await checked(server, puppet)
    async with ClientSession(server.url) as client:
        async with client.get("/api/page") as response:
            assert (await response.json())["keeps_pictures"] is False
        path = f"/api/sessions/{session['id']}/pictures"
        async with client.get(path, headers=keyed(BANK)) as response:
            assert await response.json() == {"pictures": []}
        answer = await client.get(f"{path}/reference", headers=keyed(BANK))
        assert await problem(answer) == (404, "not_found")
    written = files(tmp_path)
    store, keys = {"liveness.db", "liveness.db-wal", "liveness.db-shm"}, {"keys/signing.pem"}
    assert {name for name in written if not name.endswith(".json")} == store | keys
    assert pictures(tmp_path) == 0
    for content in written.values():
        assert not any(magic in content for magic in (JPEG, PNG, WEBP))


async def test_an_open_server_shows_no_pictures(liveness_server: LivenessServer) -> None:
    async with ClientSession(liveness_server.url) as client:
        session = await (await client.post("/api/sessions")).json()
        path = f"/api/sessions/{session['id']}/pictures"
        answer = await client.get(path, headers=bearer(session))
        assert await problem(answer) == (401, "unauthorized")


def test_nothing_is_kept_that_nobody_could_see() -> None:
    with pytest.raises(SettingsInvalid, match="nobody could see"):
        create_app(settings(keep_evidence=True))
