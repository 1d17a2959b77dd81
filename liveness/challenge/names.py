"""The names that the API, the data channel and the code share."""

from enum import StrEnum


class Challenge(StrEnum):
    """What a person is asked to do; right and left are the person's own."""

    FRONT = "front"
    RIGHT = "right"
    LEFT = "left"
    BLINK = "blink"


class Hint(StrEnum):
    """What a person should change, or `hold` and `passed`."""

    NO_FACE = "no_face"
    MANY_FACES = "many_faces"
    TOO_FAR = "too_far"
    TOO_CLOSE = "too_close"
    OFF_CENTRE = "off_centre"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    BLURRED = "blurred"
    LOOK_STRAIGHT = "look_straight"
    TURN_MORE = "turn_more"
    WRONG_WAY = "wrong_way"
    BLINK = "blink"
    EYES_HIDDEN = "eyes_hidden"
    HOLD = "hold"
    PASSED = "passed"
