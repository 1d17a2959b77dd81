from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from liveness import __version__
from liveness.errors import StoreUnavailable
from liveness.issuing import MARGIN, Issuing
from liveness.keys import KeyFolder
from liveness.signing import read_keys, verify
from liveness.store import Record, Status
from liveness.store.memory import MemoryStore
from liveness.verdict import Reason, Verdict, decide

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIFETIME = timedelta(hours=2)
VERDICT = decide((), (Reason.NEVER_CONNECTED,), frames=0, seconds=0, finished_at=NOW)
RECORD = Record(
    id="session-1",
    token_digest="digest",  # noqa: S106 - of none
    challenges=None,
    status=Status.RUNNING,
    created_at=NOW,
    expires_at=NOW,
    key_name="bank",
    metadata={"subject": "customer-7"},
)


class Away(MemoryStore):
    """A store that can be away."""

    away = False

    async def keys(self, now: datetime) -> dict[str, dict[str, Any]]:
        if self.away:
            raise StoreUnavailable(retry_after=1)
        return await super().keys(now)


@pytest.fixture
def store() -> Away:
    return Away()


def node(folder: Path, store: MemoryStore) -> Issuing:
    return Issuing(KeyFolder(folder), store, issuer="https://check.example", lifetime=LIFETIME)


def token(issuing: Issuing, now: datetime = NOW) -> str:
    issued = issuing.issue(VERDICT, RECORD, now)
    assert issued.token is not None
    return issued.token


async def kids(issuing: Issuing, now: datetime = NOW) -> set[str]:
    return {key["kid"] for key in await issuing.jwks(now)}


async def test_a_verdict_gets_a_token_that_says_what_it_is_about(
    tmp_path: Path, store: Away
) -> None:
    issuing = node(tmp_path, store)
    await issuing.refresh(NOW)
    issued = issuing.issue(
        VERDICT, RECORD, NOW, dtls_fingerprint="sha-256 AB", weights={"a.dat": "00"}
    )
    assert issued.model_copy(update={"token": None}) == VERDICT
    keys = read_keys({"keys": await issuing.jwks(NOW)})
    claims = verify(issued.token or "", keys, NOW)
    assert (claims.iss, claims.aud, claims.sub) == ("https://check.example", "bank", "session-1")
    assert (claims.verdict, claims.reasons) == ("incomplete", (Reason.NEVER_CONNECTED,))
    assert (claims.iat, claims.exp) == (NOW.timestamp(), (NOW + LIFETIME).timestamp())
    assert (claims.version, claims.metadata) == (__version__, {"subject": "customer-7"})
    assert (claims.dtls_fingerprint, claims.weights) == ("sha-256 AB", {"a.dat": "00"})
    again = verify(token(issuing), keys, NOW)
    assert again.jti != claims.jti


async def test_no_log_shows_a_token(tmp_path: Path, store: Away) -> None:
    issuing = node(tmp_path, store)
    await issuing.refresh(NOW)
    issued = issuing.issue(VERDICT, RECORD, NOW)
    assert (issued.token or "") not in repr(issued)
    assert isinstance(Verdict.model_validate_json(issued.model_dump_json()).token, str)


async def test_nothing_is_signed_before_the_key_is_published(tmp_path: Path, store: Away) -> None:
    with pytest.raises(RuntimeError):
        node(tmp_path, store).issue(VERDICT, RECORD, NOW)


async def test_every_node_knows_the_keys_of_all(tmp_path: Path, store: Away) -> None:
    first, second = node(tmp_path / "1", store), node(tmp_path / "2", store)
    await first.refresh(NOW)
    await second.refresh(NOW)
    assert await kids(first) == await kids(second)
    assert len(await kids(first)) == 2
    for issuing in (first, second):
        keys = read_keys({"keys": await first.jwks(NOW)})
        assert verify(token(issuing), keys, NOW)
    for key in await first.jwks(NOW):
        assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}


async def test_a_new_key_is_known_before_it_signs(tmp_path: Path, store: Away) -> None:
    issuing = node(tmp_path, store)
    await issuing.refresh(NOW)
    (old,) = await kids(issuing)
    KeyFolder(tmp_path).rotate(NOW)
    await issuing.refresh(NOW)
    assert len(await kids(issuing)) == 2
    published = {key["kid"]: key for key in await issuing.jwks(NOW)}
    assert verify(token(issuing), read_keys({"keys": [published[old]]}), NOW)
    await issuing.refresh(NOW)
    (new,) = await kids(issuing) - {old}
    assert verify(token(issuing), read_keys({"keys": [published[new]]}), NOW)
    restarted = node(tmp_path, store)
    await restarted.refresh(NOW)
    assert verify(token(restarted), read_keys({"keys": [published[new]]}), NOW)


async def test_an_old_key_is_known_as_long_as_its_verdicts_live(
    tmp_path: Path, store: Away
) -> None:
    issuing = node(tmp_path, store)
    await issuing.refresh(NOW)
    last = token(issuing)
    KeyFolder(tmp_path).rotate(NOW)
    # After a restart with nothing but the folder, too.
    restarted = node(tmp_path, MemoryStore())
    await restarted.refresh(NOW)
    end = NOW + LIFETIME - timedelta(seconds=1)
    assert verify(last, read_keys({"keys": await restarted.jwks(end)}), end)
    assert len(await kids(restarted, NOW + LIFETIME + MARGIN)) == 0


async def test_a_revoked_key_is_forgotten_by_all_and_signs_no_more(
    tmp_path: Path, store: Away
) -> None:
    issuing, other = node(tmp_path / "1", store), node(tmp_path / "2", store)
    await issuing.refresh(NOW)
    await other.refresh(NOW)
    old = await kids(other)
    KeyFolder(tmp_path / "1").rotate(NOW, revoke=True)
    await issuing.refresh(NOW)
    listed = await other.jwks(NOW)
    assert len({key["kid"] for key in listed} - old) == 1
    assert len(listed) == 2
    assert verify(token(issuing), read_keys({"keys": listed}), NOW)
    assert await kids(issuing) == {key["kid"] for key in listed}


async def test_a_key_in_use_is_published_on_and_on(tmp_path: Path, store: Away) -> None:
    issuing = node(tmp_path, store)
    for hours in range(0, 24 * 30, 6):
        now = NOW + timedelta(hours=hours)
        await issuing.refresh(now)
        last = token(issuing, now + timedelta(hours=6))
        end = now + timedelta(hours=6) + LIFETIME - timedelta(seconds=1)
        assert verify(last, read_keys({"keys": await issuing.jwks(end)}), end)


async def test_while_the_store_is_away_what_it_said_last_holds(tmp_path: Path, store: Away) -> None:
    first, second = node(tmp_path / "1", store), node(tmp_path / "2", store)
    await first.refresh(NOW)
    await second.refresh(NOW)
    before = await kids(second)
    store.away = True
    assert await kids(second) == before
    assert len(await kids(first)) == 1


async def test_a_store_that_lost_the_keys_gets_them_again(tmp_path: Path) -> None:
    issuing = node(tmp_path, MemoryStore())
    await issuing.refresh(NOW)
    KeyFolder(tmp_path).rotate(NOW)
    empty = MemoryStore()
    restarted = node(tmp_path, empty)
    await restarted.refresh(NOW)
    assert set(await empty.keys(NOW)) == await kids(issuing)


async def test_it_ends_when_it_is_told_to(tmp_path: Path, store: Away) -> None:
    issuing = node(tmp_path, store)
    await issuing.close()
    await issuing.start()
    assert token(issuing)
    await issuing.close()
