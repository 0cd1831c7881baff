"""multipart/form-data as browsers send it: the fields before the file, then the file's bytes as they come. Pure.

    --boundary CRLF headers CRLF CRLF value CRLF --boundary ... CRLF --boundary --

Only the name tells the file from a field, since some clients give every part a filename. What follows the file is not looked at.
Source: RFC 7578; https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import unquote_to_bytes

from atoll.aws.errors import AwsError

FIELD_BYTES_MAX = 20_480  # Of all that comes before the file's first byte, boundaries and headers included.
_BOUNDARY_CHARACTERS_MAX = 256
_FILE = "file"
# A backslash escapes a quote and nothing else: old browsers put whole Windows paths into file names.
_PARAMETER = re.compile(r';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))')


@dataclass(frozen=True, slots=True)
class Field:
    name: str  # as sent; names are told apart without regard to case
    value: str


def boundary_of(content_type: str) -> bytes:
    """Raises AwsError unless this is multipart/form-data with a boundary."""
    kind, _, _ = content_type.partition(";")
    if kind.strip().lower() != "multipart/form-data":
        raise AwsError(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            412,
            Condition="Bucket POST must be of the enclosure-type multipart/form-data",
        )
    boundary = _parameters(content_type).get("boundary", "")
    if not 0 < len(boundary) <= _BOUNDARY_CHARACTERS_MAX or "\r" in boundary or "\n" in boundary:
        raise malformed()
    return boundary.encode("latin-1", "replace")


def malformed() -> AwsError:
    return AwsError(
        "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.", 400
    )


class _State(Enum):
    DELIMITER = auto()  # in a value, or before the first part
    LINE = auto()  # behind a delimiter, up to the end of its line
    HEADERS = auto()
    FILE = auto()
    AFTER = auto()


class FormReader:
    """Fed the body piece by piece, however it is cut. `fields` by lower-case names, complete once `in_file`."""

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, Field] = {}
        self.filename: str | None = None
        self.in_file = False
        self._delimiter = b"\r\n--" + boundary
        self._state = _State.DELIMITER
        self._name: str | None = None  # of the field whose value is being read
        # The first delimiter has no line before it: here it has.
        self._head = bytearray(b"\r\n")
        self._at = 0
        self._held = b""  # The end of the file's bytes so far, if it might be the start of a delimiter.

    def feed(self, data: bytes | memoryview) -> bytes:
        """Answers the file's bytes among them. Raises AwsError."""
        if self._state is _State.AFTER:
            return b""
        if self._state is _State.FILE:
            return self._read_file(bytes(data))
        self._head += data
        self._read_head()
        if not self.in_file:
            return b""
        begun = bytes(self._head[self._at :])
        self._head.clear()
        return self._read_file(begun)

    def finish(self) -> None:
        """Raises AwsError unless the form was whole."""
        if not self.in_file and self._state is _State.AFTER:
            raise AwsError(
                "InvalidArgument",
                "POST requires exactly one file upload per request.",
                400,
                ArgumentName=_FILE,
                ArgumentValue="0",
            )
        if self._state is not _State.AFTER:
            raise malformed()

    def _read_head(self) -> None:
        """As far as there is enough of it."""
        steps = {
            _State.DELIMITER: self._read_value,
            _State.LINE: self._read_line,
            _State.HEADERS: self._read_headers,
        }
        while self._state in steps and steps[self._state]():
            pass
        begun = self._at if self._state in {_State.FILE, _State.AFTER} else len(self._head)
        if begun - 2 > FIELD_BYTES_MAX:
            raise AwsError(
                "MaxPostPreDataLengthExceeded",
                "Your POST request fields preceeding the upload file was too large.",  # So spelt by S3.
                400,
                MaxPostPreDataLengthBytes=str(FIELD_BYTES_MAX),
            )

    # Each step answers whether there was enough for it.

    def _read_value(self) -> bool:
        end = self._head.find(self._delimiter, self._at)
        if end < 0:
            return False
        if self._name is not None:
            self._put(self._name, _text(self._head[self._at : end]))
            self._name = None
        self._at = end + len(self._delimiter)
        self._state = _State.LINE
        return True

    def _read_line(self) -> bool:
        rest = self._head[self._at : self._at + 2]
        if rest == b"--":
            self._state = _State.AFTER
            return False
        end = self._head.find(b"\r\n", self._at)
        if end < 0:
            return False
        if self._head[self._at : end].strip(b" \t"):
            raise malformed()
        self._at = end
        self._state = _State.HEADERS
        return True

    def _read_headers(self) -> bool:
        end = self._head.find(b"\r\n\r\n", self._at)
        if end < 0:
            return False
        name, filename = _disposition(_text(self._head[self._at : end]))
        self._at = end + 4
        if name.lower() == _FILE:
            self.filename = filename
            self.in_file = True
            self._state = _State.FILE
            return False
        self._name = name
        self._state = _State.DELIMITER
        return True

    def _put(self, name: str, value: str) -> None:
        lower = name.lower()
        if lower in self.fields:
            raise AwsError(
                "InvalidArgument",
                "POST requires at most one value for each form field.",
                400,
                ArgumentName=name,
                ArgumentValue=value,
            )
        self.fields[lower] = Field(name, value)

    def _read_file(self, data: bytes) -> bytes:
        if self._held:
            data = self._held + data
        end = data.find(self._delimiter)
        if end >= 0:
            self._held = b""
            self._state = _State.AFTER
            return data[:end]
        # A delimiter holds one carriage return, its first byte.
        start = data.rfind(b"\r", max(0, len(data) - len(self._delimiter) + 1))
        if start < 0 or not self._delimiter.startswith(data[start:]):
            self._held = b""
            return data
        self._held = data[start:]
        return data[:start]


def _text(raw: bytes | bytearray) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed() from None


def _disposition(headers: str) -> tuple[str, str | None]:
    """A part's name, and its file's name if it has one."""
    for line in headers.split("\r\n"):
        header, _, value = line.partition(":")
        if header.strip().lower() == "content-disposition":
            given = _parameters(value)
            if value.partition(";")[0].strip().lower() == "form-data" and "name" in given:
                return given["name"], given.get("filename")
    raise malformed()


def _parameters(header: str) -> dict[str, str]:
    return dict(_each_parameter(header))


def _each_parameter(header: str) -> Iterator[tuple[str, str]]:
    for name, quoted, plain in _PARAMETER.findall(header):
        value = quoted.replace('\\"', '"') or plain
        if name.endswith("*"):  # RFC 8187, which older Python clients use for what is not ASCII.
            charset, _, encoded = value.partition("'")
            if charset.lower() == "utf-8":
                yield name[:-1].lower(), _text(unquote_to_bytes(encoded.partition("'")[2]))
        else:
            yield name.lower(), value
