import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from liveness.challenge.names import Challenge
from liveness.challenge.sequence import ChallengeResult
from liveness.errors import TokenInvalid
from liveness.signing import ALGORITHM, LEEWAY, TYPE, Claims, SigningKey, read_keys, sign, verify

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIGNED = int(NOW.timestamp())
KEY, OTHER = (SigningKey(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (1, 2))
KEYS = read_keys({"keys": [KEY.jwk]})
CLAIMS = Claims(
    verdict="live",
    reasons=(),
    challenges=(ChallengeResult(Challenge.FRONT, passed=True, seconds=0.8),),
    spoof_score=0.98,
    frames=213,
    frame_rate=29.9,
    finished_at=NOW,
    iss="liveness",
    aud="bank",
    sub="session-1",
    jti="token-1",
    iat=SIGNED,
    exp=SIGNED + 3600,
    dtls_fingerprint="sha-256 AB:CD",
    weights={"eyes.dat": "00ff"},
    version="1.0",
    metadata={"subject": "customer-7", "attempt": 2, "vip": True},
)
TOKEN = sign(CLAIMS, KEY)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def refused(token: str, now: datetime = NOW, **wanted: Any) -> str:
    with pytest.raises(TokenInvalid) as caught:
        verify(token, KEYS, now, **wanted)
    return caught.value.detail


def forged(header: dict[str, Any], payload: bytes = b"{}", signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), payload, signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_what_was_signed_is_read() -> None:
    assert verify(TOKEN, KEYS, NOW) == CLAIMS
    assert verify(TOKEN, KEYS, NOW, audience="bank", session="session-1") == CLAIMS
    header = jwt.get_unverified_header(TOKEN)
    assert header == {"alg": "EdDSA", "typ": TYPE, "kid": KEY.kid}


def test_any_library_can_check_it() -> None:
    key = jwt.PyJWK(KEY.jwk)
    options: Any = {"verify_exp": False}
    payload = jwt.decode(TOKEN, key, ["EdDSA"], options, audience="bank", issuer="liveness")
    assert payload["verdict"] == "live"
    assert payload["challenges"] == [{"challenge": "front", "passed": True, "seconds": 0.8}]
    assert payload["metadata"] == {"subject": "customer-7", "attempt": 2, "vip": True}


def test_nobody_named_is_no_audience() -> None:
    token = sign(CLAIMS.model_copy(update={"aud": None}), KEY)
    assert verify(token, KEYS, NOW).aud is None
    unread: Any = {"verify_signature": False}
    assert "aud" not in jwt.decode(token, options=unread)
    assert "not for bank" in refused(token, audience="bank")


def test_the_thumbprint_is_that_of_the_standard() -> None:
    # RFC 8037, appendix A: its key, and the thumbprint of it.
    secret = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    key = SigningKey(Ed25519PrivateKey.from_private_bytes(secret))
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert key.jwk["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert "d" not in key.jwk


def test_the_private_key_is_never_shown() -> None:
    secret = KEY.private.private_bytes_raw()
    for shown in (repr(KEY), str(KEY), json.dumps(KEY.jwk)):
        assert "private" not in shown.lower()
        assert secret.hex() not in shown
        assert base64.urlsafe_b64encode(secret).decode()[:40] not in shown


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from([*ALPHABET, "=", ".", " ", "\n", "é", "+"]))
def test_no_character_can_be_another(place: int, character: str) -> None:
    altered = TOKEN[:place] + character + TOKEN[place + 1 :]
    if altered != TOKEN:
        refused(altered)


def test_no_character_at_the_end_can_be_another() -> None:
    for character in set(ALPHABET) - {TOKEN[-1]}:
        refused(TOKEN[:-1] + character)


@given(st.integers(0, len(TOKEN)), st.text(ALPHABET + "=. \n", min_size=1, max_size=4))
def test_nothing_can_be_put_in_or_left_out(place: int, more: str) -> None:
    refused(TOKEN[:place] + more + TOKEN[place:])
    refused(TOKEN[:place] + TOKEN[place + len(more) :] if place < len(TOKEN) else "")


@given(st.one_of(st.text(), st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True)))
def test_what_is_no_token_is_said_to_be_none(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"1", b"\xff", b"[" * 20_000])
def test_what_is_no_verdict_is_refused_even_if_signed(payload: bytes) -> None:
    headers = {"kid": KEY.kid, "typ": TYPE}
    refused(jwt.PyJWS().encode(payload, KEY.private, ALGORITHM, headers))


