"""What people are told in plain words, where no page translates hints."""

from liveness.challenge.names import Challenge, Hint

_PASSED = {
    Challenge.FRONT: "Face centered and looking at camera!",
    Challenge.RIGHT: "Face turned right detected!",
    Challenge.LEFT: "Face turned left detected!",
    Challenge.BLINK: "Blink detected!",
}
"""The first seed's own words."""

_HINTS = {
    Hint.NO_FACE: "No face detected. Please ensure your face is clearly visible.",
    Hint.MANY_FACES: "More than one face detected. Please make sure that you are alone.",
    Hint.TOO_FAR: "Your face is too far away. Please come closer.",
    Hint.TOO_CLOSE: "Your face is too close. Please move back a little.",
    Hint.OFF_CENTRE: "Please move your face to the middle of the picture.",
    Hint.TOO_DARK: "It is too dark. Please turn to a light.",
    Hint.TOO_BRIGHT: "It is too bright. Please turn away from the light.",
    Hint.BLURRED: "The picture is blurred. Please hold still, or clean the camera.",
    Hint.LOOK_STRAIGHT: "Please look straight at the camera.",
    Hint.TURN_MORE: "Please turn your face more to the {side}.",
    Hint.WRONG_WAY: "Wrong direction! Please turn your face to the {side}.",
    Hint.BLINK: "Please blink your eyes.",
}


def sentence(challenge: Challenge, hint: Hint) -> str:
    """Say what to do, or that it is done; sides are the person's own."""
    if hint is Hint.PASSED:
        return _PASSED[challenge]
    return _HINTS[hint].format(side=challenge)
