import base64
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.rtc.servers import (
    IceServers,
    link_headers,
    parse_ice_server,
    read_secret,
    readable,
    takes_secret,
)


def test_servers_are_read() -> None:
    stun = parse_ice_server("stun:stun.example.net")
    assert (stun.urls, stun.username, stun.credential) == ("stun:stun.example.net", None, None)
    turn = parse_ice_server("turns:me:a:b@[2001:db8::1]:5349?transport=tcp")
    assert turn.urls == "turns:[2001:db8::1]:5349?transport=tcp"
    assert (turn.username, turn.credential) == ("me", "a:b")
    shared = parse_ice_server("turn:turn.example.net?transport=udp")
    assert (shared.urls, shared.username) == ("turn:turn.example.net?transport=udp", None)
    assert [takes_secret(each) for each in (stun, turn, shared)] == [False, False, True]


@pytest.mark.parametrize(
    "url",
    [
        *("", "stun:", "stun://host", "turn:user@host", "stun:u:p@host", "stun:h:x"),
        *("stun:h?transport=udp", "turn:u:p@h?transport=sctp", "http://h", "turn:u:p@h\nx"),
    ],
)
def test_what_is_no_server(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected|takes"):
        parse_ice_server(url)


def test_links_quote_what_they_carry() -> None:
    turn = parse_ice_server('turn:u"x:p\\y@host')
    stun, relay = link_headers([parse_ice_server("stun:h:1"), turn])
    assert stun == '<stun:h:1>; rel="ice-server"'
    place, _, username, credential, kind = relay.split("; ")
    assert (place, kind) == ("<turn:host>", 'credential-type="password"')
    assert (username, credential) == (r'username="u\"x"', r'credential="p\\y"')


def test_credentials_are_those_that_coturn_computes() -> None:
    # printf 1700000000:abc | openssl dgst -sha1 -hmac north -binary | base64
    servers = IceServers.of(["stun:s", "turn:t:1", "turn:own:word@u"], "north")
    stun, turn, own = servers.issue("abc", datetime.fromtimestamp(1_700_000_000, UTC))
    assert (stun.urls, stun.username, stun.credential) == ("stun:s", None, None)
    assert (turn.urls, turn.username) == ("turn:t:1", "1700000000:abc")
    assert turn.credential == "g5HTmCBrPDhYXFpM/1dHUtfE+c4="
    assert (own.username, own.credential) == ("own", "word")


@given(st.text(min_size=1), st.integers(0, 2**33))
def test_credentials_say_until_when_and_for_whom(secret: str, second: int) -> None:
    expires = datetime.fromtimestamp(second, UTC)
    (turn,) = IceServers.of(["turn:host"], secret).issue("somebody", expires)
    until, name = (turn.username or "").split(":")
    assert (int(until), name) == (second, "somebody")
    assert len(base64.b64decode(turn.credential or "", validate=True)) == 20
    (link,) = link_headers([turn])
    assert re.fullmatch(r'<turn:host>; rel="ice-server"; [\w+/=:;" -]+', link)


def test_the_secret_is_not_shown_with_the_servers() -> None:
    assert "north" not in repr(IceServers.of(["turn:host"], "north"))


def test_what_aiortc_cannot_read_is_for_clients_only() -> None:
    servers = [parse_ice_server(url) for url in ("stun:[::1]:1", "stun:host")]
    assert [each.urls for each in readable(servers)] == ["stun:host"]


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(" north\n")
    assert read_secret(path) == "north"
    path.write_text("\n")
    with pytest.raises(ValueError, match="is empty"):
        read_secret(path)
