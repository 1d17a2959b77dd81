"""The page where a browser is reached through a TURN server only."""

from liveness.testing.fixtures import ServerFactory
from tests.browser.visit import Visitor
from tests.turn_server import SECRET, TurnServer

# What a network without any direct way comes to.
RELAY_ONLY = """() => {
    globalThis.peers = [];
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration) {
            super({ ...configuration, iceTransportPolicy: 'relay' });
            peers.push(this);
        }
    };
}"""
SELECTED = """async () => {
    const report = await peers[0].getStats();
    const pairs = [...report.values()].filter(({ type, state }) =>
        type === 'candidate-pair' && state === 'succeeded');
    return pairs.map((pair) => report.get(pair.localCandidateId).candidateType);
}"""


async def test_a_person_passes_through_a_relay(
    liveness_servers: ServerFactory, visit: Visitor, turn_server: TurnServer
) -> None:
    server = await liveness_servers(ice_server=(turn_server.url,), turn_secret=SECRET)
    visitor = await visit(server.url)
    await visitor.page.evaluate(RELAY_ONLY)
    await visitor.start()
    await visitor.page.get_by_text("Step 2 of 4", exact=True).wait_for()
    assert set(await visitor.page.evaluate(SELECTED)) == {"relay"}
    await visitor.page.wait_for_url("**/success")
