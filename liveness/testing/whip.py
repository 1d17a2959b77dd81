"""The HTTP side of a headless peer: making a session, WHIP (RFC 9725), reading the verdict."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from ssl import SSLContext
from typing import Any

import aiohttp
from aiortc import RTCIceServer
from yarl import URL

from liveness.verdict import Verdict

TIMEOUT = 10.0  # seconds for one request
ENDPOINT = "/whip"


class PeerError(Exception):
    """The server refused, or did not answer in time."""


class RefusedError(PeerError):
    """The server answered a request with an error: its `status`, and its `problem` (RFC 9457)."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(f"{status}: {problem}")
        self.status = status
        self.problem = problem


class WhipClient:
    """Talks to the server at `url` about one session, whose `token` may be known from before.

    Make it where an event loop runs. Every method raises `RefusedError` where the server answers
    with an error, and aiohttp's own errors where it does not answer.
    """

    def __init__(self, url: URL, *, token: str | None, ssl: bool | SSLContext) -> None:
        self._url = url
        self._endpoint = url.join(URL(ENDPOINT))
        self._location: URL | None = None
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=ssl),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT),
        )
        self.token = token
        self.session = ""

    async def create(self, challenges: Sequence[str] | None, api_key: str | None) -> None:
        """Make a session, of `challenges` or as the server likes."""
        body = {} if challenges is None else {"challenges": list(challenges)}
        text, _ = await self._request("POST", URL("/api/sessions"), key=api_key, json=body)
        created = json.loads(text)
        self.token, self.session = created["token"], created["id"]
        self._endpoint = self._url.join(URL(created["whip_url"]))

    async def ice_servers(self) -> list[RTCIceServer]:
        """Ask which ICE servers help (RFC 9725 section 4.6)."""
        _, response = await self._request("OPTIONS", self._endpoint, key=self.token)
        servers = []
        for link in response.links.getall("ice-server", []):
            names = {"username", "credential"} & set(link)
            servers.append(RTCIceServer(str(link["url"]), **{n: str(link[n]) for n in names}))
        return servers

    async def publish(self, offer: str) -> str:
        """Send an offer (RFC 9725 section 4.2); return the answer."""
        headers = {"Content-Type": "application/sdp"}
        answer, response = await self._request(
            "POST", self._endpoint, key=self.token, data=offer, headers=headers
        )
        if response.status != HTTPStatus.CREATED:
            raise RefusedError(response.status, answer)
        self._location = self._endpoint.join(URL(response.headers["Location"]))
        self.session = self._location.name
        return answer

    async def verdict(self) -> Verdict | None:
        """Read the verdict, once there is one."""
        text, _ = await self._request("GET", URL(f"/api/sessions/{self.session}"), key=self.token)
        verdict = json.loads(text)["verdict"]
        return None if verdict is None else Verdict.model_validate(verdict)

    async def leave(self) -> None:
        """End what was published, if anything was."""
        if self._location is not None:
            await self._request("DELETE", self._location, key=self.token)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _request(
        self, method: str, url: URL, *, key: str | None, **content: Any
    ) -> tuple[str, aiohttp.ClientResponse]:
        headers = content.pop("headers", {})
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        target = self._url.join(url)
        async with self._http.request(method, target, headers=headers, **content) as response:
            text = await response.text()
            if not response.ok:
                raise RefusedError(response.status, text)
        return text, response
