"""ServiceError: what a client is told, as JSON, with a remedy; not here: routes."""

from typing import Any


class ServiceError(Exception):
    """A request or a job that cannot be served.

    Args:
        status: HTTP status.
        code: Stable word for programs, such as ``'queue_full'``.
        what: What happened, in a sentence without file names of the server.
        why: The reason: what was found and what was expected.
        remedy: What the client can do.
        headers: HTTP headers that belong to the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        what: str,
        *,
        why: str,
        remedy: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f'{what} {why} {remedy}')
        self.status = status
        self.code = code
        self.what = what
        self.why = why
        self.remedy = remedy
        self.headers = headers or {}

    def to_dict(self) -> dict[str, Any]:
        """The body of the answer, below the key ``error``."""
        return {
            'code': self.code,
            'what': self.what,
            'why': self.why,
            'remedy': self.remedy,
        }


def refuse_upload(why: str, remedy: str, *, status: int = 422) -> ServiceError:
    """The upload is no scan that can be used."""
    what = 'The upload was not accepted.'
    return ServiceError(status, 'bad_upload', what, why=why, remedy=remedy)
