"""What a supervisor tells a worker."""

from dataclasses import dataclass

from liveness.seat import Seat
from liveness.settings import Settings


@dataclass(frozen=True, slots=True)
class Orders:
    """Comes pickled. `sockets`: the numbers of those that the worker listens at."""

    settings: Settings
    seat: Seat
    sockets: tuple[int, ...]
