"""Each failure has its own words and a way out; brought about by real means where there are."""

import re
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import pytest
from aiohttp import ClientSession
from playwright.async_api import Route

from liveness.challenge.names import Hint
from liveness.testing.fixtures import LivenessServer, ServerFactory
from liveness.verdict import Reason
from tests.browser.visit import FAKE_CAMERA, Visit, Visitor

WAIT = {"allowed": 0}


async def retried(visit: Visit) -> None:
    """Take the way out, with a camera that works and a person who takes part."""
    await visit.page.evaluate("() => Object.assign(person, { refusal: null, allowed: Infinity })")
    await visit.page.click("#problem-action")
    await visit.page.wait_for_url("**/success")


async def test_camera_denied_in_the_browser(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    # Without a fake UI, Chromium without a window denies.
    visitor = await visit(liveness_server.url, behaviour={"real": True}, flags=FAKE_CAMERA[1:])
    await visitor.start()
    await visitor.heading("The camera is blocked")
    await visitor.shoot("problem-denied")


async def test_no_camera(liveness_server: LivenessServer, visit: Visitor) -> None:
    visitor = await visit(liveness_server.url, behaviour={"real": True}, flags=FAKE_CAMERA[:1])
    await visitor.start()
    await visitor.heading("No camera found")
    await visitor.shoot("problem-no_camera")


@pytest.mark.parametrize(
    ("refusal", "heading"),
    [
        ("NotAllowedError", "The camera was not allowed"),
        ("NotReadableError", "The camera is busy"),
        ("OverconstrainedError", "No camera found"),
    ],
)
async def test_camera_refused(
    liveness_server: LivenessServer, visit: Visitor, refusal: str, heading: str
) -> None:
    visitor = await visit(liveness_server.url, behaviour={"refusal": refusal})
    await visitor.page.evaluate(
        "() => { navigator.permissions.query = async () => ({ state: 'prompt' }); }"
    )
    await visitor.start()
    await visitor.heading(heading)
    await visitor.shoot(f"problem-{refusal}")
    await retried(visitor)


async def test_page_not_secure(liveness_server: LivenessServer, visit: Visitor) -> None:
    port = urlsplit(liveness_server.url).port
    visitor = await visit(f"http://face.test:{port}")
    await visitor.heading("This page is not secure")
    await visitor.shoot("problem-insecure")
    action = visitor.page.get_by_role("button", name="Open the secure page")
    async with visitor.page.expect_request(f"https://face.test:{port}/"):
        await action.click(no_wait_after=True)


async def test_server_full(liveness_servers: ServerFactory, visit: Visitor) -> None:
    server = await liveness_servers(max_sessions=1)
    first = await visit(server.url, behaviour=WAIT)
    await first.start()
    await first.page.get_by_text("Step 1 of 4").wait_for()
    second = await visit(server.url)
    await second.start()
    await second.heading("All places are taken")
    assert "There may be a place" in await second.page.inner_text("#problem-wait")
    await second.shoot("problem-full")
    await first.page.click("#cancel")
    await retried(second)


async def test_time_is_up(liveness_servers: ServerFactory, visit: Visitor) -> None:
    server = await liveness_servers(time_limit=3)
    visitor = await visit(server.url, behaviour={"allowed": 1})
    await visitor.start()
    await visitor.heading("Time is up")
    await visitor.shoot("result-time_limit")


async def test_connection_lost(
    mortal_server: tuple[str, Callable[[], None]], visit: Visitor
) -> None:
    url, kill = mortal_server
    visitor = await visit(url, behaviour=WAIT)
    await visitor.start()
    await visitor.page.get_by_text("Step 1 of 4").wait_for()
    kill()
    await visitor.heading("Connection lost")
    assert await visitor.page.evaluate("person.track.readyState") == "ended"
    await visitor.shoot("problem-lost")
    await visitor.page.click("#problem-action")
    await visitor.heading("The server cannot be reached")
    await visitor.shoot("problem-unreachable")


async def test_a_verdict_that_the_lost_connection_kept_is_fetched(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    visitor = await visit(liveness_server.url)
    await visitor.page.evaluate(
        """() => {
            const dispatch = EventTarget.prototype.addEventListener;
            RTCDataChannel.prototype.addEventListener = function add(type, listener, ...rest) {
                const deaf = ({ data }) => data.includes('"verdict"') || listener({ data });
                dispatch.call(this, type, type === 'message' ? deaf : listener, ...rest);
            };
        }"""
    )
    await visitor.start()
    await visitor.page.wait_for_url("**/success")


async def test_media_cannot_get_through(liveness_server: LivenessServer, visit: Visitor) -> None:
    visitor = await visit(liveness_server.url)

    async def without_candidates(route: Route) -> None:
        """What a network that lets nothing but web pages through comes to."""
        offer = re.sub(r"a=candidate.*\r\n", "", route.request.post_data or "")
        response = await route.fetch(post_data=offer)
        answer = re.sub(r"a=candidate.*\r\n", "", await response.text())
        await route.fulfill(response=response, body=answer)

    await visitor.page.route("**/whip", without_candidates)
    await visitor.start()
    await visitor.heading("No video connection")
    await visitor.shoot("problem-not_connected")


async def test_link_already_used(liveness_server: LivenessServer, visit: Visitor) -> None:
    async with ClientSession() as client:
        answer = await client.post(f"{liveness_server.url}/api/sessions", json={})
        link = urljoin(liveness_server.url, (await answer.json())["page_url"])
    visitor = await visit(link, behaviour=WAIT)
    await visitor.start()
    await visitor.page.get_by_text("Step 1 of 4").wait_for()
    await visitor.page.reload()
    await visitor.heading("This link no longer works")
    await visitor.shoot("problem-link_used")
    await retried(visitor)


async def test_link_unknown(liveness_server: LivenessServer, visit: Visitor) -> None:
    visitor = await visit(f"{liveness_server.url}/#session=nobody&token=nothing")
    await visitor.heading("This link no longer works")


async def test_camera_unplugged(liveness_server: LivenessServer, visit: Visitor) -> None:
    visitor = await visit(liveness_server.url, behaviour=WAIT)
    await visitor.start()
    await visitor.page.get_by_text("Step 1 of 4").wait_for()
    # Scripts cannot unplug a camera; this is what its track says when somebody does.
    await visitor.page.evaluate("() => { person.track.dispatchEvent(new Event('ended')); }")
    await visitor.heading("The camera stopped")
    await visitor.shoot("problem-camera_lost")


async def test_the_video_stops(liveness_server: LivenessServer, visit: Visitor) -> None:
    visitor = await visit(liveness_server.url, behaviour=WAIT)
    await visitor.start()
    await visitor.page.get_by_text("Step 1 of 4").wait_for()
    await visitor.page.evaluate("() => { person.frozen = true; }")
    # The connection still stands: the words come with the server's verdict.
    await visitor.heading("No video arrived")
    await visitor.shoot("result-no_media")


async def test_server_stops(liveness_servers: ServerFactory, visit: Visitor) -> None:
    server = await liveness_servers()
    visitor = await visit(server.url, behaviour=WAIT)
    await visitor.start()
    await visitor.page.get_by_text("Step 1 of 4").wait_for()
    await server.app.shutdown()
    await visitor.heading("The server is restarting")


async def test_every_reason_and_problem_has_words(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    visitor = await visit(liveness_server.url)
    words = await visitor.page.evaluate(
        """async () => {
            const { hints, reasons } = await import('/static/words.js');
            return { hints, reasons };
        }"""
    )
    assert set(words["hints"]) == set(Hint)
    assert set(words["reasons"]) == set(Reason)
    assert all(reason["title"] and reason["text"] for reason in words["reasons"].values())
