from typing import Any

import pytest

from liveness.errors import RateLimited, StoreUnavailable, SubjectLocked
from liveness.limits import MOST_GUESSES, Limits, is_failure, subject_digest
from liveness.settings import Settings
from liveness.store import Record
from liveness.store.memory import MemoryStore
from liveness.verdict import ATTACKS, Reason, Verdict
from tests.store_worker import VERDICT, record

JANE = subject_digest("bank", "Jane")
HERE = "192.0.2.1"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    return MemoryStore(clock=clock)


def limits(store: MemoryStore, **settings: Any) -> Limits:
    return Limits(store, Settings(**settings))


def verdict(what: str, *reasons: Reason) -> Verdict:
    return VERDICT.model_copy(update={"verdict": what, "reasons": reasons})


FAILED = verdict("incomplete", Reason.TIME_LIMIT)


def of(subject: str | None) -> Record:
    return record("a", subject_digest=subject)


async def test_a_key_makes_so_many_sessions_a_minute(store: MemoryStore, clock: Clock) -> None:
    limited = limits(store, rate_per_key=2, rate_per_address=0)
    for seconds in (0, 10):
        clock.now = 1000 + seconds
        await limited.admit(HERE, "bank", None)
    with pytest.raises(RateLimited) as caught:
        await limited.admit("192.0.2.2", "bank", None)
    assert caught.value.headers["Retry-After"] == "50"
    await limited.admit(HERE, "shop", None)
    clock.now = 1060
    await limited.admit(HERE, "bank", None)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (HERE, "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("", "", True),
    ],
)
async def test_an_address_makes_so_many(
    store: MemoryStore, first: str, second: str, *, same: bool
) -> None:
    limited = limits(store, rate_per_address=1)
    await limited.admit(first, None, None)
    if same:
        with pytest.raises(RateLimited):
            await limited.admit(second, None, None)
    else:
        await limited.admit(second, None, None)
    assert first not in store._hits or not first  # noqa: SLF001 - nobody's address is kept


async def test_who_guesses_keys_is_not_listened_to(
    store: MemoryStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liveness.limits.time.monotonic", clock)
    limited, other_process = limits(store), limits(store)
    for _ in range(MOST_GUESSES + 1):
        limited.check_guesses("2001:db8::1")
        await limited.note_guess("2001:db8::1")
    with pytest.raises(RateLimited) as caught:
        limited.check_guesses("2001:db8::2")
    assert caught.value.headers["Retry-After"] == "60"
    limited.check_guesses(HERE)
    await other_process.note_guess("2001:db8::1")
    with pytest.raises(RateLimited):
        other_process.check_guesses("2001:db8::1")
    assert not [key for key in store._hits if "2001" in key]  # noqa: SLF001 - nobody's address is kept
    clock.now += 61
    limited.check_guesses("2001:db8::1")


async def test_five_failures_within_three_minutes_lock_a_person(
    store: MemoryStore, clock: Clock
) -> None:
    limited = limits(store)
    for failures in range(5):
        clock.now = 1000.0 + 44 * failures
        await limited.admit(HERE, "bank", JANE)
        await limited.note(of(JANE), FAILED)
    for asked in (limited.check_subject(JANE), limited.admit(HERE, "bank", JANE)):
        with pytest.raises(SubjectLocked) as caught:
            await asked
        assert caught.value.headers["Retry-After"] == "900"
    await limited.admit(HERE, "shop", subject_digest("shop", "Jane"))
    await limited.admit(HERE, "bank", None)
    clock.now += 901
    await limited.admit(HERE, "bank", JANE)


async def test_slower_failures_do_not(store: MemoryStore, clock: Clock) -> None:
    limited = limits(store)
    for failures in range(12):
        clock.now = 1000.0 + 46 * failures
        await limited.note(of(JANE), FAILED)
    await limited.check_subject(JANE)


async def test_the_lock_is_as_configured(store: MemoryStore) -> None:
    once = limits(store, subject_failures=1, subject_lock=5)
    await once.note(of(JANE), FAILED)
    with pytest.raises(SubjectLocked):
        await once.check_subject(JANE)
    other = subject_digest("bank", "John")
    never = limits(store, subject_failures=1, subject_lock=0)
    await never.note(of(other), FAILED)
    await never.check_subject(other)


def test_failures_are_what_a_person_does() -> None:
    theirs = {
        *(Reason.TIME_LIMIT, Reason.WRONG_MOVES, Reason.FACE_LOST),
        *(Reason.MANY_FACES, Reason.PEER_LEFT, Reason.NO_MEDIA),
    }
    counted = {each for each in Reason if is_failure(verdict("incomplete", each))}
    assert counted - ATTACKS == theirs
    assert all(is_failure(verdict("spoof", each, Reason.SERVER_STOPPING)) for each in ATTACKS)
    assert not is_failure(verdict("live"))


async def test_other_ends_do_not_count(store: MemoryStore) -> None:
    limited = limits(store, subject_failures=1)
    for ended in (verdict("live"), verdict("incomplete", Reason.SERVER_LOST)):
        await limited.note(of(JANE), ended)
    await limited.note(of(None), FAILED)
    await limited.check_subject(JANE)
    await limited.check_subject(None)


async def test_a_store_that_is_away_loses_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()

    async def away(*_: object, **__: object) -> float:
        raise StoreUnavailable(retry_after=1)

    monkeypatch.setattr(store, "hit", away)
    await limits(store).note(of(JANE), FAILED)
    await limits(store).note_guess(HERE)
