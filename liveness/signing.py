"""Signed verdicts: what their tokens say, and whether one can be trusted. Pure: time is passed in.

A token is a compact JWS (RFC 7515) of JWT claims (RFC 7519), signed with Ed25519 (RFC 8037), and
checked as RFC 8725 advises: one algorithm, a type of its own, every claim required.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm
from jwt.utils import base64url_encode
from pydantic import JsonValue, ValidationError

from liveness.errors import TokenInvalid
from liveness.verdict import Decision

ALGORITHM = "EdDSA"

TYPE = "liveness-verdict+jwt"
"""Of the header (RFC 8725 section 3.11): no other kind of token passes for a verdict."""

CURVE = "Ed25519"

LEEWAY = timedelta(minutes=1)
"""How far the clocks of who signs and who checks may be apart."""

MOST_TOKEN = 64 * 1024
"""Characters; a token with the largest metadata has a tenth of it."""

_FOREIGN = "This is no signed verdict"

Jwk = dict[str, str]
"""A public key as RFC 8037 section 2 writes it."""


class Claims(Decision):
    """What a token says: the verdict, and what it is about.

    `iss`: who signed. `aud`: the relying party whose session it was, as its key is named; None on a
    server without keys. `sub`: the session. `jti`: this token. `iat`, `exp`: Unix time, seconds.
    `dtls_fingerprint`: of the certificate that the peer proved to hold, None if none connected, or
    it used several. `weights`: the files that were in use, by name, with their SHA-256.
    `version`: of this software. `metadata`: what the relying party gave the session.
    """

    iss: str
    aud: str | None = None
    sub: str
    jti: str
    iat: int
    exp: int
    dtls_fingerprint: str | None
    weights: dict[str, str]
    version: str
    metadata: dict[str, JsonValue]


@dataclass(frozen=True)
class SigningKey:
    """A private key, which no log and no `repr` shows, and what names it."""

    private: Ed25519PrivateKey = field(repr=False)

    @cached_property
    def kid(self) -> str:
        """The thumbprint of the public key (RFC 7638): two keys never share it."""
        return self.jwk["kid"]

    @cached_property
    def jwk(self) -> Jwk:
        """The public key, for whoever checks."""
        known = {
            "crv": CURVE,
            "kty": "OKP",
            "x": base64url_encode(self.private.public_key().public_bytes_raw()).decode(),
        }
        # RFC 7638 section 3: of these members, in this order, without white space.
        members = json.dumps(known, separators=(",", ":")).encode()
        kid = base64url_encode(hashlib.sha256(members).digest()).decode()
        return {**known, "kid": kid, "use": "sig", "alg": ALGORITHM}


def sign(claims: Claims, key: SigningKey) -> str:
    """Make the token."""
    absent = {"aud"} if claims.aud is None else None  # as null it would be no JWT
    payload = claims.model_dump(mode="json", exclude=absent)
    return jwt.encode(payload, key.private, ALGORITHM, headers={"kid": key.kid, "typ": TYPE})


def read_keys(document: object) -> dict[str, Ed25519PublicKey]:
    """Read a JWK set (RFC 7517): what can check a verdict, by `kid`; raises `TokenInvalid`."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise TokenInvalid("The keys are no JWK set")
    keys: dict[str, Ed25519PublicKey] = {}
    for each in listed:
        # A set may hold keys of other kinds, for others (RFC 7517 section 5).
        if isinstance(each, dict) and each.get("crv") == CURVE and isinstance(each.get("kid"), str):
            try:
                key = OKPAlgorithm.from_jwk(each)
            except (jwt.InvalidKeyError, ValueError, TypeError):
                continue
            if isinstance(key, Ed25519PublicKey):
                keys[each["kid"]] = key
    return keys


def verify(
    token: str,
    keys: Mapping[str, Ed25519PublicKey],
    now: datetime,
    *,
    audience: str | None = None,
    session: str | None = None,
) -> Claims:
    """Give what a token says if one of `keys` signed it and it is valid at `now`.

    `audience`, `session`: whom, and what, it has to be about. Raises `TokenInvalid`.
    """
    key = _key(token, keys)
    # Times are compared below, with `now` and not with the clock.
    options: Any = {f"verify_{claim}": False for claim in ("exp", "iat", "nbf", "aud")}
    try:
        payload = jwt.decode(token, key, [ALGORITHM], options)
        claims = Claims.model_validate(payload)
    except jwt.InvalidSignatureError:
        raise TokenInvalid("The signature is wrong: the token was altered") from None
    except ValidationError:
        raise TokenInvalid(
            "Its claims are not those of a verdict as this version knows it"
        ) from None
    except jwt.InvalidTokenError:
        raise TokenInvalid(_FOREIGN) from None
    _check_times(claims, now)
    if audience is not None and claims.aud != audience:
        raise TokenInvalid(f"It is meant for {claims.aud or 'nobody by name'}, not for {audience}")
    if session is not None and claims.sub != session:
        raise TokenInvalid(f"It is about the session {claims.sub}, not about {session}")
    return claims


def _key(token: str, keys: Mapping[str, Ed25519PublicKey]) -> Ed25519PublicKey:
    """Choose the key that a token names, before anything it says is believed."""
    # PyJWT takes padding, which no compact JWS has (RFC 7515 section 2).
    if len(token) > MOST_TOKEN or "=" in token or not token.isascii():
        raise TokenInvalid(_FOREIGN)
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise TokenInvalid(_FOREIGN) from None
    if header.get("alg") != ALGORITHM:
        raise TokenInvalid(f"Its algorithm is {header.get('alg')!r}: only {ALGORITHM} is taken")
    if header.get("typ") != TYPE:
        raise TokenInvalid(f"It is a token of another kind: {header.get('typ')!r}")
    key = keys.get(header.get("kid", ""))
    if key is None:
        raise TokenInvalid(
            f"Its key {header.get('kid')!r} is unknown: another server's, or no longer published"
        )
    return key


def _check_times(claims: Claims, now: datetime) -> None:
    seconds = now.timestamp()
    if claims.iat > seconds + LEEWAY.total_seconds():
        raise TokenInvalid(f"It was signed in the future, {moment(claims.iat)}")
    if claims.exp <= seconds:
        raise TokenInvalid(f"It expired {moment(claims.exp)}")


def moment(seconds: int) -> str:
    """Write Unix time for people; times that no calendar has as they are."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"at {seconds}"
