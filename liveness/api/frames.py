"""The first seed's calls: one picture at a time, or those of a whole check at once."""

from functools import partial
from typing import Any

from aiohttp import web

from liveness.api.bodies import (
    MAX_FRAME,
    MAX_FRAMES,
    Frame,
    FrameRequest,
    FramesRequest,
    challenge_of,
    parse,
    unpack,
)
from liveness.api.http import read_body
from liveness.api.seeds import (
    OUTCOME,
    SEND_TIMEOUT,
    STILLS,
    Seen,
    expect_client,
    json,
    look,
    now,
    remember,
    seed_call,
    settle,
    tray_of,
    visit,
)
from liveness.challenge.baseline import SHUT
from liveness.challenge.hints import obstacle
from liveness.challenge.names import Challenge, Hint
from liveness.challenge.single import Run, facing, judge
from liveness.desk import Tray
from liveness.errors import InvalidBody, InvalidPicture, TooLarge, WrongType
from liveness.registry import Registry
from liveness.sentences import sentence

MOST_TOGETHER = 60_000_000
"""Pixels of all pictures of one request: four of a telephone's, or sixty of a megapixel. Packed
into a kilobyte each, more would keep the others waiting for minutes."""

_ENLARGED = 1.2
"""The seed's box is a fifth larger than dlib's."""

_INTERVAL = 0.1
"""Seconds between two pictures of one request, whose times nobody knows: far enough apart that a
blink among them has no duration."""

routes = web.RouteTableDef()


def _frame_error(message: str) -> dict[str, Any]:
    return {"success": False, "message": message, "face_box": None, "debug_info": {}}


def _frames_error(message: str) -> dict[str, Any]:
    return {"success": False, "message": message, "results": []}


@routes.post("/api/process-frame")
@seed_call("process-frame", _frame_error)
async def process_frame(request: web.Request) -> web.Response:
    """Tell whether one picture meets a challenge."""
    stills = request.app[STILLS]
    with tray_of(request) as tray:
        body = await _body(request, MAX_FRAME, tray)
        arrived = now()  # on a slow line long after the request began
        wanted = await tray.work(partial(parse, FrameRequest, body))
        await settle(request, wanted.session, body)
        challenge = challenge_of(wanted)
        seen = await tray.work(partial(_look, wanted, stills.registry, arrived))
    found = visit(request, wanted.session, arrived)
    for client in found.clients:
        _follow(client.run, seen, asked=challenge is Challenge.BLINK)
    run = found.clients[0].run
    hint = _judge(challenge, seen, blinked=run.blinked(arrived))
    answer = {
        "success": hint is Hint.PASSED,
        "message": sentence(challenge, hint),
        "face_box": _box(seen),
        "debug_info": _debug(challenge, seen, run),
    }
    request[OUTCOME] = _outcome(answer)
    return remember(request, json(answer), found)


@routes.post("/api/liveness-detection")
@seed_call("liveness-detection", _frames_error)
async def liveness_detection(request: web.Request) -> web.Response:
    """Tell whether every picture of a check meets its challenge.

    Those for `blink` are the successive pictures of one run, and one blink meets them all; so does
    one that process-frame has just seen of this client.
    """
    began = now()  # all the pictures of a check may take longer than a blink is remembered
    stills = request.app[STILLS]
    with tray_of(request) as tray:
        body = await _body(request, MAX_FRAMES, tray)
        wanted = await tray.work(partial(parse, FramesRequest, body))
        await settle(request, wanted.session, body)
        if not wanted.frames:
            raise InvalidBody("No frames provided")
        challenges = [challenge_of(frame) for frame in wanted.frames]
        shown: list[Seen] = []
        pixels = 0
        for number, frame in enumerate(wanted.frames, start=1):
            expect_client(request)
            job = partial(_look, frame, stills.registry, number * _INTERVAL, f"Frame {number}: ")
            seen = await tray.work(job)
            shown.append(seen)
            pixels += seen.picture.width * seen.picture.height
            if pixels > MOST_TOGETHER:
                most = f"at most {MOST_TOGETHER // 1_000_000} million pixels are taken at once"
                raise TooLarge(f"The pictures are too large together: {most}")
    found = visit(request, wanted.session, began)
    run = Run()
    for challenge, seen in zip(challenges, shown, strict=True):
        _follow(run, seen, asked=challenge is Challenge.BLINK)
    blinked = run.has_blinked or found.clients[0].run.blinked(began)
    results = [
        _result(challenge, _judge(challenge, seen, blinked=blinked))
        for challenge, seen in zip(challenges, shown, strict=True)
    ]
    summary = _summary(results)
    request[OUTCOME] = _outcome(summary)
    return remember(request, json(summary), found)


