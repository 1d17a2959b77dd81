"""Every option once: flag `--name`, variable `LIVENESS_NAME`, default, meaning."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from liveness import flags
from liveness.cores import cores
from liveness.errors import SettingsInvalid
from liveness.hooks import Hook, combine, read_secrets
from liveness.load import MOST_LOAD
from liveness.logs import Format
from liveness.models import GTX_URL
from liveness.rtc.network import parse_ports
from liveness.rtc.servers import parse_ice_server, read_secret, takes_secret
from liveness.store.opening import MEMORY, REDIS, SQLITE
from liveness.values import (
    Address,
    FrameOrigin,
    IceServer,
    Key,
    Network,
    Origin,
    Ports,
    PublicAddress,
    Store,
    WebAddress,
    Webhook,
    WebhookSecret,
)

ENV_PREFIX = "LIVENESS_"

SESSIONS_PER_CORE = 32
"""More than a core of today carries at 30 frames a second: what counts is the measured load."""

MINIFASNET = "minifasnet"
NO_MODEL = "none"
"""What `--spoof-model` can say beside the path of a card."""

SPOOF_RATE = 2.0
"""Five scores, which a decision takes, come within 2.5 seconds, before anybody has done all that is
asked; a score takes 3.5 ms of a core, a tenth of what the frames of half a second take."""

VERDICT_LIFETIME = 86400.0
"""A day: for a back end that was away overnight to have been told the verdict, and check it."""

RETENTION = 86400.0
"""A day: for a back end that was away overnight to read what it has missed."""

DRAIN_SECONDS = 30.0
"""Three times what a session takes, and as long as Kubernetes waits by default."""

RATE = 600
"""Ten sessions a second: far more than a machine carries, and little enough to hold off a flood."""

LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


_LISTS = (
    *("ice_address", "ice_server", "public_ip"),
    *("api_key", "cors_origin", "frame_origin", "trusted_proxy"),
    *("webhook", "webhook_secret"),
)


class Settings(BaseSettings):
    """What the server can be told; a flag wins over its variable, the variable over the default."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    host: str = Field(default="", description="address to listen on (default: all interfaces)")
    port: int = Field(default=5555, ge=0, le=65535, description="port to listen on")
    http: bool = Field(
        default=False,
        description="plain HTTP: for loopback, and behind a proxy that speaks HTTPS to the world",
    )
    cert_dir: Path = Field(
        default=Path("cert"), description="folder of the certificate and its key"
    )
    time_limit: float = Field(
        default=120,
        gt=0,
        le=3600,
        description="how long one session may take, seconds of its video",
    )
    steps: int = Field(
        default=4,
        ge=4,
        le=8,
        description="challenges a session is made of. A recording of all of them in one order, "
        "begun with the session, fits by chance in 1 of 6 sessions with 4 steps and in 1 of 42 "
        "with 6; begun anywhere, in 1 of 11 and in none of 200, before it is seen to repeat itself",
    )
    challenge_order: Literal["random", "fixed"] = Field(
        default="random", description="order of the challenges after front"
    )
    max_sessions: int = Field(
        default_factory=lambda: SESSIONS_PER_CORE * cores(),
        ge=1,
        description="sessions with media at the same time, whatever the load; further ones are "
        "told to come again "
        f"(default: {SESSIONS_PER_CORE} for each processor core)",
    )
    most_load: float = Field(
        default=MOST_LOAD,
        ge=0,
        le=1,
        description="share of its cores that the server may use before further sessions are told "
        "to come again; 0: --max-sessions alone decides",
    )
    ice_address: Annotated[tuple[Address, ...], NoDecode] = Field(
        default=(),
        description="take media on this address only; repeatable (default: every address of "
        "this machine but loopback)",
    )
    ice_server: Annotated[tuple[IceServer, ...], NoDecode] = Field(
        default=(),
        description="STUN or TURN server, for itself and for clients; repeatable; "
        "stun:HOST[:PORT] or turn:[USER:PASSWORD@]HOST[:PORT][?transport=udp|tcp] (default: none)",
    )
    turn_secret: str | None = Field(
        default=None,
        repr=False,
        min_length=1,
        description="secret shared with the TURN servers that are named without USER:PASSWORD@ "
        "(coturn: use-auth-secret, static-auth-secret); each session gets credentials of its own, "
        "which end soon after it (default: none)",
    )
    turn_secret_file: Path | None = Field(
        default=None, description="file with that secret (default: none)"
    )
    public_ip: Annotated[tuple[PublicAddress, ...], NoDecode] = Field(
        default=(),
        description="address under which the world reaches this machine (1:1 NAT): peers are told "
        "of it instead of the private ones; once for IPv4, once for IPv6 (default: none)",
    )
    udp_ports: Ports | None = Field(
        default=None,
        description="ports for video, both included; each session takes one of them on each "
        "address; processes may share them (default: any that is free)",
    )
    api_key: Annotated[tuple[Key, ...], NoDecode] = Field(
        default=(),
        repr=False,
        description="key that a relying party presents as a bearer token, and the party's name, "
        "whose sessions it sees; repeatable (default: none, anybody may start a session)",
    )
    api_key_file: Path | None = Field(
        default=None,
        description="file of such keys, one a line, that not everybody may read; # begins a "
        "comment (default: none)",
    )
    rate_per_key: int = Field(
        default=RATE, ge=0, description="sessions a minute for one name of a key; 0: no limit"
    )
    rate_per_address: int = Field(
        default=RATE,
        ge=0,
        description="sessions a minute for one address that asks for them; 0: no limit",
    )
    trusted_proxy: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=LOOPBACK,
        description="with --http: address or network of a proxy that is believed about who calls "
        "(X-Forwarded-For); repeatable (default: this machine)",
    )
    webhook: Annotated[tuple[Webhook, ...], NoDecode] = Field(
        default=(),
        repr=False,
        description="https address to which the verdicts of the sessions of an API key are posted; "
        "repeatable, one for each name of a key (default: none)",
    )
    webhook_secret: Annotated[tuple[WebhookSecret, ...], NoDecode] = Field(
        default=(),
        repr=False,
        description="secret that signs what is posted there: whsec_ and at least 24 bytes in "
        "base64; repeatable, several for one name all sign (default: none)",
    )
    webhook_secret_file: Path | None = Field(
        default=None,
        description="file of such secrets, one a line, that not everybody may read (default: none)",
    )
    webhook_allow_private: bool = Field(
        default=False,
        description="let webhooks be in private networks, and on this machine with plain http",
    )
    subject_failures: int = Field(
        default=5, ge=1, description="failed sessions of one metadata.subject that lock it"
    )
    subject_window: float = Field(
        default=180, gt=0, le=86400, description="seconds within which they lock it"
    )
    subject_lock: float = Field(
        default=900, ge=0, le=30 * 86400, description="seconds for which it is locked; 0: never"
    )
    cors_origin: Annotated[tuple[Origin, ...], NoDecode] = Field(
        default=("*",),
        description="origin whose pages may call this server; repeatable (default: any)",
    )
    frame_origin: Annotated[tuple[FrameOrigin, ...], NoDecode] = Field(
        default=(),
        description="origin whose pages may show the check in an iframe; repeatable (default: "
        "this server's own)",
    )
    model_dir: Path = Field(
        default=Path("model"), description="folder that is searched for weights first"
    )
    model_url: WebAddress = Field(
        default=GTX_URL,
        description="where GET /download-model fetches the GTX landmark weights, packed with bzip2",
    )
    spoof_model: str = Field(
        default=MINIFASNET,
        description="model card (TOML) of the classifier that tells live faces from pictures of "
        "faces, or none for no scores (default: the MiniFASNet pair in --model-dir)",
    )
    spoof_rate: float = Field(
        default=SPOOF_RATE, gt=0, le=30, description="scores a second of each session"
    )
    spoof_threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="an average of five scores at or below it is a presentation attack; 1 is live "
        "(default: the card's, 0.5 for the MiniFASNet pair)",
    )
    store: Store = Field(
        default=SQLITE,
        repr=False,
        description="where sessions and verdicts are kept: memory (of one process, gone with it), "
        "sqlite[:PATH] (shared by the processes of one machine; default: a file in --data-dir), or "
        "redis[s]://[[USER]:PASSWORD@]HOST[:PORT][/N] (shared by many machines)",
    )
    retention: float = Field(
        default=RETENTION,
        ge=1,
        le=366 * 86400,
        description="seconds for which a session that is over, and all that came of it, is kept",
    )
    data_dir: Path = Field(default=Path("data"), description="folder of what is kept")
    keep_evidence: bool = Field(
        default=False,
        description="keep pictures of each session, as long as the session: the face at rest, and "
        "as each step passed; encrypted, and shown for an API key only",
    )
    evidence_key: str | None = Field(
        default=None,
        repr=False,
        min_length=1,
        description="key of those pictures, 32 bytes in base64 (openssl rand -base64 32), for "
        "servers that share a store (default: made on the first start, kept in --data-dir)",
    )
    evidence_key_file: Path | None = Field(
        default=None,
        description="file of such keys, one a line, that not everybody may read: the first seals, "
        "any of them opens (default: none)",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="processes that share port and sessions; 1: a single one, for development "
        "(default: one for each processor core, a single one with --store memory)",
    )
    node_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s?#@]+/?$",
        description="where other servers that share the store reach this one, past any balancer, "
        "such as http://10.0.0.7:5555 (default: they do not)",
    )
    drain_seconds: float = Field(
        default=DRAIN_SECONDS,
        ge=0,
        le=3600,
        description="seconds that sessions have to end by themselves after SIGTERM, while nobody "
        "else is let in; SIGINT, or a second SIGTERM, ends them at once",
    )
    log_format: Format = Field(
        default="auto",
        description="text, or a JSON object a line (default: text on a terminal, else JSON)",
    )
    show_settings: bool = Field(
        default=False, description="print every option as it is set, without secrets, and end"
    )
    issuer: str = Field(
        default="liveness",
        min_length=1,
        max_length=200,
        description="who signs verdicts, as their tokens say: best the address of this service",
    )
    verdict_lifetime: float = Field(
        default=VERDICT_LIFETIME,
        ge=1,
        le=366 * 86400,
        description="seconds for which the token of a verdict is valid",
    )

    @field_validator(*_LISTS, mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Several values in one variable are separated by commas."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _check_workers(self) -> Self:
        if self.processes > 1 and self.store == MEMORY:
            raise ValueError("--workers: with --store memory there can be only one")
        return self

    @model_validator(mode="after")
    def _check_network(self) -> Self:
        secret = self.turn_key()
        relays = [url for url in self.ice_server if takes_secret(parse_ice_server(url))]
        if relays and secret is None:
            raise ValueError("--ice-server: a TURN server needs USER:PASSWORD@, or --turn-secret")
        if secret is not None and not relays:
            raise ValueError("--turn-secret: there is no --ice-server turn:HOST that takes it")
        if len({ip_address(each).version for each in self.public_ip}) < len(self.public_ip):
            raise ValueError("--public-ip: one address of each version at most")
        return self

    @model_validator(mode="after")
    def _check_kept(self) -> Self:
        self.webhooks()
        given = [self.evidence_key, self.evidence_key_file]
        if all(given):
            raise ValueError("--evidence-key-file: --evidence-key is given as well")
        if self.keep_evidence and self.store.startswith(REDIS) and not any(given):
            raise ValueError("--keep-evidence: servers that share Redis need one --evidence-key")
        return self

    def webhooks(self) -> dict[str, Hook]:
        """Give the webhooks by the names of their API keys; raises `ValueError`."""
        secrets = list(self.webhook_secret)
        try:
            if self.webhook_secret_file is not None:
                secrets += read_secrets(self.webhook_secret_file)
        except (OSError, ValueError) as error:
            raise ValueError(f"--webhook-secret-file: {error}") from None
        return combine(self.webhook, secrets, private=self.webhook_allow_private)

    def turn_key(self) -> str | None:
        """Read the secret shared with the TURN servers; raises `ValueError`."""
        if self.turn_secret_file is None:
            return self.turn_secret
        if self.turn_secret is not None:
            raise ValueError("--turn-secret-file: --turn-secret is given as well")
        try:
            return read_secret(self.turn_secret_file)
        except (OSError, ValueError) as error:
            raise ValueError(f"--turn-secret-file: {error}") from None

    @property
    def processes(self) -> int:
        """How many processes share the sessions."""
        if self.workers is None:
            return 1 if self.store == MEMORY else cores()
        return self.workers

    @property
    def ports(self) -> range | None:
        """The UDP ports for video, None for any."""
        return None if self.udp_ports is None else parse_ports(self.udp_ports)

    @classmethod
    def from_args(cls, argv: Sequence[str], prog: str | None = None) -> Self:
        """Read flags, then variables, then defaults.

        Raises `SystemExit` for `--help` and unknown flags, `SettingsInvalid` for bad values.
        """
        options = flags.given(cls, argv, prog)
        try:
            return cls(**options)
        except ValidationError as error:
            raise SettingsInvalid(flags.explain(cls, error, options)) from None
