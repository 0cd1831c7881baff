"""The one error a caller may be told. Anything else that is raised is our bug, and becomes a 500."""

from typing import Any


class AwsError(Exception):
    """An outcome the API documents.

    `status` None means: the status the service's model gives this code, else 400.
    `fields` are further members of the error's shape, or elements of its XML (S3 adds BucketName, Key...).
    `headers` go on the answer as they are.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int | None = None,
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status
        self.headers = headers or {}
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