def _outcome(answer: dict[str, Any]) -> str:
    return "passed" if answer["success"] else "not_passed"


async def _body(request: web.Request, limit: int, tray: Tray) -> bytes:
    if request.content_type != "application/json":
        raise WrongType("Send JSON, with Content-Type: application/json")
    return await read_body(request, limit, SEND_TIMEOUT, tray.hold)


def _look(frame: Frame, registry: Registry, arrived: float, place: str = "") -> Seen:
    try:
        return look(unpack(frame.frame), registry, arrived)
    except (InvalidPicture, TooLarge) as error:
        raise type(error)(f"{place}{error.detail}") from None


def _follow(run: Run, seen: Seen, *, asked: bool) -> None:
    face = seen.observation.face
    if face is not None and obstacle(seen.observation, first=False) is None:
        run.add(face, seen.observation.time, asked=asked)


def _judge(challenge: Challenge, seen: Seen, *, blinked: bool) -> Hint:
    face = seen.observation.face
    hint = obstacle(seen.observation, first=challenge is Challenge.FRONT)
    if hint is not None or face is None:
        return hint or Hint.NO_FACE
    if challenge is Challenge.BLINK:
        return Hint.PASSED if blinked else Hint.BLINK
    return judge(challenge, face)


def _result(challenge: Challenge, hint: Hint) -> dict[str, Any]:
    success = hint is Hint.PASSED
    return {"challenge": challenge, "success": success, "message": sentence(challenge, hint)}


def _summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    failed = next((result for result in results if not result["success"]), None)
    if failed is None:
        message = "Liveness verification successful"
    else:
        message = f"Liveness verification failed: {failed['message']}"
    return {"success": failed is None, "message": message, "results": results}


def _box(seen: Seen) -> list[int] | None:
    """Draw the face's box as the seed did: x, y, width, height, pixels of the upright picture."""
    if seen.observation.face is None:
        return None
    box, picture = seen.observation.face.box, seen.picture
    width, height = box.width * _ENLARGED, box.height * _ENLARGED
    left = max(0.0, box.x + (box.width - width) / 2)
    top = max(0.0, box.y + (box.height - height) / 2)
    return [
        round(left * picture.width),
        round(top * picture.height),
        round(min(width, 1 - left) * picture.width),
        round(min(height, 1 - top) * picture.height),
    ]


def _debug(challenge: Challenge, seen: Seen, run: Run) -> dict[str, Any]:
    """Tell what was measured: degrees, eye aspect ratios, shares of the picture."""
    face = seen.observation.face
    if face is None:
        return {"faces": seen.observation.faces}
    debug: dict[str, Any] = {
        "faces": seen.observation.faces,
        "detected": facing(face),
        "yaw": round(face.pose.yaw, 1),
        "pitch": round(face.pose.pitch, 1),
        "roll": round(face.pose.roll, 1),
        "eye_aspect_ratio": {
            "right": round(face.eyes.right, 3),
            "left": round(face.eyes.left, 3),
        },
        "face_size": round(face.quality.size, 3),
        "brightness": round(face.quality.brightness, 1),
        "contrast": round(face.quality.contrast, 1),
        "sharpness": round(face.quality.sharpness, 2),
    }
    if challenge is Challenge.BLINK and run.open_eyes is not None:
        debug |= {
            "pictures": run.pictures,
            "baseline_ear": round(run.open_eyes, 3),
            "blink_threshold": round(SHUT * run.open_eyes, 3),
            "min_ear_seen": round(run.least_open or 0.0, 3),
        }
    return debug
