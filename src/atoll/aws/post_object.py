"""A POST form as the PutObject it stands for, and PutObject's answer as the form's. Pure.

The members are read from the fields as from headers, by the same codec. Source:
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, urlencode, urlsplit

from atoll.aws import form_signature
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.codecs.xml_reader import local_name, parse
from atoll.aws.codecs.xml_writer import DECLARATION, escape
from atoll.aws.errors import AwsError
from atoll.aws.form import Field
from atoll.aws.wire import Headers, WireReply, WireRequest

_FILENAME = "${filename}"
_HEADERS = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-md5",
        "content-type",
        "expires",
    }
)
_SIGNING = frozenset(
    {"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token", "x-amz-signature", "x-amz-trailer"}
)
_METADATA = "x-amz-meta-"
_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))


@dataclass(frozen=True, slots=True)
class Place:
    """Where the form was sent."""

    bucket: str
    url: str  # the bucket's, with a slash at its end

    def location(self, key: str) -> str:
        return self.url + quote(key, safe="")


def named(fields: Mapping[str, Field], filename: str | None) -> dict[str, Field]:
    """The fields with the file's name in its place. Without one the place stays as it is."""
    if filename is None:
        return dict(fields)
    # Some browsers give the whole path.
    last = filename.replace("\\", "/").rpartition("/")[2]
    return {name: Field(field.name, field.value.replace(_FILENAME, last)) for name, field in fields.items()}


def key_of(fields: Mapping[str, Field]) -> str:
    if "key" not in fields:
        raise form_signature.missing("key")
    key = fields["key"].value
    if not key:
        text = "User key must have a length greater than 0."
        raise AwsError("InvalidArgument", text, 400, ArgumentName="key", ArgumentValue="")
    return key


def put_request(fields: Mapping[str, Field], bucket: str) -> WireRequest:
    """What the codec reads PutObject from. Raises AwsError."""
    headers = []
    for name, field in fields.items():
        if name == "acl":
            headers.append(("x-amz-acl", field.value))
        elif name == "tagging":
            headers.append(("x-amz-tagging", _tags(field.value)))
        elif name.startswith(_METADATA):
            headers.append((name, field.value))
        elif name in _HEADERS or (name.startswith("x-amz-") and name not in _SIGNING):
            headers.append((name, _header_text(field.value)))
    path = f"/{quote(bucket, safe='')}/{quote(key_of(fields), safe='')}"
    return WireRequest("PUT", path, "", Headers(headers))


def answer(fields: Mapping[str, Field], place: Place, stored: WireReply) -> WireReply:
    """`stored` is PutObject's own answer."""
    key = key_of(fields)
    etag = next(value for name, value in stored.headers if name == "ETag")
    headers = [pair for pair in stored.headers if pair[0].lower() not in {"content-type", "content-length"}]
    redirect = _redirect(fields)
    if redirect:
        found = f"bucket={quote_plus(place.bucket)}&key={quote_plus(key)}&etag={quote_plus(etag)}"
        joint = "&" if urlsplit(redirect).query else "?"
        return WireReply(303, [*headers, ("Location", f"{redirect}{joint}{found}")])
    location = place.location(key)
    headers.append(("Location", location))
    status = fields["success_action_status"].value if "success_action_status" in fields else ""
    if status == "201":
        document = (
            f"{DECLARATION}<PostResponse><Location>{escape(location)}</Location><Bucket>{escape(place.bucket)}</Bucket>"
            f"<Key>{escape(key)}</Key><ETag>{escape(etag)}</ETag></PostResponse>"
        )
        return WireReply(201, [*headers, ("Content-Type", "application/xml")], document.encode())
    return WireReply(200 if status == "200" else 204, headers)


def _redirect(fields: Mapping[str, Field]) -> str:
    """Where the form wants its user sent; empty when it does not say, or says no address."""
    for name in ("success_action_redirect", "redirect"):
        if name in fields:
            url = quote(fields[name].value, safe=_PRINTABLE)
            try:
                parts = urlsplit(url)
            except ValueError:
                return ""
            return url if parts.scheme in {"http", "https"} and parts.netloc else ""
    return ""


def _tags(document: str) -> str:
    """As the x-amz-tagging header says them. A document of another kind has none, as in S3."""
    try:
        root = parse(document.encode())
    except Malformed:
        raise AwsError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
            400,
        ) from None
    tags = [element for element in root.iter() if local_name(element.tag) == "Tag"]
    pairs = [{local_name(member.tag): member.text or "" for member in tag} for tag in tags]
    return urlencode([(pair.get("Key", ""), pair.get("Value", "")) for pair in pairs])


def _header_text(value: str) -> str:
    """Such fields are answered as headers, which hold Latin-1; S3 keeps a space for what they can't hold."""
    return "".join(character if character <= "\xff" else " " for character in value)
