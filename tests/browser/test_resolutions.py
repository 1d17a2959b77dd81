"""A browser that changes the size of what it sends in the middle of a check."""

from typing import Any

import pytest

from liveness.testing.fixtures import LivenessServer
from tests.browser.visit import Visit, Visitor

REMEMBER_SENDER = """() => {
    const addTransceiver = RTCPeerConnection.prototype.addTransceiver;
    RTCPeerConnection.prototype.addTransceiver = function add(...options) {
        const transceiver = addTransceiver.apply(this, options);
        window.sender = transceiver.sender;
        return transceiver;
    };
}"""

SCALE = """async by => {
    const parameters = sender.getParameters();
    parameters.degradationPreference = 'maintain-resolution'; // what is asked, on any machine
    parameters.encodings[0].scaleResolutionDownBy = by;
    await sender.setParameters(parameters);
}"""

SENT = """async () => {
    const reports = [...(await sender.getStats()).values()];
    const { frameWidth, frameHeight } = reports.find(({ type }) => type === 'outbound-rtp');
    return [frameWidth, frameHeight];
}"""


async def sends(visitor: Visit, size: list[int]) -> None:
    """Wait until pictures of this size are sent."""
    for _ in range(100):
        if await visitor.page.evaluate(SENT) == size:
            return
        await visitor.page.wait_for_timeout(50)
    pytest.fail(f"{await visitor.page.evaluate(SENT)} is sent, not {size}")


async def test_a_person_passes_while_the_browser_scales_its_video(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    visitor = await visit(liveness_server.url, behaviour={"allowed": 0})
    page = visitor.page
    await page.evaluate(REMEMBER_SENDER)
    asked: list[Any] = []
    await visitor.start()
    for step, (scale, size) in enumerate(
        [(1, [640, 480]), (2, [320, 240]), (4 / 3, [480, 360]), (1, [640, 480])]
    ):
        await page.get_by_text(f"Step {step + 1} of 4", exact=True).wait_for()
        asked.append(await page.get_attribute("#stage", "data-challenge"))
        await page.evaluate(SCALE, scale)
        await sends(visitor, size)
        await page.evaluate("allowed => { person.allowed = allowed; }", step + 1)
    await page.wait_for_url("**/success")
    assert sorted(asked) == ["blink", "front", "left", "right"]
