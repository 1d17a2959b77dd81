from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.links import checked_link, is_loopback


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("https://bank.example", "https://bank.example/"),
        ("https://bank.example/done?case=1#top", "https://bank.example/done?case=1#top"),
        ("HTTPS://Bank.Example:443/", "https://bank.example/"),
        ("http://localhost:3000/", "http://localhost:3000/"),
        ("http://127.0.0.1/", "http://127.0.0.1/"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        # As browsers read them:
        ("https:\\\\bank.example\\a", "https://bank.example/a"),
        ("ht\ttps://bank.example/\n", "https://bank.example/"),
    ],
)
def test_addresses_are_kept_as_browsers_read_them(text: str, read: str) -> None:
    assert checked_link(text) == read
    assert checked_link(read) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bank.example",
        "/done",
        "//bank.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://bank.example/",
        "http://bank.example/",
        "http://localhost.bank.example/",
        "http://127.0.0.1.bank.example/",
        "http://127.0.0.1@bank.example/",
        "https://user@bank.example/",
        "https://user:secret@bank.example/",
        "https://:secret@bank.example/",
        "https://bank.example:99999/",
        "https:///",
        "https://bank.example/" + "x" * 2000,
        "https://bank.example/" + "ä" * 400,
    ],
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|https") as caught:
        checked_link(text)
    assert "secret" not in str(caught.value)


def test_this_machine_is_told_from_others() -> None:
    here = ("http://localhost/", "https://127.1.2.3/", "http://[::1]/", "http://a.localhost/")
    assert all(map(is_loopback, here))
    elsewhere = ("https://bank.example/", "https://10.0.0.1/", "https://localhost.example/", "x")
    assert not any(map(is_loopback, elsewhere))


hosts = st.sampled_from(["bank.example", "localhost", "127.0.0.1", "[::1]", "a@b", "", "10.0.0.1"])


@given(st.one_of(st.text(), st.builds("{}:{}{}{}".format, *[
    st.sampled_from(["https", "http", "javascript", "HTTP"]),
    st.sampled_from(["//", "/", "\\\\", "", "///"]),
    hosts,
    st.text(alphabet="/?#@:\\\t\n é%", max_size=6),
])))  # fmt: skip
def test_what_is_taken_is_safe(text: str) -> None:
    with suppress(ValueError):
        link = checked_link(text)
        parts = urlsplit(link)
        assert parts.scheme == "https" or (parts.scheme == "http" and is_loopback(link))
        assert parts.hostname
        assert "@" not in parts.netloc
        assert link.isascii()
        assert link.isprintable()
        assert " " not in link
