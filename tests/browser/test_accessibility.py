"""With a screen reader, with less motion, in the dark, on a phone on its side."""

import pytest

from liveness.testing.fixtures import LivenessServer
from tests.browser.visit import Visitor

SIDEWAYS = {"width": 844, "height": 390}
SMALL = {"width": 320, "height": 568}


async def test_prompts_and_hints_are_read_out(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    visitor = await visit(liveness_server.url)
    page = visitor.page
    await page.evaluate(
        """() => {
            const heard = [];
            for (const region of document.querySelectorAll('[aria-live]')) {
                new MutationObserver(() => {
                    heard.push(region.textContent);
                    sessionStorage.setItem('heard', JSON.stringify(heard));
                }).observe(region, { childList: true, characterData: true, subtree: true });
            }
        }"""
    )
    await visitor.start()
    await page.wait_for_url("**/success")
    heard = await page.evaluate("JSON.parse(sessionStorage.getItem('heard'))")
    assert "Look straight at the camera" in heard
    for prompt in ("Turn your head to the right", "Turn your head to the left", "Blink once"):
        assert f"Done. {prompt}" in heard
    assert len(heard) < 60  # read out, and not at the rate of the video


async def test_each_view_has_one_heading_and_named_controls(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    visitor = await visit(liveness_server.url, behaviour={"allowed": 0})
    page = visitor.page
    assert await page.get_by_role("heading", level=1).count() == 1
    assert await page.evaluate("document.documentElement.lang") == "en"
    await visitor.start()
    await visitor.heading("Face check in progress")
    assert await page.get_by_role("heading", level=1).count() == 1
    await page.get_by_text("Step 1 of 4").wait_for()
    steps = page.get_by_role("progressbar", name="Step 1 of 4")
    assert await steps.get_attribute("aria-valuemax") == "4"
    assert await steps.get_attribute("aria-valuenow") == "0"
    assert await page.title() == "Face check in progress - Face check"


async def test_nothing_moves_for_those_who_want_less_motion(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    running = "document.getAnimations().filter(({ playState }) => playState === 'running').length"
    visitor = await visit(liveness_server.url, behaviour={"allowed": 0}, reduced_motion="reduce")
    assert await visitor.page.evaluate(running) == 0
    await visitor.start()
    await visitor.page.get_by_text("Step 1 of 4").wait_for()
    assert await visitor.page.evaluate(running) == 0
    moving = await visit(liveness_server.url)
    assert await moving.page.evaluate(running) > 0


@pytest.mark.parametrize("viewport", [SIDEWAYS, SMALL])
async def test_nothing_is_cut_off_on_small_screens(
    liveness_server: LivenessServer, visit: Visitor, viewport: dict[str, int]
) -> None:
    visitor = await visit(liveness_server.url, behaviour={"allowed": 0}, viewport=viewport)
    page = visitor.page
    wide = "document.documentElement.scrollWidth > innerWidth"
    assert not await page.evaluate(wide)
    await visitor.start()
    await page.get_by_text("Step 1 of 4").wait_for()
    assert not await page.evaluate(wide)
    for part in ("#prompt", "#stage", "#count", "#cancel"):
        box = await page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= viewport["height"]


async def test_text_can_be_read_in_light_and_in_the_dark(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    ratio = """selector => {
        const light = (colour) => {
            const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
                .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        let behind = document.querySelector(selector);
        const front = light(getComputedStyle(behind).color);
        while (/, 0\\)$|transparent/.test(getComputedStyle(behind).backgroundColor)) {
            behind = behind.parentElement;
        }
        const back = light(getComputedStyle(behind).backgroundColor);
        return (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    }"""
    for scheme in ("light", "dark"):
        visitor = await visit(liveness_server.url, color_scheme=scheme)
        for selector in ("#start h1", "#start .lead", "#start-button", "#start-note", ".bar"):
            assert await visitor.page.evaluate(ratio, selector) >= 4.5, (scheme, selector)
        await visitor.shoot(f"start-{scheme}")


async def test_the_page_says_when_it_was_in_the_background(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    visitor = await visit(liveness_server.url, behaviour={"allowed": 0})
    await visitor.start()
    await visitor.page.get_by_text("Step 1 of 4").wait_for()
    await visitor.page.evaluate(
        """() => {
            for (const visibility of ['hidden', 'visible']) {
                Object.defineProperty(document, 'visibilityState',
                    { value: visibility, configurable: true });
                document.dispatchEvent(new Event('visibilitychange'));
            }
        }"""
    )
    await visitor.page.get_by_text("Keep this page in front until the check is done").wait_for()
