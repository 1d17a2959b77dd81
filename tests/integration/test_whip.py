import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from liveness.api.whip import MAX_FRAGMENT, MAX_OFFER
from tests.integration.plain import Plain, bearer, create, post, publish, reach, serving, show

FRAGMENT = "application/trickle-ice-sdpfrag"


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with serving() as client:
        yield client


@pytest.fixture
async def offering() -> AsyncIterator[Plain]:
    peer = Plain()
    yield peer
    await peer.close()


async def problem(response: ClientResponse, status: int, code: str) -> dict[str, Any]:
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = await response.json()
    assert body["status"] == status
    assert body["code"] == code
    assert {"type", "title", "detail"} <= body.keys()
    return body


async def patch(
    client: ClientSession, session: dict[str, Any], fragment: str, **headers: str
) -> ClientResponse:
    sent = bearer(session) | {"Content-Type": FRAGMENT} | headers
    response = await client.patch(f"/whip/{session['id']}", data=fragment, headers=sent)
    await response.read()
    return response


async def test_an_offer_is_answered(client: ClientSession, offering: Plain) -> None:
    session = await create(client)
    response = await post(client, session, await offering.offer())
    assert response.status == 201
    assert response.headers["Content-Type"] == "application/sdp"
    assert response.headers["Location"] == f"/whip/{session['id']}"
    assert re.fullmatch(r'"[\w-]+"', response.headers["ETag"])
    assert "Link" not in response.headers
    answer = await response.text()
    assert "a=setup:passive" in answer
    assert "a=setup:active" not in answer
    assert re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+)", answer) == ["127.0.0.1"] * 2
    await offering.accept(answer)
    await reach(client, session, "running")


async def test_ice_servers_are_named(offering: Plain) -> None:
    servers = ("stun:127.0.0.1:9", "turn:u:p@127.0.0.1:9?transport=tcp")
    credentials = 'username="u"; credential="p"; credential-type="password"'
    links = [
        '<stun:127.0.0.1:9>; rel="ice-server"',
        f'<turn:127.0.0.1:9?transport=tcp>; rel="ice-server"; {credentials}',
    ]
    async with serving(ice_server=servers) as client:
        session = await create(client)
        response = await client.options("/whip", headers=bearer(session))
        assert response.headers.getall("Link") == links
        assert "Link" not in (await client.options("/whip")).headers
        response = await post(client, session, await offering.offer())
        assert response.status == 201
        assert response.headers.getall("Link") == links


