from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.errors import StoreUnavailable
from liveness.store.memory import MemoryStore
from liveness.store.opening import checked, open_store


@pytest.mark.parametrize(
    "address",
    [
        "memory",
        "sqlite",
        "sqlite:/var/lib/x y.db",
        "sqlite:x.db",
        "redis://host",
        "redis://[::1]:6379/0",
        "redis://user:p%40ss@host:1/15",
        "rediss://:pass@host/?ssl_ca_certs=/etc/ca.pem",
    ],
)
def test_what_a_store_can_be(address: str) -> None:
    assert checked(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "sqlite:",
        "sqlite3",
        "memory:",
        "redis",
        "redis://",
        "redis://:secret@",
        "redis://:secret@host:0",
        "redis://:secret@host:x",
        "redis://:secret@host/name",
        "http://:secret@host",
        "redis://:secret@[::1",
        "redis://host/0?password=secret",
        "redis://host/0?ssl_ca_certs=/etc/ca.pem&socket_timeout=secret",
    ],
)
def test_what_it_cannot_be(address: str) -> None:
    with pytest.raises(ValueError, match="a store is memory, sqlite") as caught:
        checked(address)
    assert "secret" not in str(caught.value)


@given(st.text() | st.text().map("redis://".__add__))
def test_any_text_is_taken_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert checked(text) == text


async def test_a_store_is_opened_where_it_should_be(tmp_path: Path) -> None:
    assert isinstance(await open_store("memory", tmp_path), MemoryStore)
    for address in ("sqlite", f"sqlite:{tmp_path}/other/x.db"):
        await (await open_store(address, tmp_path)).close()
    assert (tmp_path / "liveness.db").is_file()
    assert (tmp_path / "other" / "x.db").is_file()
    with pytest.raises(StoreUnavailable, match=r"Redis at 127\.0\.0\.1 cannot be used"):
        await open_store("redis://:secret@127.0.0.1:1", tmp_path)
