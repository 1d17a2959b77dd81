"""The tokens of this process's verdicts, signed with a key that is known before it is used.

A key is published for as long as verdicts that it signs may live, and a day more. That is renewed
in time while it is in use; once it no longer is, nothing has to be done for it to end by itself.
"""

import asyncio
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from liveness import __version__
from liveness.errors import KeyUnusable, StoreUnavailable
from liveness.keys import KeyFolder, PublicKey
from liveness.signing import Claims, SigningKey, sign
from liveness.store import Record, Store
from liveness.verdict import Verdict

REFRESH_INTERVAL = 300
"""Seconds between two looks for a new key, and how long others may remember the published ones: a
new key signs only when everybody could have seen it for so long."""

MARGIN = timedelta(days=1)
"""For which a key is published longer than needed, so that it is seldom renewed."""

log = structlog.get_logger(__name__)


class Issuing:
    """Signs the verdicts of this process. `lifetime`: how long they are valid.

    Public keys are told to others through `store`: verdicts are checked with any process's help.
    """

    def __init__(
        self, folder: KeyFolder, store: Store, *, issuer: str, lifetime: timedelta
    ) -> None:
        self._folder = folder
        self._store = store
        self._issuer = issuer
        self._lifetime = lifetime
        self._key: SigningKey | None = None
        self._seen = ""  # the kid of the one in the folder
        self._known: dict[str, dict[str, Any]] = {}
        self._refresher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take the key, or make it, and look after it; raises `KeyUnusable`, `StoreUnavailable`."""
        await self.refresh(datetime.now(UTC))
        self._refresher = asyncio.create_task(self._refresh(), name="refresh keys")

    async def close(self) -> None:
        """Stop looking after it."""
        if self._refresher is not None:
            self._refresher.cancel()
            await asyncio.wait([self._refresher])

    def issue(
        self,
        verdict: Verdict,
        record: Record,
        now: datetime,
        *,
        dtls_fingerprint: str | None = None,
        weights: Mapping[str, str] = {},
    ) -> Verdict:
        """Give the verdict about a session its token; see `Claims` for what that says."""
        if self._key is None:
            raise RuntimeError("there is no key before the start")
        claims = Claims(
            **verdict.model_dump(exclude={"token"}),
            iss=self._issuer,
            aud=record.key_name,
            sub=record.id,
            jti=str(uuid.uuid4()),
            iat=int(now.timestamp()),
            exp=int((now + self._lifetime).timestamp()),
            dtls_fingerprint=dtls_fingerprint,
            weights=dict(weights),
            version=__version__,
            metadata=dict(record.metadata),
        )
        return verdict.model_copy(update={"token": sign(claims, self._key)})

    async def jwks(self, now: datetime) -> list[dict[str, Any]]:
        """List the public keys of all processes; while the store is away, those last seen there.

        Raises `KeyUnusable`.
        """
        own = await asyncio.to_thread(self._folder.published, now)
        try:
            self._known = await self._store.keys(now)
        except StoreUnavailable as error:
            log.warning("published keys not read", detail=error.detail)
        return list((self._known | {key.kid: key.jwk for key in own}).values())

    async def refresh(self, now: datetime) -> None:
        """Publish the key in the folder, and sign with it if it was there the last time.

        At once if there is no other: at the start, and when the one before was revoked. Raises
        `KeyUnusable`, `StoreUnavailable`.
        """
        key = await asyncio.to_thread(self._renew, now)
        listed = await asyncio.to_thread(self._folder.listed)
        for each in listed:  # those that have expired too: the store forgets what was revoked
            await self._store.publish_key(each.kid, each.jwk, each.expires)
        valid = {each.kid for each in listed if each.expires > now}
        if self._key is None or self._key.kid not in valid or self._seen == key.kid:
            self._key = key
        self._seen = key.kid

    def _renew(self, now: datetime) -> SigningKey:
        key = self._folder.signing_key()
        known = {each.kid: each.expires for each in self._folder.published(now)}
        if known.get(key.kid, now) < now + self._lifetime + MARGIN / 2:
            expires = now + self._lifetime + MARGIN
            self._folder.publish(PublicKey(jwk=key.jwk, expires=expires))
        return key

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_INTERVAL)
            try:
                await self.refresh(datetime.now(UTC))
            except (KeyUnusable, StoreUnavailable) as error:  # half a day is left to mend it
                log.warning("the signing key cannot be looked after", detail=error.detail)
