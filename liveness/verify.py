"""Check a signed verdict: `python -m liveness verify TOKEN`."""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from liveness.console import say
from liveness.errors import KeyUnusable, TokenInvalid
from liveness.keys import KeyFolder
from liveness.signing import Claims, moment, read_keys, verify

FETCH_TIMEOUT = 10.0
"""Seconds for the keys of a server."""

MOST_KEYS = 1024 * 1024
"""Bytes of a file of keys."""


def _keys(jwks: str | None, data_dir: Path, now: datetime) -> Mapping[str, Ed25519PublicKey]:
    """Get the public keys: from an address, a file, or else the folder of a server.

    Raises `TokenInvalid`, `KeyUnusable`.
    """
    if jwks is None:
        published = KeyFolder(data_dir).published(now)
        if not published:
            raise KeyUnusable(f"No keys are kept in {data_dir}: --jwks says where else they are")
        return read_keys({"keys": [key.jwk for key in published]})
    try:
        if jwks.startswith(("http://", "https://")):
            client = jwt.PyJWKClient(jwks, timeout=FETCH_TIMEOUT, cache_jwk_set=False)
            return read_keys(client.fetch_data())
        with Path(jwks).open("rb") as file:
            return read_keys(json.loads(file.read(MOST_KEYS)))
    except (jwt.PyJWKClientError, OSError, ValueError, RecursionError) as error:
        raise KeyUnusable(f"The keys cannot be read from {jwks}: {error}") from None


def describe(claims: Claims) -> str:
    """Write what a token says for people, one claim a line."""
    steps = ", ".join(
        f"{each.challenge} {each.seconds:g} s" + ("" if each.passed else " (not passed)")
        for each in claims.challenges
    )
    score = "none" if claims.spoof_score is None else f"{claims.spoof_score:g} (1 is live)"
    rows = [
        ("verdict", claims.verdict),
        ("reasons", ", ".join(claims.reasons)),
        ("session", claims.sub),
        ("for", claims.aud),
        ("signed", f"{moment(claims.iat)} by {claims.iss}, version {claims.version}"),
        ("valid until", moment(claims.exp)),
        ("challenges", steps),
        ("spoof score", score),
        ("faces", "compared" if claims.faces_compared else "not compared"),
        ("frames", f"{claims.frames}, {claims.frame_rate:g} a second"),
        ("peer", claims.dtls_fingerprint),
        ("token id", claims.jti),
        # As JSON: what others wrote must not steer a terminal.
        ("metadata", json.dumps(claims.metadata) if claims.metadata else None),
        *(("weights", f"{sha256} {name}") for name, sha256 in claims.weights.items()),
    ]
    return "\n".join(f"{name:<12} {value}" for name, value in rows if value)


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Check a verdict's token and print what it says. The exit status is 0 if a key "
        "of the server signed it and it has not expired, whatever the verdict is, and 1 if not.",
        epilog="The certificate of a server that signs its own is trusted with "
        "SSL_CERT_FILE=cert/cert.pem.",
    )
    parser.add_argument("signed", metavar="TOKEN", help="the token; - reads it from standard input")
    parser.add_argument(
        "--jwks",
        metavar="URL_OR_FILE",
        help="the server's public keys, https://SERVER/.well-known/jwks.json or a file of them "
        "(default: those in --data-dir)",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get("LIVENESS_DATA_DIR") or "data"),
        help="folder of what the server keeps (default: data)",
    )
    parser.add_argument("--audience", metavar="NAME", help="whose it has to be: the API key's name")
    parser.add_argument("--session", metavar="ID", help="the session that it has to be about")
    return parser


def main(argv: list[str], prog: str | None = None) -> int:
    """Run the command; returns the exit status."""
    given = _parser(prog).parse_args(argv)
    token = sys.stdin.read() if given.signed == "-" else given.signed
    now = datetime.now(UTC)
    try:
        keys = _keys(given.jwks, given.data_dir, now)
        claims = verify(token.strip(), keys, now, audience=given.audience, session=given.session)
    except (TokenInvalid, KeyUnusable) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a word to whoever asks
        return 1
    say(describe(claims))
    return 0