def test_claims_that_are_missing_are_missed() -> None:
    full = CLAIMS.model_dump(mode="json")
    for name in set(full) - {"aud", "faces_compared"}:  # which older tokens do not have
        payload = {key: value for key, value in full.items() if key != name}
        headers = {"kid": KEY.kid, "typ": TYPE}
        assert refused(jwt.encode(payload, KEY.private, ALGORITHM, headers)), name


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES256", "RS256", "", None, 7])
def test_only_one_algorithm_is_taken(algorithm: Any) -> None:
    assert refused(forged({"alg": algorithm, "kid": KEY.kid, "typ": TYPE}))


def test_a_public_key_is_no_shared_secret() -> None:
    header = {"kid": KEY.kid, "typ": TYPE}
    public = KEY.private.public_key().public_bytes_raw()
    payload = CLAIMS.model_dump(mode="json")
    assert "'HS256'" in refused(jwt.encode(payload, public, "HS256", header))
    assert "'none'" in refused(jwt.encode(payload, "", "none", header))


def test_another_kind_of_token_is_no_verdict() -> None:
    token = jwt.encode(CLAIMS.model_dump(mode="json"), KEY.private, ALGORITHM, {"kid": KEY.kid})
    assert "another kind" in refused(token)


def test_another_key_is_unknown_or_wrong() -> None:
    assert "unknown" in refused(sign(CLAIMS, OTHER))
    headers = {"kid": KEY.kid, "typ": TYPE}
    posing = jwt.encode(CLAIMS.model_dump(mode="json"), OTHER.private, ALGORITHM, headers)
    assert "signature" in refused(posing)


def test_a_signature_holds_for_its_own_claims_only() -> None:
    header, _, signature = TOKEN.split(".")
    token = sign(CLAIMS.model_copy(update={"sub": "session-2"}), KEY)
    assert "signature" in refused(".".join((header, token.split(".")[1], signature)))


def test_it_lasts_until_it_expires() -> None:
    end = NOW + timedelta(hours=1)
    assert verify(TOKEN, KEYS, end - timedelta(seconds=1))
    assert refused(TOKEN, end) == "It expired 2026-03-01 13:00:00 UTC"


def test_clocks_may_be_apart_a_little() -> None:
    assert verify(TOKEN, KEYS, NOW - LEEWAY)
    assert "in the future" in refused(TOKEN, NOW - LEEWAY - timedelta(seconds=1))


@given(st.integers(), st.integers())
def test_times_that_no_calendar_has_are_refused_or_taken(iat: int, exp: int) -> None:
    token = sign(CLAIMS.model_copy(update={"iat": iat, "exp": exp}), KEY)
    if iat <= SIGNED + LEEWAY.seconds and exp > SIGNED:
        assert verify(token, KEYS, NOW).exp == exp
    else:
        assert refused(token)


def test_it_is_for_one_relying_party_and_one_session() -> None:
    assert refused(TOKEN, audience="shop") == "It is meant for bank, not for shop"
    assert "session-1" in refused(TOKEN, session="session-2")


def test_keys_of_other_kinds_are_passed_over() -> None:
    rsa = json.loads(RSAAlgorithm.to_jwk(generate_private_key(65537, 2048).public_key()))
    foreign = [
        {**rsa, "kid": KEY.kid},
        {**KEY.jwk, "kid": 7},
        {**KEY.jwk, "x": "short"},
        {**KEY.jwk, "x": None},
        {"kid": "a", "crv": "Ed25519"},
        "key",
        None,
    ]
    assert read_keys({"keys": foreign}) == {}
    assert list(read_keys({"keys": [*foreign, KEY.jwk]})) == [KEY.kid]


@pytest.mark.parametrize("document", [None, [], {}, {"keys": None}, {"keys": {}}, "keys"])
def test_what_is_no_key_set_is_refused(document: object) -> None:
    with pytest.raises(TokenInvalid):
        read_keys(document)
