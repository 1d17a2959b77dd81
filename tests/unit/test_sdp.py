from contextlib import suppress

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import example, given
from hypothesis import strategies as st

from liveness.errors import InvalidSdp, Unservable
from liveness.rtc.sdp import MAX_CANDIDATES, MAX_SECTIONS, read_fragment, read_offer

SESSION = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
"""
CREDENTIALS = """a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 00:11
a=setup:actpass
"""
VIDEO = f"""m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=mid:0
a=sendonly
a=rtpmap:96 VP8/90000
{CREDENTIALS}"""
CHANNEL = f"""m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:1
a=sctp-port:5000
{CREDENTIALS}"""
OFFER = SESSION + VIDEO + CHANNEL
HOST = "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host"
MDNS = "a=candidate:2 1 udp 2130706431 0b6f.local 5001 typ host"
TCP = "a=candidate:3 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active"
RTCP = "a=candidate:1 2 udp 2130706430 192.0.2.1 5002 typ host"


def test_an_offer_is_understood() -> None:
    offer = read_offer(OFFER.replace("\n", "\r\n"))
    assert (offer.ufrag, offer.video, offer.has_channel) == ("abcd", "0", True)
    assert offer.candidates == ()
    assert not offer.complete
    assert read_offer(OFFER) == offer


FINGERPRINT = "a=fingerprint:sha-256 00:11\n"
STRONGER = "a=fingerprint:sha-512 22:33\n"
UNCHECKED = "a=fingerprint:sha-1 44:55\n"  # aiortc does not know it: anybody could claim it


@pytest.mark.parametrize(
    ("offer", "fingerprint"),
    [
        (OFFER, "sha-256 00:11"),
        (OFFER.replace("sha-256 00:11", "SHA-256 0a:fF"), "sha-256 0A:FF"),
        (OFFER.replace(FINGERPRINT, STRONGER + FINGERPRINT), "sha-256 00:11"),
        (OFFER.replace(FINGERPRINT, UNCHECKED + STRONGER), "sha-512 22:33"),
        (OFFER.replace(FINGERPRINT, UNCHECKED), None),
        (SESSION + FINGERPRINT + (VIDEO + CHANNEL).replace(FINGERPRINT, ""), "sha-256 00:11"),
        # Only that of the section which carries the others is held against the certificate.
        (SESSION + VIDEO + CHANNEL.replace("00:11", "66:77"), None),
        (SESSION + VIDEO + CHANNEL.replace(FINGERPRINT, FINGERPRINT + STRONGER), None),
    ],
)
def test_a_fingerprint_is_one_that_will_be_checked(offer: str, fingerprint: str | None) -> None:
    assert read_offer(offer).fingerprint == fingerprint


def test_the_answer_will_be_passive() -> None:
    assert "actpass" not in read_offer(OFFER).sdp
    media = SessionDescription.parse(read_offer(OFFER).sdp).media
    assert [each.dtls.role for each in media if each.dtls] == ["client", "client"]
    kept = read_offer(OFFER.replace("actpass", "passive"))
    assert kept.sdp.count("a=setup:passive") == 2


def test_the_first_video_that_is_sent_counts() -> None:
    other = VIDEO.replace("sendonly", "recvonly").replace("mid:0", "mid:7")
    assert read_offer(SESSION + other + VIDEO).video == "0"
    with pytest.raises(Unservable, match="no video"):
        read_offer(SESSION + other + CHANNEL)


def test_a_missing_direction_is_both() -> None:
    offer = read_offer(OFFER.replace("a=sendonly\n", ""))
    assert "a=sendrecv" in offer.sdp
    with pytest.raises(Unservable):
        read_offer(SESSION + "a=recvonly\n" + VIDEO.replace("a=sendonly\n", ""))


def test_candidates_are_sorted_out() -> None:
    candidates = f"{HOST}\n{MDNS}\n{TCP}\n{RTCP}\na=end-of-candidates\n"
    offer = read_offer(SESSION + VIDEO + candidates + CHANNEL)
    assert [line for line in offer.sdp.splitlines() if "candidate" in line] == [HOST]
    assert [(each.ip, each.port, each.sdpMid) for each in offer.candidates] == [
        ("0b6f.local", 5001, "0")
    ]
    assert offer.complete


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "\n",
        "v=1",
        "hello",
        OFFER.replace("a=mid", "mid"),
        OFFER.replace("UDP/TLS/RTP/SAVPF 96", "UDP"),
        OFFER.replace("VP8/90000", "VP8/many"),
        OFFER.replace("actpass", "maybe"),
        OFFER + "a=candidate:1 1 udp\n",
        OFFER + "a=sctp-port:x\n",
    ],
)
def test_what_is_no_sdp(broken: str) -> None:
    with pytest.raises(InvalidSdp):
        read_offer(broken)


@pytest.mark.parametrize(
    "unusable",
    [
        SESSION,
        SESSION + CHANNEL,
        OFFER.replace("a=ice-ufrag:abcd\n", ""),
        OFFER.replace("a=ice-pwd:0123456789012345678901\n", ""),
        OFFER.replace("a=setup:actpass\n", ""),
        OFFER.replace("a=fingerprint:sha-256 00:11\n", ""),
        OFFER.replace("m=application", "m=message"),
        OFFER.replace("a=sctp-port:5000\n", ""),
        SESSION + VIDEO * (MAX_SECTIONS + 1),
        SESSION + VIDEO + f"{HOST}\n" * (MAX_CANDIDATES + 1),
    ],
)
def test_what_cannot_be_served(unusable: str) -> None:
    with pytest.raises(Unservable):
        read_offer(unusable)


def test_a_fragment_is_understood() -> None:
    fragment = read_fragment(
        "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
        f"m=video 9 RTP/AVP 0\r\na=mid:0\r\n{HOST}\r\n{MDNS}\r\n{TCP}\r\na=end-of-candidates\r\n"
    )
    assert (fragment.ufrag, fragment.complete) == ("abcd", True)
    assert [(each.ip, each.sdpMid) for each in fragment.candidates] == [
        ("192.0.2.1", "0"),
        ("0b6f.local", "0"),
    ]


def test_a_fragment_without_sections_is_about_the_first() -> None:
    fragment = read_fragment(HOST)
    assert fragment.ufrag is None
    assert [each.sdpMLineIndex for each in fragment.candidates] == [0]


@pytest.mark.parametrize(
    "broken", ["", "m=video 9 RTP/AVP 0", "a=candidate", "a=candidate:x", "candidate:1"]
)
def test_what_is_no_fragment(broken: str) -> None:
    with pytest.raises(InvalidSdp):
        read_fragment(broken)


LINES = st.sampled_from([*OFFER.splitlines(), HOST, MDNS, TCP, "a=fmtp:97 x=1", "a=ssrc:1 cname:x"])
NOISE = st.text(alphabet="av=m:/ 0123456789\r\nx", max_size=20)


@given(st.lists(st.one_of(LINES, NOISE, LINES.map(lambda line: line[:-2])), max_size=40))
@example(["v=0", "m=video 9 X 96", "a=rtcp-fb:96"])
def test_any_text_is_read_or_refused(lines: list[str]) -> None:
    text = "\n".join(lines)
    for read in (read_offer, read_fragment):
        with suppress(InvalidSdp, Unservable):
            read(text)


@given(st.integers(0, len(OFFER) - 1), st.text(max_size=3))
def test_a_damaged_offer_is_read_or_refused(place: int, damage: str) -> None:
    with suppress(InvalidSdp, Unservable):
        read_offer(OFFER[:place] + damage + OFFER[place + 1 :])
