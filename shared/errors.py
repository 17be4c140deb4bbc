"""One hierarchy of errors. A code is stable, its sentence lives in `sentences`; no path and no patient data."""

from shared.sentences import say


class ThoracleError(Exception):
    """Root: `code` is stable for machines, `status` is what HTTP answers, `detail` is safe to show to anybody."""

    code = "internal_error"
    status = 500
    retryable = False
    retry_after_s = 2  # said in Retry-After when retryable

    def __init__(self, code: str | None = None, *, detail: str | None = None, **values: object) -> None:
        self.code = code or type(self).code
        self._said, self._values = detail, values
        super().__init__(f"{self.code}: {self.detail}")

    @property
    def detail(self) -> str:
        """What is wrong and what to do, in the language of who asks."""
        return self._said or say(self.code, **self._values)


class BadRequest(ThoracleError):
    """The request cannot be understood."""

    code, status = "request_invalid", 400


class Unauthenticated(ThoracleError):
    """No key or session, or one that is unknown, expired or revoked."""

    code, status = "unauthenticated", 401


class Forbidden(ThoracleError):
    """Known, but without the role that this route needs."""

    code, status = "forbidden", 403


class NotFound(ThoracleError):
    """Unknown, or another tenant's: the two are not told apart."""

    code, status = "not_found", 404


class Conflict(ThoracleError):
    """The state of the thing does not allow it."""

    code, status = "conflict", 409


class TooLarge(ThoracleError):
    """More bytes than the service accepts."""

    code, status = "input_too_large", 413


class UnsupportedInput(ThoracleError):
    """A kind of file that no version reads."""

    code, status = "input_type_unknown", 415


class Unprocessable(ThoracleError):
    """Understood, but the values cannot be accepted."""

    code, status = "request_invalid", 422


class Unavailable(ThoracleError):
    """An engine that the request needs does not answer; asking again later is right."""

    code, status, retryable = "unavailable", 503, True


class TooSlow(ThoracleError):
    """The request's body stopped arriving, or takes for ever."""

    code, status = "request_timeout", 408


class TooMany(ThoracleError):
    """The caller's own share is used up; others are served meanwhile."""

    code, status, retryable = "rate_limited", 429, True

    def __init__(self, code: str, retry_after_s: int) -> None:
        super().__init__(code)
        self.retry_after_s = retry_after_s


class Overloaded(Unavailable):
    """The service as a whole has all the work that it can hold."""

    code = "overloaded"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class StorageFull(ThoracleError):
    """No room for the upload; nothing was accepted."""

    code, status, retryable = "storage_full", 507, True


class InputRejected(ThoracleError):
    """The input itself is unusable: the job ends as `rejected` with this code."""

    code, status = "input_unreadable", 422


class VersionInvalid(ThoracleError):
    """A version whose files, card or golden samples do not agree. It is never loaded."""

    code, status = "version_invalid", 409
