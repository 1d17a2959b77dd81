"""The three ways in which a relying party has its people checked, each from a site of its own."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from aiohttp import ClientSession

from liveness.testing.fixtures import LivenessServer, ServerFactory
from tests.browser.site import Site, serving_site
from tests.browser.visit import FAKE_CAMERA, Visit, Visitor

KEY = "a-key-of-enough-characters"
HEADERS = {"Authorization": f"Bearer {KEY}"}
WAIT = {"allowed": 0}

MOUNTED = """
import {{ mount }} from '{server}/static/embed.js';
window.told = [];
const tell = (name) => (value) => told.push([name, structuredClone(value)]);
window.check = mount(document.getElementById('check'), {{
  session: '{id}',
  token: '{token}',
  onState: tell('state'),
  onVerdict: tell('verdict'),
  onError: tell('error'),
  onCancel: tell('cancel'),
}});
"""

FRAMED = """
window.told = [];
addEventListener('message', ({{ origin, source, data }}) => {{
  if (origin === '{server}' && source === window.frames[0]) told.push(data);
}});
const frame = document.createElement('iframe');
frame.allow = '{allow}';
frame.src = '{page_url}';
document.getElementById('check').append(frame);
"""


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    async with serving_site() as site:
        yield site


async def ask(server: LivenessServer, **wanted: Any) -> dict[str, Any]:
    async with ClientSession() as client:
        url = f"{server.url}/api/sessions"
        async with client.post(url, json=wanted, headers=HEADERS) as response:
            session: dict[str, Any] = await response.json()
            assert response.status == 201, session
            return session


async def read(server: LivenessServer, session: dict[str, Any]) -> dict[str, Any]:
    async with ClientSession() as client:
        url = f"{server.url}/api/sessions/{session['id']}"
        async with client.get(url, headers=HEADERS) as response:
            shown: dict[str, Any] = await response.json()
            return shown


def both(site: Site) -> dict[str, str]:
    return {"success_url": f"{site.origin}/done?step=2", "failure_url": f"{site.origin}/failed"}


async def told(visit: Visit, kind: str) -> Any:
    """Wait until the site's page was told something."""
    found = "told.find((each) => (each[0] ?? each.type) === kind)"
    handle = await visit.page.wait_for_function(f"kind => {found}", arg=kind, timeout=30_000)
    return await handle.json_value()


# The hosted page


async def test_a_link_leads_back_to_the_site(
    liveness_servers: ServerFactory, visit: Visitor, site: Site
) -> None:
    server = await liveness_servers(api_key=(KEY,))
    session = await ask(server, **both(site))
    visitor = await visit(session["page_url"])
    await visitor.start()
    await visitor.page.wait_for_url(f"{site.origin}/**")
    assert site.returned == [f"/done?step=2&session={session['id']}"]
    assert (await read(server, session))["verdict"]["verdict"] == "live"
    await visitor.page.go_back()
    assert session["token"] not in visitor.page.url


async def test_a_failure_is_told_before_the_way_back(
    liveness_servers: ServerFactory, visit: Visitor, site: Site
) -> None:
    server = await liveness_servers(api_key=(KEY,))
    session = await ask(server, time_limit=3, **both(site))
    visitor = await visit(session["page_url"], behaviour={"allowed": 1})
    await visitor.start()
    await visitor.heading("Time is up")
    host = site.origin.removeprefix("http://")
    await visitor.page.get_by_text(f"You will be taken back to {host} in").wait_for()
    await visitor.shoot("result-way_back")
    await visitor.page.get_by_role("button", name=f"Go back to {host}").click()
    await visitor.page.wait_for_url(f"{site.origin}/failed**")
    assert site.returned == [f"/failed?session={session['id']}"]


async def test_the_way_back_is_taken_by_itself(
    liveness_servers: ServerFactory, visit: Visitor, site: Site
) -> None:
    server = await liveness_servers(api_key=(KEY,))
    session = await ask(server, time_limit=2, **both(site))
    visitor = await visit(session["page_url"], behaviour={"allowed": 1})
    await visitor.start()
    await visitor.heading("Time is up")
    await visitor.page.wait_for_url(f"{site.origin}/failed**")


