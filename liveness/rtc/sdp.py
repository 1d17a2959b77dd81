"""Session descriptions as text: what an offer and a trickled fragment say. Pure, nothing is sent.

aiortc parses and answers offers; what stands here keeps from it what it cannot take, and tells
the client which of the two it was: not SDP at all (400), or SDP that cannot be served (422).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from aiortc import RTCIceCandidate
from aiortc.rtcdtlstransport import X509_DIGEST_ALGORITHMS
from aiortc.sdp import DIRECTIONS, MediaDescription, SessionDescription, candidate_from_sdp

from liveness.errors import InvalidSdp, Unservable

OFFER_TYPE = "application/sdp"
FRAGMENT_TYPE = "application/trickle-ice-sdpfrag"

MAX_SECTIONS = 8
"""Media sections of one offer: camera, microphone, screen, data, and as many again."""

MAX_CANDIDATES = 64
"""Candidates of one peer; each costs this server a series of checks to an address of the peer's
choice, and a machine with many interfaces has about twenty."""

_SENDING = ("sendonly", "sendrecv")

# What aiortc's parser raises on text that is not SDP (found by fuzzing it).
_PARSER_ERRORS = (
    ValueError,
    IndexError,
    KeyError,
    AssertionError,
    AttributeError,
    TypeError,
    StopIteration,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that can be answered.

    `sdp`: what aiortc gets. `candidates`: those that have to be looked up first, which would keep
    the answer waiting (mDNS names); `complete`: no more will come. `video`: `mid` of the track to
    measure. `has_channel`: whether the client opens data channels. `fingerprint`: of the one
    certificate that the peer has to prove to hold, None if it may use several.
    """

    sdp: str
    ufrag: str
    video: str
    has_channel: bool
    candidates: tuple[RTCIceCandidate, ...]
    complete: bool
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a trickled fragment adds (RFC 8840 section 9)."""

    ufrag: str | None
    candidates: tuple[RTCIceCandidate, ...]
    complete: bool


def read_offer(text: str) -> Offer:
    """Check an offer and make it fit for aiortc; raises `InvalidSdp`, `Unservable`."""
    lines = _lines(text)
    if lines[0] != "v=0":
        raise InvalidSdp("A session description begins with v=0")
    # Looked at section by section, so that what aiortc cannot do is known before it is asked to.
    sections = list(_sections(lines))
    if len(sections) - 1 > MAX_SECTIONS:
        raise Unservable(f"More than {MAX_SECTIONS} media sections")
    late: list[RTCIceCandidate] = []
    complete = "a=end-of-candidates" in lines
    direction = next((line for line in sections[0] if line[2:] in DIRECTIONS), "a=sendrecv")
    adapted = [line for section in sections for line in _adapted(section, direction, late)]
    # Once the last candidate was announced no other may follow, and the late ones do.
    if late:
        adapted = [line for line in adapted if line != "a=end-of-candidates"]
    sdp = "\r\n".join(adapted) + "\r\n"
    media = _parsed(sdp).media
    video = _check(media)
    ufrag = video.ice.usernameFragment if video.ice else None
    has_channel = any(each.kind == "application" for each in media)
    mid = video.rtp.muxId
    return Offer(sdp, ufrag or "", mid, has_channel, tuple(late), complete, _fingerprint(media))


def read_fragment(text: str) -> Fragment:
    """Read `application/trickle-ice-sdpfrag`; raises `InvalidSdp`."""
    lines = _lines(text)
    ufrag: str | None = None
    candidates: list[RTCIceCandidate] = []
    complete = known = False
    for index, section in enumerate(_sections(lines)):
        mid = next((line[6:] for line in section if line.startswith("a=mid:")), None)
        for line in section:
            name, _, value = line.partition(":")
            known = known or name in {"a=ice-ufrag", "a=candidate", "a=end-of-candidates"}
            if name == "a=ice-ufrag":
                ufrag = value
            elif name == "a=end-of-candidates":
                complete = True
            elif name == "a=candidate" and (candidate := _candidate(value)):
                candidate.sdpMid = mid
                candidate.sdpMLineIndex = max(index - 1, 0) if mid is None else None
                candidates.append(candidate)
    if not known:
        raise InvalidSdp("The fragment has neither ICE credentials nor candidates")
    return Fragment(ufrag, tuple(candidates[:MAX_CANDIDATES]), complete)


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    if not lines:
        raise InvalidSdp("The body is empty")
    for number, line in enumerate(lines, 1):
        if len(line) < 2 or not line[0].islower() or line[1] != "=":  # noqa: PLR2004 - "x="
            raise InvalidSdp(f"Line {number} is not of the form x=value")
    return lines


def _sections(lines: list[str]) -> Iterator[list[str]]:
    """Split before each m= line; the first part is the session's own."""
    section: list[str] = []
    for line in lines:
        if line.startswith("m="):
            yield section
            section = []
        section.append(line)
    yield section


