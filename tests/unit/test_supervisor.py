import pickle

from liveness.orders import Orders
from liveness.seat import Seat
from liveness.settings import Settings
from liveness.supervisor import MOST_PAUSE, pause


def test_only_repeated_quick_ends_make_it_wait() -> None:
    assert pause(0) == pause(1) == 0
    waits = [pause(quick) for quick in range(2, 40)]
    assert waits[:4] == [1, 2, 4, 8]
    assert waits == sorted(waits)
    assert waits[-1] == MOST_PAUSE


def test_workers_are_told_every_setting() -> None:
    settings = Settings.from_args(
        [
            *("--api-key", "bank:a-key-of-twenty-letters", "--store", "redis://:secret@host"),
            *("--ice-server", "turn:host", "--turn-secret", "s", "--trusted-proxy", "10.0.0.0/8"),
            *("--time-limit", "7", "--workers", "3", "--node-url", "http://10.0.0.7:5555"),
        ]
    )
    told: Orders = pickle.loads(pickle.dumps(Orders(settings, Seat(), (3,))))  # noqa: S301 - ours
    assert told.settings == settings
    assert told.settings.api_key == settings.api_key
