"""What `THREAT_MODEL.md` says that no other test shows."""

import asyncio
import socket
import ssl
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from liveness.tls import server_context
from tests.integration.plain import LOOPBACK, bearer, create, publish, reach
from tests.integration.program import Program

KEY = "a-key-of-the-tests-0123456789"
PERSON = "Ada Lovelace"


def connect(port: int, *, version: ssl.TLSVersion) -> str | None:
    """Connect with one version of TLS and no other; gives it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")  # or this side would refuse
    with (
        socket.create_connection((LOOPBACK, port), 10) as plain,
        context.wrap_socket(plain) as connection,
    ):
        return connection.version()


def connected(context: ssl.SSLContext, version: ssl.TLSVersion) -> str | None:
    """Serve one connection with `context`, and connect with one version."""
    with socket.create_server((LOOPBACK, 0)) as listening, ThreadPoolExecutor(1) as executor:
        client = executor.submit(connect, listening.getsockname()[1], version=version)
        accepted, _ = listening.accept()
        with suppress(ssl.SSLError), context.wrap_socket(accepted, server_side=True):
            return client.result(10)
        accepted.close()
        return client.result(10)


def test_old_tls_is_refused(tmp_path: Path) -> None:
    context = server_context(tmp_path)
    for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        assert connected(context, version) == name
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        connected(context, ssl.TLSVersion.TLSv1_1)


async def broken(port: int) -> None:
    """Send a good request and then what is none, which aiohttp logs with the address."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"ok")
    writer.write(b"GET / HTTP/1.1\r\nno colon\r\n\r\n")
    await reader.read()
    writer.close()


@pytest.mark.parametrize("form", ["json", "text"])
async def test_no_log_says_who(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVENESS_API_KEYS", KEY)
    arguments = ("--workers", "1", "--api-key", f"bank:{KEY}", "--log-format", form)
    relied = {"Authorization": f"Bearer {KEY}"}
    with Program(tmp_path, *arguments).begin() as program:
        program.ready()
        async with program.client() as client:
            client.headers.update(relied)
            wanted = {"metadata": {"subject": PERSON}, "success_url": "https://bank.example/ada"}
            session = await create(client, **wanted)
            peer = await publish(client, session)
            await reach(client, session, "running")
            await client.get("/api/sessions", headers=bearer(session))
            await broken(int(program.url.rpartition(":")[2]))
            await client.delete(f"/whip/{session['id']}", headers=bearer(session))
            shown = await reach(client, session, "finished")
            await peer.close()
    log = program.log.read_text()
    assert "LIVENESS_API_KEYS is no option" in log
    assert "session finished" in log
    assert session["id"] in log
    assert "Traceback" not in log
    said = (session["token"], KEY, PERSON, "ada", LOOPBACK, shown["verdict"]["token"])
    assert [each for each in said if each in log] == []
