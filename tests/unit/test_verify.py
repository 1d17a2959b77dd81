import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from liveness.__main__ import main
from liveness.challenge.names import Challenge
from liveness.challenge.sequence import ChallengeResult
from liveness.keys import KeyFolder, PublicKey
from liveness.signing import Claims, SigningKey, sign
from liveness.verdict import Reason

NOW = datetime.now(UTC).replace(microsecond=0)
CLAIMS = Claims(
    verdict="spoof",
    reasons=(Reason.FLAT_FACE, Reason.TIME_LIMIT),
    challenges=(
        ChallengeResult(Challenge.FRONT, passed=True, seconds=0.8),
        ChallengeResult(Challenge.LEFT, passed=False, seconds=3.25),
    ),
    spoof_score=0.12,
    faces_compared=True,
    frames=213,
    frame_rate=29.9,
    finished_at=NOW,
    iss="liveness",
    aud="bank",
    sub="session-1",
    jti="token-1",
    iat=int(NOW.timestamp()),
    exp=int(NOW.timestamp()) + 600,
    dtls_fingerprint="sha-256 AB:CD",
    weights={"eyes.dat": "00ff"},
    version="1.0",
    metadata={"subject": "\x1b[2J"},
)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    folder = KeyFolder(tmp_path)
    made = folder.signing_key()
    folder.publish(PublicKey(jwk=made.jwk, expires=NOW + timedelta(hours=1)))
    return made


def check(tmp_path: Path, token: str, *options: str) -> int:
    return main(["verify", token, "--data-dir", str(tmp_path), *options])


def test_it_prints_what_a_token_says(
    tmp_path: Path, key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, sign(CLAIMS, key)) == 0
    said = capsys.readouterr().out
    rows = {line[:12].rstrip(): line[13:] for line in said.splitlines()}
    assert rows["verdict"] == "spoof"
    assert rows["reasons"] == "flat_face, time_limit"
    assert rows["challenges"] == "front 0.8 s, left 3.25 s (not passed)"
    assert rows["spoof score"] == "0.12 (1 is live)"
    assert rows["faces"] == "compared"
    assert (rows["session"], rows["for"], rows["peer"]) == ("session-1", "bank", "sha-256 AB:CD")
    assert rows["weights"] == "00ff eyes.dat"
    assert rows["signed"] == f"{NOW:%Y-%m-%d %H:%M:%S} UTC by liveness, version 1.0"
    assert "\x1b" not in said


def test_what_there_is_none_of_is_left_out(
    tmp_path: Path, key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    bare: dict[str, object] = {"aud": None, "dtls_fingerprint": None, "weights": {}, "metadata": {}}
    bare |= {"verdict": "live", "reasons": (), "challenges": (), "spoof_score": None}
    assert check(tmp_path, sign(CLAIMS.model_copy(update=bare), key)) == 0
    said = capsys.readouterr().out
    assert "spoof score  none" in said
    for name in ("reasons", "for", "peer", "metadata", "weights", "challenges"):
        assert f"{name} " not in said


def test_it_reads_a_token_from_its_input(
    tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{sign(CLAIMS, key)}\n"))
    assert check(tmp_path, "-") == 0


def test_it_takes_a_file_of_keys(tmp_path: Path, key: SigningKey) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [key.jwk]}))
    assert main(["verify", sign(CLAIMS, key), "--jwks", str(file)]) == 0


@pytest.mark.parametrize(
    ("changed", "options", "said"),
    [
        ({"exp": CLAIMS.iat - 60}, (), "It expired "),
        ({"iat": CLAIMS.iat + 600}, (), "It was signed in the future"),
        ({}, ("--audience", "shop"), "It is meant for bank, not for shop"),
        ({}, ("--session", "session-2"), "It is about the session session-1"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    tmp_path: Path,
    key: SigningKey,
    changed: dict[str, object],
    options: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check(tmp_path, sign(CLAIMS.model_copy(update=changed), key), *options) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith(f"error: {said}")
    assert not shown.out


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"keys": 1}', "[" * 20_000])
def test_keys_that_cannot_be_read_are_told_of(
    tmp_path: Path, key: SigningKey, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "jwks.json"
    if content is not None:
        file.write_text(content)
    assert main(["verify", sign(CLAIMS, key), "--jwks", str(file)]) == 1
    assert capsys.readouterr().err.startswith("error: The keys ")


def test_a_folder_without_keys_is_told_of(
    tmp_path: Path, key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path / "none", sign(CLAIMS, key)) == 1
    assert capsys.readouterr().err.startswith("error: No keys are kept in ")


def test_a_server_that_cannot_be_reached_is_told_of(
    key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    # Port 1 is nobody's.
    assert main(["verify", sign(CLAIMS, key), "--jwks", "http://127.0.0.1:1/jwks.json"]) == 1
    assert capsys.readouterr().err.startswith("error: The keys cannot be read from http://")
