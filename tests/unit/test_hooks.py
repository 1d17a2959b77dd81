import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.errors import SettingsInvalid
from liveness.hooks import Hook, Secret, Url, combine, read_secrets
from liveness.settings import Settings

WRITTEN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRET = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OTHER = "whsec_" + base64.b64encode(bytes(32)).decode()


def test_signatures_are_those_of_standard_webhooks() -> None:
    """The example that the standard's own libraries are tested with."""
    hook = Hook("default", "https://bank.example", (SECRET,))
    name = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert hook.headers(name, 1614265330, b'{"test": 2432232314}') == {
        "webhook-id": name,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_every_secret_signs() -> None:
    hook = Hook("default", "https://bank.example", (SECRET, bytes(32)))
    one, other = hook.headers("a", 1, b"x")["webhook-signature"].split()
    assert one != other
    assert one == Hook("", "", (SECRET,)).headers("a", 1, b"x")["webhook-signature"]


def test_names_are_optional() -> None:
    assert Url.parse("https://bank.example/hook") == Url("default", "https://bank.example/hook")
    assert Url.parse("bank=https://bank.example/?a=b").name == "bank"
    assert Secret.parse(WRITTEN) == Secret("default", SECRET)
    assert Secret.parse(f"bank={OTHER}") == Secret("bank", bytes(32))


@given(st.binary(min_size=24, max_size=64))
def test_any_secret_of_the_right_length_is_read(secret: bytes) -> None:
    written = f"whsec_{base64.b64encode(secret).decode()}"
    assert Secret.parse(written) == Secret("default", secret)
    assert Secret.parse(f"bank={written}") == Secret("bank", secret)


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_???", "secret", "b a=" + WRITTEN, WRITTEN + " "]
)
def test_what_is_no_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="openssl rand") as refused:
        Secret.parse(text)
    assert "c2hvcnQ" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        *("", "bank", "bank=", "ftp://bank.example", "file:///etc/passwd", "gopher://x/", "//x"),
        *("https://", "https://user:password@bank.example", "http://bank.example", "https://a b"),
        "http://10.0.0.1/",
    ],
)
def test_what_is_no_address_for_a_webhook_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"needed|not taken"):
        Url.parse(text)


def combined(url: str, *, private: bool = False) -> dict[str, Hook]:
    return combine([Url.parse(url)], [Secret.parse(WRITTEN)], private=private)


@pytest.mark.parametrize(
    "url",
    [
        *("https://10.0.0.1/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/"),
        *("https://2130706433/", "https://0x7f.1/", "https://[::ffff:10.0.0.1]/"),
    ],
)
def test_private_addresses_are_refused_from_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="--webhook-allow-private"):
        combined(url)


def test_private_addresses_may_be_allowed() -> None:
    assert combined("https://10.0.0.1/", private=True)["default"].url == "https://10.0.0.1/"
    assert combined("http://127.0.0.1:8000/", private=True)
    assert combined("http://localhost/", private=True)
    with pytest.raises(ValueError, match="private address"):
        combined("https://169.254.169.254/", private=True)
    for url, private in (("http://localhost/", False), ("http://a.localhost/", True)):
        with pytest.raises(ValueError, match="http is for this machine only"):
            combined(url, private=private)


def test_each_webhook_has_secrets_and_each_secret_a_webhook() -> None:
    bank, shop = Url.parse("bank=https://bank.example"), Url.parse("shop=https://shop.example")
    secrets = [Secret.parse(f"{name}={OTHER}") for name in ("bank", "shop")]
    secrets.append(Secret.parse(f"bank={WRITTEN}"))
    hooks = combine([bank, shop], secrets, private=False)
    assert hooks["bank"].secrets == (bytes(32), SECRET)
    assert hooks["shop"].secrets == (bytes(32),)
    with pytest.raises(ValueError, match="shop has no --webhook-secret"):
        combine([bank, shop], secrets[:1], private=False)
    with pytest.raises(ValueError, match=r"shop has no --webhook$"):
        combine([bank], secrets, private=False)
    with pytest.raises(ValueError, match="bank has two addresses"):
        combine([bank, bank], secrets, private=False)


def test_no_secret_is_shown() -> None:
    hooks = combine(
        [Url.parse("https://a.example/?t=hidden")], [Secret.parse(WRITTEN)], private=False
    )
    shown = repr((hooks, Secret.parse(WRITTEN), Url.parse("https://a.example/?t=hidden")))
    assert "hidden" not in shown
    assert repr(SECRET) not in shown


def test_secrets_are_read_from_a_file_that_is_not_everybodys(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    path.write_text(f"# of the bank\nbank={WRITTEN}\n\n{OTHER}\n")
    path.chmod(0o600)
    assert [each.name for each in read_secrets(path)] == ["bank", "default"]
    path.chmod(0o604)
    with pytest.raises(ValueError, match="chmod 600"):
        read_secrets(path)


def test_they_come_by_flags_variables_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secrets"
    path.write_text(f"shop={WRITTEN}\n")
    path.chmod(0o600)
    monkeypatch.setenv("LIVENESS_WEBHOOK_SECRET", f"bank={WRITTEN}, bank={OTHER}")
    urls = ["--webhook", "bank=https://bank.example", "--webhook", "shop=https://shop.example"]
    settings = Settings.from_args([*urls, "--webhook-secret-file", str(path)])
    hooks = settings.webhooks()
    assert hooks["bank"].secrets == (SECRET, bytes(32))
    assert (hooks["shop"].url, hooks["shop"].secrets) == ("https://shop.example/", (SECRET,))
    path.chmod(0o644)
    with pytest.raises(SettingsInvalid, match=r"--webhook-secret-file: .* chmod 600"):
        Settings.from_args([*urls, "--webhook-secret-file", str(path)])


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--webhook", "https://x.example"], "--webhook: default has no --webhook-secret"),
        (["--webhook", "http://x.example"], "--webhook: https is needed"),
        (["--webhook-secret", "whsec_c2hvcnQ="], "--webhook-secret: a secret is"),
        (["--webhook-secret", WRITTEN], "--webhook-secret: default has no --webhook"),
        (
            ["--webhook", "https://10.0.0.1", "--webhook-secret", WRITTEN],
            "--webhook: default is at a private address",
        ),
    ],
)
def test_what_cannot_be_is_told_at_the_start(argv: list[str], told: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        Settings.from_args(argv)
    assert told in str(refused.value)
    assert not any(secret in str(refused.value) for secret in ("c2hvcnQ", WRITTEN[6:]))
