import re

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from liveness.rtc import ice
from liveness.rtc.ice import link_headers, parse_ice_server, restrict


def test_servers_are_read() -> None:
    stun = parse_ice_server("stun:stun.example.net")
    assert (stun.urls, stun.username, stun.credential) == ("stun:stun.example.net", None, None)
    turn = parse_ice_server("turns:me:a:b@[2001:db8::1]:5349?transport=tcp")
    assert turn.urls == "turns:[2001:db8::1]:5349?transport=tcp"
    assert (turn.username, turn.credential) == ("me", "a:b")


@pytest.mark.parametrize(
    "url",
    [
        *("", "stun:", "stun://host", "turn:host", "turn:user@host", "stun:u:p@host", "stun:h:x"),
        *("stun:h?transport=udp", "turn:u:p@h?transport=sctp", "http://h", "turn:u:p@h\nx"),
    ],
)
def test_what_is_no_server(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected|needs|takes"):
        parse_ice_server(url)


def test_links_quote_what_they_carry() -> None:
    turn = parse_ice_server('turn:u"x:p\\y@host')
    stun, relay = link_headers([parse_ice_server("stun:h:1"), turn])
    assert stun == '<stun:h:1>; rel="ice-server"'
    place, _, username, credential, kind = relay.split("; ")
    assert (place, kind) == ("<turn:host>", 'credential-type="password"')
    assert (username, credential) == (r'username="u\"x"', r'credential="p\\y"')


async def gathered(*addresses: str) -> set[str]:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("video")
    connection.createDataChannel("any")
    restrict(connection, addresses)
    await connection.setLocalDescription(await connection.createOffer())
    found = set(re.findall(r"candidate:\S+ 1 udp \d+ (\S+)", connection.localDescription.sdp))
    await connection.close()
    return found


async def test_candidates_are_gathered_on_these_addresses_only() -> None:
    assert await gathered("127.0.0.1") == {"127.0.0.1"}


async def test_a_machine_without_a_network_has_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "get_host_addresses", lambda **_: [])
    assert await gathered() == {"127.0.0.1"}