async def test_a_used_link_knows_the_way_back(
    liveness_servers: ServerFactory, visit: Visitor, site: Site
) -> None:
    server = await liveness_servers(api_key=(KEY,))
    session = await ask(server, **both(site))
    visitor = await visit(session["page_url"], behaviour=WAIT)
    await visitor.start()
    await visitor.page.get_by_text("Step 1 of 4").wait_for()
    await visitor.page.reload()
    await visitor.heading("This link no longer works")
    await visitor.page.get_by_role("button", name="Go back to").click()
    await visitor.page.wait_for_url(f"{site.origin}/failed**")


async def test_only_the_site_gives_another_try(
    liveness_servers: ServerFactory, visit: Visitor
) -> None:
    server = await liveness_servers(api_key=(KEY,))
    session = await ask(server, time_limit=2)
    visitor = await visit(session["page_url"], behaviour={"allowed": 1})
    await visitor.start()
    await visitor.heading("Time is up")
    assert "go back there for a new one" in await visitor.page.inner_text("#result-note")
    assert not await visitor.page.is_visible("#result-action")
    await visitor.shoot("result-ask")
    await visitor.page.goto(session["page_url"])
    await visitor.heading("This link no longer works")
    assert not await visitor.page.is_visible("#problem-action")


async def test_without_a_link_a_server_with_keys_explains(
    liveness_servers: ServerFactory, visit: Visitor
) -> None:
    server = await liveness_servers(api_key=(KEY,))
    visitor = await visit(server.url)
    await visitor.heading("You need a link")
    assert not await visitor.page.is_visible("#problem-action")
    await visitor.shoot("problem-link_needed")
    session = await ask(server)
    await visitor.page.goto(session["page_url"])  # the same page with another fragment
    await visitor.heading("Show that you are really here")
    await visitor.page.goto(f"{server.url}/success")
    await visitor.heading("No result here")
    await visitor.page.get_by_role("link", name="Go to the check").wait_for(state="hidden")


async def test_who_failed_too_often_waits(liveness_servers: ServerFactory, visit: Visitor) -> None:
    server = await liveness_servers(api_key=(KEY,), subject_failures=1, time_limit=2)
    jane = {"metadata": {"subject": "Jane"}}
    first, second = await ask(server, **jane), await ask(server, **jane)
    visitor = await visit(first["page_url"], behaviour={"allowed": 1})
    await visitor.start()
    await visitor.heading("Time is up")
    await visitor.page.goto(second["page_url"])
    await visitor.start()
    await visitor.heading("Too many tries")
    assert "again in 15 minutes" in await visitor.page.inner_text("#problem-wait")
    await visitor.shoot("problem-too_often")


# The module


async def test_a_site_mounts_the_check_in_its_own_page(
    liveness_servers: ServerFactory, visit: Visitor, site: Site
) -> None:
    server = await liveness_servers(api_key=(KEY,))
    session = await ask(server, metadata={"case": 7})
    site.script = MOUNTED.format(server=server.url, **session)
    visitor = await visit(site.origin, behaviour=WAIT)
    page = visitor.page
    await page.get_by_text("Step 1 of 4", exact=True).wait_for()
    await visitor.shoot("embedded")
    await page.evaluate("() => { person.allowed = Infinity; }")
    _, verdict = await told(visitor, "verdict")
    assert verdict["verdict"] == "live"
    assert verdict == (await read(server, session))["verdict"] | {"type": "verdict"}
    kinds = await page.evaluate("told.map(([kind]) => kind)")
    assert kinds.count("verdict") == 1
    assert set(kinds) == {"state", "verdict"}
    states = await page.evaluate("told.map(([, state]) => state.challenge)")
    assert {"front", "right", "left", "blink"} <= set(states)
    assert await page.locator("#check > *").count() == 0
    assert await page.evaluate("person.track.readyState") == "ended"