async def test_options_tell_what_is_accepted(client: ClientSession) -> None:
    response = await client.options("/whip")
    assert response.status == 204
    assert response.headers["Accept-Post"] == "application/sdp"
    response = await client.options("/whip/any")
    assert response.headers["Accept-Patch"] == FRAGMENT


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer wrong", "Basic dTpw"])
async def test_without_the_token_nothing_is_answered(
    client: ClientSession, authorization: str | None
) -> None:
    headers = {"Content-Type": "application/sdp"}
    if authorization is not None:
        headers["Authorization"] = authorization
    response = await client.post("/whip", data="v=0", headers=headers)
    await problem(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_another_type_is_refused(client: ClientSession) -> None:
    session = await create(client)
    for kind in ("application/json", "text/plain"):
        headers = bearer(session) | {"Content-Type": kind}
        response = await client.post("/whip", data="v=0", headers=headers)
        await problem(response, 415, "wrong_type")


async def test_a_large_body_is_refused(client: ClientSession) -> None:
    session = await create(client)
    response = await post(client, session, "v=0\r\n" + "a" * MAX_OFFER)
    await problem(response, 413, "too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_OFFER // 1024 + 1):
            yield b"a" * 1024

    headers = bearer(session) | {"Content-Type": "application/sdp"}
    response = await client.post("/whip", data=chunks(), headers=headers)
    await problem(response, 413, "too_large")


@pytest.mark.parametrize("body", ["", "hello", "v=0\r\nhello", "v=0\r\nm=video\r\n", "v=1\r\n"])
async def test_what_is_no_sdp_is_a_bad_request(client: ClientSession, body: str) -> None:
    await problem(await post(client, await create(client), body), 400, "invalid_sdp")


async def test_bytes_that_are_no_text_are_a_bad_request(client: ClientSession) -> None:
    headers = bearer(await create(client)) | {"Content-Type": "application/sdp"}
    response = await client.post("/whip", data=b"v=0\r\n\xff\xfe", headers=headers)
    await problem(response, 400, "invalid_body")


async def test_sdp_that_cannot_be_served_may_be_followed_by_one_that_can(
    client: ClientSession, offering: Plain
) -> None:
    session = await create(client)
    offer = await offering.offer()
    without_video = offer[: offer.index("m=video")] + offer[offer.index("m=application") :]
    unusable = {
        "no video": without_video,
        "receives only": offer.replace("a=sendonly", "a=recvonly"),
        "no credentials": offer.replace("a=ice-ufrag", "a=x-ufrag"),
        "no fingerprint": offer.replace("a=fingerprint", "a=x-fingerprint"),
        "unknown codecs": re.sub(r"(VP8|H264|rtx|VP9|AV1)/90000", "XYZ/90000", offer),
    }
    for what, sdp in unusable.items():
        response = await post(client, session, sdp)
        assert response.status == 422, what
        await problem(response, 422, "unprocessable")
    assert (await show(client, session))["status"] == "created"
    assert (await post(client, session, offer)).status == 201


async def test_a_session_takes_one_peer(client: ClientSession, offering: Plain) -> None:
    session = await create(client)
    offer = await offering.offer()
    first, second = await asyncio.gather(post(client, session, offer), post(client, session, offer))
    assert sorted([first.status, second.status]) == [201, 409]
    await client.delete(f"/whip/{session['id']}", headers=bearer(session))
    await problem(await post(client, session, offer), 409, "conflict")


async def test_a_full_server_says_when_to_come_again(offering: Plain) -> None:
    async with serving(max_sessions=1) as client:
        first = await create(client)
        assert (await post(client, first, await offering.offer())).status == 201
        other = Plain()
        second, offer = await create(client), await other.offer()
        response = await post(client, second, offer)
        await problem(response, 503, "server_full")
        assert int(response.headers["Retry-After"]) > 0
        await client.delete(f"/whip/{first['id']}", headers=bearer(first))
        assert (await post(client, second, offer)).status == 201
        await other.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
@pytest.mark.parametrize("path", ["/whip", "/whip/any"])
async def test_other_methods_are_not_allowed(client: ClientSession, method: str, path: str) -> None:
    response = await client.request(method, path)
    assert response.status == 405
    assert "OPTIONS" in response.headers["Allow"]
    if method != "HEAD":
        await problem(response, 405, "method_not_allowed")


async def test_candidates_may_trickle(client: ClientSession, offering: Plain) -> None:
    session = await create(client)
    offer = await offering.offer()
    trickled = [line for line in offer.splitlines() if line.startswith("a=candidate:")]
    silent = re.sub(r"a=(candidate:.*|end-of-candidates)\r\n", "", offer)
    response = await post(client, session, silent)
    await offering.accept(await response.text())
    credentials = re.findall(r"a=ice-(?:ufrag|pwd):.*", offer)[:2]
    mid = re.findall(r"a=mid:.*", offer)[0]
    lines = [*credentials, "m=video 9 UDP/TLS/RTP/SAVPF 96", mid, trickled[0], ""]
    fragment = "\r\n".join(lines)
    answered = await patch(client, session, fragment, **{"If-Match": response.headers["ETag"]})
    assert answered.status == 204
    assert (await patch(client, session, fragment)).status == 204
    await reach(client, session, "running")


async def test_what_cannot_be_patched(client: ClientSession, offering: Plain) -> None:
    session = await create(client)
    fragment = "a=ice-ufrag:other\r\na=ice-pwd:0123456789012345678901\r\n"
    await problem(await patch(client, session, fragment), 404, "not_found")
    await post(client, session, await offering.offer())
    cases = [
        (await patch(client, session, fragment), 422, "unprocessable"),
        (await patch(client, session, fragment, **{"If-Match": "*"}), 422, "unprocessable"),
        (await patch(client, session, "", **{"If-Match": '"old"'}), 412, "precondition_failed"),
        (await patch(client, session, "nonsense"), 400, "invalid_sdp"),
        (await patch(client, session, "m=video 9 X 0\r\n"), 400, "invalid_sdp"),
        (await patch(client, session, "a=candidate:nonsense"), 400, "invalid_sdp"),
        (await patch(client, session, "a=b" * MAX_FRAGMENT), 413, "too_large"),
        (await patch(client, session, "", **{"Content-Type": "text/plain"}), 415, "wrong_type"),
        (await patch(client, session, "", Authorization="Bearer x"), 401, "unauthorized"),
        (await patch(client, {"id": "none", "token": "x"}, ""), 404, "not_found"),
    ]
    for response, status, code in cases:
        await problem(response, status, code)


async def test_a_peer_can_leave(client: ClientSession) -> None:
    session = await create(client)
    peer = await publish(client, session)
    await reach(client, session, "running")
    path = f"/whip/{session['id']}"
    await problem(await client.delete(path), 401, "unauthorized")
    response = await client.delete(path, headers={"Authorization": "Bearer wrong"})
    await problem(response, 401, "unauthorized")
    assert (await client.delete(path, headers=bearer(session))).status == 200
    shown = await show(client, session)
    assert shown["status"] == "finished"
    assert shown["verdict"]["verdict"] == "incomplete"
    assert shown["verdict"]["reasons"] == ["peer_left"]
    await problem(await client.delete(path, headers=bearer(session)), 404, "not_found")
    await peer.close()


async def test_what_else_is_offered_is_declined(client: ClientSession) -> None:
    session = await create(client)
    peer = await publish(client, session, audio=True, videos=3)
    directions = [each.currentDirection for each in peer.pc.getTransceivers()]
    assert directions == ["inactive", "sendonly", "inactive", "inactive"]
    await reach(client, session, "running")
    message = await asyncio.wait_for(peer.messages.get(), 5)
    assert '"type":"state"' in message
    await peer.close()


async def test_a_peer_without_a_channel_is_served(client: ClientSession) -> None:
    session = await create(client)
    peer = await publish(client, session, channel=False)
    await reach(client, session, "running")
    await peer.close()
    assert (await reach(client, session, "finished"))["verdict"]["verdict"] == "incomplete"
