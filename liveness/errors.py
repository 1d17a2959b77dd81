"""Everything that can go wrong by name; each error knows its HTTP status and its problem type."""
# ruff: noqa: D101, N818 - the title says what a docstring would; the names read as what happened

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar


class LivenessError(Exception):
    """The family. `detail` is for whoever caused it; it carries no secrets and no personal data."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on the server"

    def __init__(self, detail: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.headers = dict(headers or {})


class SettingsInvalid(LivenessError):
    code = "settings_invalid"
    title = "An option has a value that cannot be"


class ModelError(LivenessError):
    status = HTTPStatus.SERVICE_UNAVAILABLE


class ModelMissing(ModelError):
    code = "model_missing"
    title = "The weights of a model were not found"


class ModelCorrupt(ModelError):
    code = "model_corrupt"
    title = "The weights of a model are not what they should be"


class ModelUnwritable(ModelError):
    code = "model_unwritable"
    title = "The weights of a model cannot be written"


class SourceUnreachable(LivenessError):
    status = HTTPStatus.BAD_GATEWAY
    code = "source_unreachable"
    title = "The source of the weights cannot be reached"


class SourceSilent(LivenessError):
    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "source_silent"
    title = "The source of the weights does not answer in time"


class DownloadUnfit(LivenessError):
    status = HTTPStatus.BAD_GATEWAY
    code = "download_unfit"
    title = "What the source of the weights gave cannot be used"


class CertificateError(LivenessError):
    code = "certificate_unusable"
    title = "The certificate cannot be made or read"


class KeyUnusable(LivenessError):
    code = "key_unusable"
    title = "The key that signs verdicts cannot be made or read"


class SealUnusable(LivenessError):
    code = "seal_unusable"
    title = "The key that seals pictures cannot be made or read"


class PictureSealed(LivenessError):
    code = "picture_sealed"
    title = "The picture was sealed with a key that this server does not have"


class TokenInvalid(LivenessError):
    status = HTTPStatus.BAD_REQUEST
    code = "token_invalid"
    title = "The token is no verdict that can be trusted"


class WorkerFailed(LivenessError):
    code = "worker_failed"
    title = "A worker does not start"


class RequestError(LivenessError):
    """A request that cannot be granted as it is."""

    status = HTTPStatus.BAD_REQUEST
    code = "bad_request"
    title = "The request cannot be understood"


class InvalidBody(RequestError):
    code = "invalid_body"
    title = "The body cannot be understood"


class InvalidPicture(RequestError):
    code = "invalid_picture"
    title = "The picture cannot be read"


class InvalidSdp(RequestError):
    code = "invalid_sdp"
    title = "The session description cannot be understood"


class Unauthorized(RequestError):
    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"
    title = "A valid bearer token is needed"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="liveness"'})


class NotFound(RequestError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"
    title = "There is nothing here"


class Timeout(RequestError):
    status = HTTPStatus.REQUEST_TIMEOUT
    code = "timeout"
    title = "The request took too long to arrive"


class Conflict(RequestError):
    status = HTTPStatus.CONFLICT
    code = "conflict"
    title = "The session was used before"


class PreconditionFailed(RequestError):
    status = HTTPStatus.PRECONDITION_FAILED
    code = "precondition_failed"
    title = "The entity tag is not the current one"


class TooLarge(RequestError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_large"
    title = "The body is too large"


class WrongType(RequestError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "wrong_type"
    title = "The content type is not the one expected"


class Unservable(RequestError):
    """Well formed, and still nothing that this server can do."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unprocessable"
    title = "The request is understood but cannot be served"


class Unavailable(LivenessError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    title = "The server cannot take this now"

    def __init__(self, detail: str = "", *, retry_after: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class ServerFull(Unavailable):
    code = "server_full"
    title = "As many sessions as the server can take are running"


class PortsExhausted(Unavailable):
    code = "ports_exhausted"
    title = "No UDP port is free for the video of another session"


class Busy(Unavailable):
    code = "busy"
    title = "The server looks at as many pictures as it can; send this one again"


class RateLimited(Unavailable):
    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "rate_limited"
    title = "This was asked for too often"


class SubjectLocked(RateLimited):
    code = "subject_locked"
    title = "This person has failed too often, and can try again later"


class DownloadBusy(Unavailable):
    code = "download_busy"
    title = "Another process is fetching the weights"


class OwnerSilent(Unavailable):
    code = "owner_silent"
    title = "The process that has to answer this does not"


class ServerStopping(Unavailable):
    code = "server_stopping"
    title = "The server is stopping"


class StoreUnavailable(Unavailable):
    code = "store_unavailable"
    title = "What is kept of sessions cannot be reached or written"