async def test_a_mounted_check_can_be_cancelled_and_stopped(
    liveness_servers: ServerFactory, visit: Visitor, site: Site
) -> None:
    server = await liveness_servers(api_key=(KEY,))
    for way, kinds in (("cancel", ["cancel"]), ("stop", [])):
        session = await ask(server)
        site.script = MOUNTED.format(server=server.url, **session)
        page = (await visit(site.origin, behaviour=WAIT)).page
        await page.get_by_text("Step 1 of 4", exact=True).wait_for()
        if way == "cancel":
            await page.get_by_role("button", name="Cancel").click()
        else:
            await page.evaluate("() => check.stop()")
        await page.wait_for_function("person.track.readyState === 'ended'")
        assert await page.locator("#check > *").count() == 0
        told = "told.map(([kind]) => kind).filter((kind) => kind !== 'state')"
        assert await page.evaluate(told) == kinds
        shown = await read(server, session)
        assert shown["verdict"]["reasons"] == ["peer_left"]


async def test_a_mounted_check_tells_what_went_wrong(
    liveness_servers: ServerFactory, visit: Visitor, site: Site
) -> None:
    server = await liveness_servers(api_key=(KEY,))
    session = await ask(server)
    site.script = MOUNTED.format(server=server.url, **session)
    # Without a fake UI, Chromium without a window denies the camera.
    denied = await visit(site.origin, behaviour={"real": True}, flags=FAKE_CAMERA[1:])
    _, failure = await told(denied, "error")
    assert failure["code"] == "denied"
    assert failure["title"] == "The camera is blocked"
    assert failure["advice"]
    assert (await read(server, session))["status"] == "created"
    site.script = MOUNTED.format(server=server.url, **{**session, "token": "another"})
    _, failure = await told(await visit(site.origin), "error")
    assert failure["code"] == "link_used"


async def test_a_dark_site_gets_a_dark_check(
    liveness_servers: ServerFactory, visit: Visitor, site: Site
) -> None:
    server = await liveness_servers(api_key=(KEY,))
    colours = []
    for scheme in ("normal", "light dark"):
        session = await ask(server)
        dress = f"document.documentElement.style.colorScheme = '{scheme}';"
        site.script = dress + MOUNTED.format(server=server.url, **session)
        visitor = await visit(site.origin, behaviour=WAIT, color_scheme="dark")
        await visitor.page.get_by_text("Step 1 of 4", exact=True).wait_for()
        await visitor.shoot(f"embedded-{scheme.replace(' ', '_')}-in-the-dark")
        host = "getComputedStyle(document.querySelector('.liveness-check'))"
        colours.append(await visitor.page.evaluate(f"{host}.getPropertyValue('--ground')"))
        await visitor.page.close()
    assert colours == ["#f5f7f6", "#0e1412"]


# The iframe


async def test_a_site_shows_the_page_in_a_frame(
    liveness_servers: ServerFactory, visit: Visitor, site: Site
) -> None:
    server = await liveness_servers(api_key=(KEY,), frame_origin=(site.origin,))
    session = await ask(server, **both(site))
    site.script = FRAMED.format(server=server.url, allow="camera", **session)
    visitor = await visit(site.origin)
    assert (await told(visitor, "ready"))["session"] == session["id"]
    await visitor.shoot("framed-start")
    start = {"source": "liveness", "type": "start"}
    await visitor.page.evaluate(
        "([message, origin]) => frames[0].postMessage(message, origin)", [start, server.url]
    )
    await visitor.page.frame_locator("#check iframe").get_by_text("Step 2 of 4").wait_for()
    await visitor.shoot("framed")
    verdict = await told(visitor, "verdict")
    assert verdict["verdict"] == "live"
    assert verdict["session"] == session["id"]
    state = await told(visitor, "state")
    assert set(state) == {
        *("source", "type", "session"),
        *("step", "steps", "challenge", "progress", "hint"),
    }
    said = json.dumps(await visitor.page.evaluate("told"))
    signed = (await read(server, session))["verdict"]["token"]
    assert session["token"] not in said
    assert signed not in said
    # The site's page goes on, not the frame.
    frame = visitor.page.frame_locator("#check iframe")
    await frame.get_by_role("heading", name="You\u2019re all set").wait_for()
    await visitor.shoot("framed-live")
    assert site.returned == []


