"""What keeps a face from being measured, in the order in which a person should mend it."""

from liveness.challenge.names import Hint
from liveness.vision.observation import Box, Face, Observation

# Shares of the picture's shorter side. Under .2 the anti-spoof networks begin to take people for
# pictures: of real clips made smaller they accused none at .2 and more, 5 % of the moments at .18,
# where an open eye is some three pixels high in a 640x480 picture. Over .85 chin or brows leave the
# picture when the head turns.
_LEAST_SIZE = 0.235
_MOST_SIZE = 0.85
# A face already being followed may come this much nearer to a limit: nobody should lose a step for
# leaning back a little.
_SLACK = 0.85
# Distance of the face's centre from the picture's, in shares of the picture.
_MOST_OFF_CENTRE = 0.25
# Luma, 16..235. Dark skin in good light reads 50 to 90 with a contrast of 20 and more, so darkness
# is only called where detail is gone as well.
_DARK = 36.0
_DARK_CONTRAST = 7.0
_PITCH_DARK = 22.0
_BRIGHT = 225.0
# Sharpness as `vision.quality` measures it: webcams read .45 to 1.0, a face blurred by a
# fiftieth of its width .2 to .4: at half of that the landmarks still hold.
_LEAST_SHARPNESS = 0.15


def obstacle(observation: Observation, *, first: bool) -> Hint | None:
    """Why this frame cannot count, or None.

    `first`: the step that sets the baseline, `front`, also wants a centred face, in focus.
    """
    face = observation.face
    if face is None:
        return Hint.NO_FACE
    if observation.faces > 1:
        return Hint.MANY_FACES
    return _distance(face, first=first) or _light(face) or (_framing(face) if first else None)


def _distance(face: Face, *, first: bool) -> Hint | None:
    slack = 1.0 if first else _SLACK
    if face.quality.size < _LEAST_SIZE * slack:
        return Hint.TOO_FAR
    if face.quality.size > _MOST_SIZE / slack:
        return Hint.TOO_CLOSE
    return None


def _light(face: Face) -> Hint | None:
    light = face.quality
    if light.brightness < _PITCH_DARK or (
        light.brightness < _DARK and light.contrast < _DARK_CONTRAST
    ):
        return Hint.TOO_DARK
    if light.brightness > _BRIGHT:
        return Hint.TOO_BRIGHT
    return None


def _framing(face: Face) -> Hint | None:
    if _off_centre(face.box) > _MOST_OFF_CENTRE:
        return Hint.OFF_CENTRE
    if face.quality.sharpness < _LEAST_SHARPNESS:
        return Hint.BLURRED
    return None


def _off_centre(box: Box) -> float:
    return max(abs(box.x + box.width / 2 - 0.5), abs(box.y + box.height / 2 - 0.5))