def _adapted(section: list[str], direction: str, late: list[RTCIceCandidate]) -> Iterator[str]:
    """Rewrite one section for aiortc; mDNS candidates go to `late`."""
    mid = next((line[6:] for line in section if line.startswith("a=mid:")), "")
    for line in section:
        if line == "a=setup:actpass":
            # aiortc would answer `active`; GStreamer connects only to a `passive` answer.
            yield "a=setup:active"
        elif not line.startswith("a=candidate:"):
            yield line
        elif candidate := _candidate(line.partition(":")[2]):
            if not candidate.ip.endswith(".local"):
                yield line
            elif len(late) < MAX_CANDIDATES:
                candidate.sdpMid = mid
                late.append(candidate)
    is_media = section and section[0].startswith(("m=audio", "m=video"))
    if is_media and not any(line[2:] in DIRECTIONS for line in section):
        yield direction  # the default of RFC 8866 section 6.7, which aiortc does not know


def _candidate(value: str) -> RTCIceCandidate | None:
    """Read a candidate; those that aioice cannot pair (TCP, RTCP's own) are None."""
    try:
        candidate = candidate_from_sdp(value)
    except _PARSER_ERRORS:
        raise InvalidSdp("A candidate cannot be read") from None
    usable = candidate.component == 1 and candidate.protocol.lower() == "udp"
    return candidate if usable else None


def _parsed(sdp: str) -> SessionDescription:
    try:
        return SessionDescription.parse(sdp)
    except _PARSER_ERRORS:
        raise InvalidSdp from None


def _fingerprint(media: list[MediaDescription]) -> str | None:
    """Name the certificate of the peer, as an a=fingerprint line does (RFC 8122).

    aiortc wants the certificate to match every fingerprint of the section that it bundles the
    others with, as far as it knows their algorithms; of the other sections it looks at none.
    """
    sections = [
        {
            (each.algorithm.lower(), each.value.upper())
            for each in (section.dtls.fingerprints if section.dtls else ())
            if each.algorithm.lower() in X509_DIGEST_ALGORITHMS
        }
        for section in media
    ]
    common = set.intersection(*sections)
    if not common or any(section != common for section in sections):
        return None
    return " ".join(min(common))  # sha-256 before longer ones


def _check(media: list[MediaDescription]) -> MediaDescription:
    """Find the video to measure, and everything a connection needs."""
    if sum(len(each.ice_candidates) for each in media) > MAX_CANDIDATES:
        raise Unservable(f"More than {MAX_CANDIDATES} candidates")
    video = next((m for m in media if m.kind == "video" and m.direction in _SENDING), None)
    if video is None:
        raise Unservable("The offer sends no video")
    for each in media:
        if each.kind not in {"audio", "video", "application"}:
            raise Unservable(f"Media of the kind {each.kind!r} cannot be taken")
        if not each.ice or not each.ice.usernameFragment or not each.ice.password:
            raise Unservable("The offer has no ICE credentials")
        if each.kind == "application" and each.sctp_port is None and each.profile != "DTLS/SCTP":
            raise Unservable("The offer names no SCTP port for its data channels")
        if each.dtls is None or not each.dtls.fingerprints:
            raise Unservable("The offer has no DTLS fingerprint or no setup attribute")
    return video
