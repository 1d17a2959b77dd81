"""From the click to the verdict: the page in Chromium against the real server."""

import re
from typing import Any
from urllib.parse import urljoin

from aiohttp import ClientSession

from liveness.testing.fixtures import LivenessServer
from tests.browser.visit import Visit, Visitor

STEPS = 4


async def prompted(visit: Visit, step: int) -> str:
    """Wait for the prompt of a step, from 0; return what it asks for."""
    await visit.page.get_by_text(f"Step {step + 1} of {STEPS}", exact=True).wait_for()
    challenge = await visit.page.get_attribute("#stage", "data-challenge")
    assert challenge
    return challenge


async def summary(visit: Visit) -> list[list[str]]:
    """Name and time of each step on the success page."""
    rows = visit.page.locator("#success-steps li")
    return [await row.locator("span").all_inner_texts() for row in await rows.all()]


async def test_a_person_passes_from_click_to_success(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    visitor = await visit(liveness_server.url, behaviour={"allowed": 0})
    page = visitor.page
    await visitor.shoot("start")
    await visitor.start()
    asked = []
    for step in range(STEPS):
        asked.append(await prompted(visitor, step))
        words = {
            "front": "Look straight at the camera",
            "right": "Turn your head to the right",
            "left": "Turn your head to the left",
            "blink": "Blink once",
        }
        assert words[asked[-1]] in await page.inner_text("#prompt")
        await visitor.shoot(f"check-{asked[-1]}")
        await page.evaluate("allowed => { person.allowed = allowed; }", step + 1)
    await page.wait_for_url("**/success")
    await visitor.heading("You\u2019re all set")
    await visitor.shoot("success")
    assert asked[0] == "front"
    assert sorted(asked) == ["blink", "front", "left", "right"]
    names = {"front": "Look ahead", "right": "Turn right", "left": "Turn left", "blink": "Blink"}
    *rows, (face, score) = await summary(visitor)
    assert face == "Your face"
    assert re.fullmatch(r"Real, (\d\d|100) %", score)
    assert [name for name, _ in rows] == [names[challenge] for challenge in asked]
    assert all(re.fullmatch(r"\d+\.\d sec", time) for _, time in rows)


async def test_the_preview_is_mirrored_and_the_sign_stands_on_the_side_of_the_turn(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    visitor = await visit(liveness_server.url)
    page = visitor.page
    await page.evaluate(
        """() => {
            window.sides = {};
            new MutationObserver(() => {
                const stage = document.getElementById('stage').getBoundingClientRect();
                const cue = document.querySelector('.cue').getBoundingClientRect();
                const { challenge } = document.getElementById('stage').dataset;
                if (!challenge) return;
                const middle = (cue.left + cue.right) / 2 - (stage.left + stage.right) / 2;
                sides[challenge] = Math.sign(Math.round(middle / 20));
                sessionStorage.setItem('sides', JSON.stringify(sides));
            }).observe(document.getElementById('stage'), { attributes: true });
        }"""
    )
    await visitor.start()
    await prompted(visitor, 0)
    style = await page.evaluate("getComputedStyle(document.getElementById('video')).transform")
    assert style == "matrix(-1, 0, 0, 1, 0, 0)"
    await page.wait_for_url("**/success")
    sides = await page.evaluate("JSON.parse(sessionStorage.getItem('sides'))")
    # The person's own right is on the right of a mirror.
    assert sides == {"front": 0, "right": 1, "left": -1, "blink": 0}


async def test_with_the_keyboard_alone(liveness_server: LivenessServer, visit: Visitor) -> None:
    visitor = await visit(liveness_server.url, viewport={"width": 390, "height": 844})
    page = visitor.page
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "start-button"
    await page.keyboard.press("Enter")
    await visitor.heading("Face check in progress")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "cancel"
    await page.keyboard.press("Enter")
    await visitor.heading("Show that you are really here")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await page.wait_for_url("**/success")
    await visitor.heading("You\u2019re all set")


async def test_other_moves_end_the_check_and_it_can_be_tried_again(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    # Slow enough for a busy machine to have seen that the turn begins at the front.
    visitor = await visit(liveness_server.url, behaviour={"contrary": True, "reaction": 900})
    page = visitor.page
    await visitor.start()
    await page.get_by_text("That was another move. Let\u2019s start over").wait_for()
    await visitor.shoot("starting-over")
    await visitor.heading("That did not match")
    assert await page.locator("#result-steps li").count() == STEPS + 1, "the steps and the score"
    assert await page.get_by_text("Not completed").count() > 0
    await visitor.shoot("result-wrong_moves")
    await page.evaluate("() => { person.contrary = false; }")
    await page.get_by_role("button", name="Try again").click()
    await page.wait_for_url("**/success")


async def test_a_link_is_used_for_its_own_session(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    async with ClientSession() as client:
        answer = await client.post(f"{liveness_server.url}/api/sessions", json={})
        session: dict[str, Any] = await answer.json()
        visitor = await visit(urljoin(liveness_server.url, session["page_url"]))
        await visitor.start()
        await visitor.page.wait_for_url("**/success")
        assert session["token"] not in visitor.page.url
        answer = await client.get(
            f"{liveness_server.url}/api/sessions/{session['id']}",
            headers={"Authorization": f"Bearer {session['token']}"},
        )
        assert (await answer.json())["verdict"]["verdict"] == "live"


async def test_a_face_is_called_what_the_verdict_says(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    attack = ("spoof", ["presentation_attack"])
    cases: list[tuple[str, list[str], float, list[str]]] = [
        ("live", [], 0.98, ["done", "Real, 98 %"]),
        ("live", [], 0.32, ["done", "Real"]),  # below one half, above the server's threshold
        (*attack, 0.02, ["open", "Fake, 98 %"]),
        (*attack, 0.997, ["open", "Fake"]),
        ("incomplete", ["time_limit"], 0.98, ["open", "98 % real"]),
    ]
    visitor = await visit(liveness_server.url)
    for verdict, reasons, score, row in cases:
        shown = await visitor.page.evaluate(
            """async (verdict) => {
                const { showSteps } = await import('/static/summary.js');
                const list = document.createElement('ul');
                showSteps(list, { challenges: [], ...verdict });
                return [list.firstChild.className, list.firstChild.lastChild.textContent];
            }""",
            {"verdict": verdict, "reasons": reasons, "spoof_score": score},
        )
        assert shown == row


async def test_cancelling_ends_the_session_and_releases_the_camera(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    visitor = await visit(liveness_server.url, behaviour={"allowed": 0})
    await visitor.start()
    await prompted(visitor, 0)
    async with visitor.page.expect_response(
        lambda response: response.request.method == "DELETE" and "/whip/" in response.url
    ) as ended:
        await visitor.page.get_by_role("button", name="Cancel").click()
    assert (await ended.value).ok
    await visitor.heading("Show that you are really here")
    assert await visitor.page.evaluate("person.track.readyState") == "ended"
    assert await visitor.page.evaluate("document.getElementById('video').srcObject") is None


async def test_another_camera_can_be_chosen_on_the_way(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    visitor = await visit(liveness_server.url, behaviour={"allowed": 0})
    page = visitor.page
    await page.evaluate(
        """() => {
            const camera = (deviceId, label) => ({ kind: 'videoinput', deviceId, label });
            navigator.mediaDevices.enumerateDevices = async () =>
                [camera('one', 'Built-in camera'), camera('two', 'Desk camera')];
        }"""
    )
    await visitor.start()
    await prompted(visitor, 0)
    first = await page.evaluate_handle("person.track")
    await page.get_by_label("Camera", exact=True).select_option("Desk camera")
    await page.wait_for_function("first => person.track !== first", arg=first)
    assert await first.evaluate("track => track.readyState") == "ended"
    await page.evaluate("() => { person.allowed = Infinity; }")
    await page.wait_for_url("**/success")


async def test_the_success_page_has_words_without_a_result(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    visitor = await visit(f"{liveness_server.url}/success")
    await visitor.heading("No result here")
    await visitor.shoot("success-empty")
    await visitor.page.get_by_role("link", name="Go to the check").click()
    await visitor.page.locator("#start-button").wait_for()
