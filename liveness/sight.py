"""All that looks at faces in one process: its sessions and single pictures share it."""

import asyncio
from dataclasses import dataclass

from liveness.identifying import Identifying
from liveness.rtc.decoding import DecodingThreads
from liveness.scoring import Scoring
from liveness.vision.landmarks import Landmarker
from liveness.vision.spoof import SpoofModel


@dataclass(slots=True)
class Sight:
    """`landmarker` may be replaced, `weights` with it: whoever comes later gets what is here then.

    `weights`: the SHA-256 of every file in use, by its name.
    """

    landmarker: Landmarker
    weights: dict[str, str]
    threads: DecodingThreads
    scoring: Scoring
    identifying: Identifying

    @property
    def classifier(self) -> SpoofModel | None:
        """The model that scores, None where there is none."""
        return self.scoring.model

    @property
    def spoof_model(self) -> str | None:
        """The name of that model."""
        return None if self.classifier is None else self.classifier.card.name

    @property
    def compares_faces(self) -> bool:
        """Whether the faces of a session are compared with each other."""
        return self.identifying.describer is not None

    async def close(self) -> None:
        """End the threads and the process; every session must have ended before."""
        await asyncio.to_thread(self.threads.close)
        self.scoring.close()
        await self.identifying.close()
