"""Forms cut anywhere give the same fields and the same file; what is no form is refused."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.filepost import encode_multipart_formdata

from atoll.aws.errors import AwsError
from atoll.aws.form import FIELD_BYTES_MAX, FormReader, boundary_of

BOUNDARY = "AaB03x"
FORM = (
    b"--AaB03x\r\n"
    b'Content-Disposition: form-data; name="Key"\r\n'
    b"\r\n"
    b"cats/${filename}\r\n"
    b"--AaB03x\r\n"
    b'content-disposition: form-data; name="x-amz-meta-mood"; filename="x-amz-meta-mood"\r\n'
    b"Content-Type: text/plain\r\n"
    b"\r\n"
    b"sleepy\r\n and\r\n--happy\xc3\xa9\r\n"
    b"--AaB03x  \r\n"
    b'Content-Disposition: form-data; name="empty"\r\n'
    b"\r\n"
    b"\r\n"
    b"--AaB03x\r\n"
    b'Content-Disposition: form-data; name="file"; filename="C:\\pets\\a \\"cat\\".jpg"\r\n'
    b"Content-Type: image/jpeg\r\n"
    b"\r\n"
    b"\r\n\r\r\n--AaB03\r\n--\r\n"
    b"\r\n--AaB03x\r\n"
    b'Content-Disposition: form-data; name="submit"\r\n'
    b"\r\n"
    b"Upload\r\n"
    b"--AaB03x--\r\n"
)
FILE = b"\r\n\r\r\n--AaB03\r\n--\r\n"


def read(pieces: list[bytes], boundary: bytes = b"AaB03x") -> tuple[FormReader, bytes]:
    reader = FormReader(boundary)
    data = b"".join(reader.feed(memoryview(piece)) for piece in pieces)
    reader.finish()
    return reader, data


def values(reader: FormReader) -> dict[str, str]:
    return {field.name: field.value for field in reader.fields.values()}


def refusal(pieces: list[bytes]) -> AwsError:
    with pytest.raises(AwsError) as caught:
        read(pieces)
    return caught.value


@pytest.mark.parametrize("at", range(len(FORM) + 1))
def test_a_form_cut_anywhere_is_the_same_form(at: int) -> None:
    reader, data = read([FORM[:at], FORM[at:]])
    assert values(reader) == {
        "Key": "cats/${filename}",
        "x-amz-meta-mood": "sleepy\r\n and\r\n--happyé",
        "empty": "",
    }
    assert data == FILE
    assert reader.filename == 'C:\\pets\\a "cat".jpg'


def test_a_form_in_single_bytes_is_the_same_form() -> None:
    reader, data = read([FORM[at : at + 1] for at in range(len(FORM))])
    assert set(reader.fields) == {"key", "x-amz-meta-mood", "empty"}
    assert data == FILE


# What is likely to look like a delimiter and is none.
TROUBLE = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--", b"b", b"\r\n--b0undar", b"x", b"\0"]), max_size=12
)


@given(
    st.dictionaries(
        st.text("abcdefghij-", min_size=1, max_size=9).filter("file".__ne__), st.text(max_size=40), max_size=6
    ),
    TROUBLE.map(b"".join),
    st.lists(st.integers(0, 600), max_size=6),
)
def test_what_another_implementation_writes_is_read_back(fields: dict[str, str], file: bytes, cuts: list[int]) -> None:
    body, content_type = encode_multipart_formdata([*fields.items(), ("file", ("a.bin", file))], boundary="b0undary")
    edges = sorted({0, *(min(cut, len(body)) for cut in cuts), len(body)})
    pieces = [body[lo:hi] for lo, hi in pairwise(edges)]
    reader, data = read(pieces, boundary_of(content_type))
    assert values(reader) == fields
    assert data == file


@given(
    st.lists(
        st.sampled_from(
            [
                b"--b",
                b"\r\n",
                b"\r\n--b",
                b"--",
                b";",
                b'"',
                b"=",
                b"name",
                b"file",
                b":",
                b"Content-Disposition: form-data",
                b'; name="file"',
                b"\xff",
            ]
        ),
        max_size=30,
    )
)
def test_garbage_is_refused_or_read_but_never_breaks_the_reader(pieces: list[bytes]) -> None:
    try:
        code = "" if read(pieces, b"b")[0].in_file else "no file"
    except AwsError as error:
        code = error.code
    assert code in {"", "MalformedPOSTRequest", "InvalidArgument"}


def part(disposition: str, value: bytes = b"v") -> bytes:
    return b"--AaB03x\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + value + b"\r\n"


END = b"--AaB03x--\r\n"
THE_FILE = part('form-data; name="file"; filename="f"')


def test_a_part_without_a_filename_may_be_the_file() -> None:
    reader, data = read([part("form-data; name=file", b"data") + END])
    assert (reader.filename, data) == (None, b"data")


def test_an_empty_file_is_a_file() -> None:
    reader, data = read([part('form-data; name="file"; filename=""', b"") + END])
    assert (reader.filename, data) == ("", b"")


def test_names_beyond_ascii_come_in_three_spellings() -> None:
    for disposition in (
        'form-data; name="file"; filename="é.jpg"',
        "form-data; name=file; filename=é.jpg",
        "form-data; name=\"file\"; filename*=utf-8''%C3%A9.jpg",
    ):
        assert read([part(disposition) + END])[0].filename == "é.jpg"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form",
        b"--other\r\n",
        b"--AaB03x",
        b"--AaB03x garbage\r\n" + THE_FILE + END,
        b"--AaB03x\r\n\r\nvalue\r\n" + END,
        b"--AaB03x\r\nContent-Disposition form-data\r\n\r\n\r\n" + END,
        part('attachment; name="key"') + THE_FILE + END,
        part("form-data") + THE_FILE + END,
        part('form-data; name="key"', b"\xff") + THE_FILE + END,
        THE_FILE,
        part('form-data; name="key"'),
    ],
)
def test_what_is_no_whole_form_is_malformed(body: bytes) -> None:
    error = refusal([body])
    assert (error.code, error.status) == ("MalformedPOSTRequest", 400)


def test_a_form_without_a_file_is_refused() -> None:
    error = refusal([part('form-data; name="key"') + END])
    assert (error.code, error.message) == ("InvalidArgument", "POST requires exactly one file upload per request.")
    assert error.fields == {"ArgumentName": "file", "ArgumentValue": "0"}


def test_a_field_given_twice_is_refused() -> None:
    error = refusal([part('form-data; name="key"') + part('form-data; name="KEY"') + THE_FILE + END])
    assert (error.code, error.fields["ArgumentName"]) == ("InvalidArgument", "KEY")


@pytest.mark.parametrize("step", [1000, 1_000_000])
def test_fields_are_limited_and_the_file_is_not(step: int) -> None:
    def sent(size: int) -> list[bytes]:
        body = part('form-data; name="key"', b"k" * size) + part('form-data; name="file"', b"f" * 50_000) + END
        return [body[at : at + step] for at in range(0, len(body), step)]

    around = len(part('form-data; name="key"', b"") + part('form-data; name="file"', b"")) - 2
    _, data = read(sent(FIELD_BYTES_MAX - around))
    assert len(data) == 50_000
    error = refusal(sent(FIELD_BYTES_MAX - around + 1))
    assert (error.code, error.status) == ("MaxPostPreDataLengthExceeded", 400)
    assert error.fields == {"MaxPostPreDataLengthBytes": "20480"}


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=AaB03x", b"AaB03x"),
        ('Multipart/Form-Data; charset=utf-8; Boundary="a b:c"', b"a b:c"),
    ],
)
def test_the_boundary_is_found(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    ("content_type", "code", "status"),
    [
        ("", "PreconditionFailed", 412),
        ("text/html; boundary=x", "PreconditionFailed", 412),
        ("multipart/form-data", "MalformedPOSTRequest", 400),
        ('multipart/form-data; boundary=""', "MalformedPOSTRequest", 400),
        ("multipart/form-data; boundary=" + "x" * 300, "MalformedPOSTRequest", 400),
    ],
)
def test_another_content_type_is_refused(content_type: str, code: str, status: int) -> None:
    with pytest.raises(AwsError) as caught:
        boundary_of(content_type)
    answer: Any = caught.value
    assert (answer.code, answer.status) == (code, status)