async def test_a_framed_check_fails_and_is_cancelled_by_the_site(
    liveness_servers: ServerFactory, visit: Visitor, site: Site
) -> None:
    server = await liveness_servers(api_key=(KEY,), frame_origin=(site.origin,))
    session = await ask(server, **both(site))
    site.script = FRAMED.format(server=server.url, allow="camera", **session)
    visitor = await visit(site.origin, behaviour=WAIT)
    frame = visitor.page.frame_locator("#check iframe")
    await frame.locator("#start-button").click()
    await told(visitor, "state")
    # What others say is not heard: here another frame of the same page, of no origin.
    await visitor.page.evaluate(
        """() => new Promise((resolve) => {
            const stranger = document.createElement('iframe');
            stranger.srcdoc = `<script>
                parent.frames[0].postMessage({ source: 'liveness', type: 'cancel' }, '*');
                parent.postMessage('sent', '*');
            </script>`;
            addEventListener('message', ({ data }) => data === 'sent' && setTimeout(resolve, 300));
            stranger.sandbox = 'allow-scripts';
            document.body.append(stranger);
        })"""
    )
    await visitor.page.evaluate("() => frames[0].postMessage('cancel', '*')")
    await visitor.page.evaluate("() => frames[0].postMessage({ type: 'cancel' }, '*')")
    await frame.get_by_text("Step 1 of 4").wait_for()
    cancel = {"source": "liveness", "type": "cancel"}
    await visitor.page.evaluate("message => frames[0].postMessage(message, '*')", cancel)
    assert (await told(visitor, "cancelled"))["session"] == session["id"]
    await frame.get_by_role("button", name="Start the check").click()
    assert (await told(visitor, "error"))["code"] == "link_used"
    await frame.get_by_role("heading", name="This link no longer works").wait_for()
    assert await frame.locator("#problem-action").is_hidden()


async def test_a_frame_has_the_camera_only_where_the_site_gives_it(
    liveness_servers: ServerFactory, visit: Visitor, site: Site
) -> None:
    server = await liveness_servers(api_key=(KEY,), frame_origin=(site.origin,))
    for allow, kind, found in (
        ("camera", "state", ("hint", "no_face")),
        ("", "error", ("code", "denied")),
    ):
        session = await ask(server)
        site.script = FRAMED.format(server=server.url, allow=allow, **session)
        visitor = await visit(site.origin, behaviour={"real": True})
        await visitor.page.frame_locator("#check iframe").locator("#start-button").click()
        name, value = found
        assert (await told(visitor, kind))[name] == value
        visitor.errors[:] = [each for each in visitor.errors if "camera is not" not in each]


async def test_no_other_site_may_show_it_in_a_frame(
    liveness_servers: ServerFactory, visit: Visitor, site: Site
) -> None:
    server = await liveness_servers(api_key=(KEY,), frame_origin=("https://other.example",))
    session = await ask(server)
    site.script = FRAMED.format(server=server.url, allow="camera", **session)
    visitor = await visit(site.origin)
    await visitor.page.wait_for_function("frames.length === 1")
    for _ in range(100):
        if visitor.errors:
            break
        await visitor.page.wait_for_timeout(50)
    complaints = [visitor.errors.pop() for _ in list(visitor.errors)]
    assert all("frame-ancestors" in each for each in complaints)
    assert complaints
    assert await visitor.page.frame_locator("#check iframe").locator("#start-button").count() == 0
    assert await visitor.page.evaluate("told") == []
