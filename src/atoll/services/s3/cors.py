"""A bucket's rules for web pages of other origins: one row of their own. The gateway goes by them (Service.cross_origin)."""

import re
from typing import TYPE_CHECKING, Any

import msgspec

from atoll.aws.cors import METHODS, Rule
from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply
from atoll.services.s3 import buckets, documents
from atoll.services.s3.records import BUCKETS, CORS_ROW, Bucket, decode_bucket
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3
from atoll.store import Reader, keys

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

RULES_MAX = 100
DOCUMENT_BYTES_MAX = 64 * 1024
ID_CHARACTERS_MAX = 255
MAX_AGE_SECONDS_MAX = 2**31 - 1
# They will stand in a header: what is no name of a header may not.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Rule])


@s3.write("PutBucketCors")
async def put_bucket_cors(call: Call, request: "types.PutBucketCorsRequest") -> Reply:
    refuse_unsupported("PutBucketCors", request)
    if len(call.http.body) > DOCUMENT_BYTES_MAX:
        text = "Your request was too big."
        raise AwsError("MaxMessageLengthExceeded", text, 400, MaxMessageLengthBytes=str(DOCUMENT_BYTES_MAX))
    documents.check(call)
    given = request["CORSConfiguration"].get("CORSRules") or []
    if not 1 <= len(given) <= RULES_MAX:
        raise _malformed()
    rules = [_checked(rule) for rule in given]
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    call.tx.put(_shelf(bucket), CORS_ROW, _encoder.encode(rules))
    return {}


@s3.read("GetBucketCors")
async def get_bucket_cors(call: Call, request: "types.GetBucketCorsRequest") -> Reply:
    refuse_unsupported("GetBucketCors", request)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    row = await call.tx.get(_shelf(bucket), CORS_ROW)
    if row is None:
        text = "The CORS configuration does not exist"
        raise AwsError("NoSuchCORSConfiguration", text, 404, BucketName=bucket.name)
    return {"CORSRules": [_told(rule) for rule in _decoder.decode(row)]}


@s3.write("DeleteBucketCors")
async def delete_bucket_cors(call: Call, request: "types.DeleteBucketCorsRequest") -> Reply:
    refuse_unsupported("DeleteBucketCors", request)
    call.tx.delete(_shelf(await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))), CORS_ROW)
    return {}


async def rules_of(store: Reader, name: str) -> list[Rule] | None:
    """None: there is no such bucket."""
    row = await store.get(BUCKETS, keys.pack(name))
    if row is None:
        return None
    rules = await store.get(_shelf(decode_bucket(row)), CORS_ROW)
    return [] if rules is None else _decoder.decode(rules)


s3.cross_origin = rules_of


def _shelf(bucket: Bucket) -> bytes:
    return bucket.shelf("c")


def _checked(given: "types.CORSRule") -> Rule:
    rule = Rule(
        list(given.get("AllowedMethods") or []),
        list(given.get("AllowedOrigins") or []),
        list(given.get("AllowedHeaders") or []),
        list(given.get("ExposeHeaders") or []),
        given.get("MaxAgeSeconds"),
        given.get("ID"),
    )
    if not rule.methods or not rule.origins:
        raise _malformed()
    if rule.max_age_seconds is not None and not 0 <= rule.max_age_seconds <= MAX_AGE_SECONDS_MAX:
        raise _malformed()
    if rule.id is not None and len(rule.id) > ID_CHARACTERS_MAX:
        raise _invalid(f"ID length should not exceed allowed limit of {ID_CHARACTERS_MAX}")
    for method in rule.methods:
        if method not in METHODS:
            raise _invalid(f"Found unsupported HTTP method in CORS config. Unsupported method is {method}")
    _check_patterns("AllowedOrigin", rule.origins)
    _check_patterns("AllowedHeader", rule.headers)
    for header in rule.exposed:
        _check_exposed(header)
    return rule


def _check_patterns(name: str, patterns: list[str]) -> None:
    for pattern in patterns:
        if pattern.count("*") > 1:
            raise _invalid(f'{name} "{pattern}" can not have more than one wildcard.')


def _check_exposed(header: str) -> None:
    if "*" in header:
        text = f'ExposeHeader "{header}" contains wildcard. We currently do not support wildcard for ExposeHeader.'
        raise _invalid(text)
    if not _HEADER_NAME.fullmatch(header):
        raise _invalid(f'ExposeHeader "{header}" is not the name of a header.')


def _told(rule: Rule) -> dict[str, Any]:
    told: dict[str, Any] = {"AllowedMethods": rule.methods, "AllowedOrigins": rule.origins}
    if rule.id is not None:
        told["ID"] = rule.id
    if rule.headers:
        told["AllowedHeaders"] = rule.headers
    if rule.exposed:
        told["ExposeHeaders"] = rule.exposed
    if rule.max_age_seconds is not None:
        told["MaxAgeSeconds"] = rule.max_age_seconds
    return told


def _malformed() -> AwsError:
    return AwsError(
        "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema", 400
    )


def _invalid(text: str) -> AwsError:
    return AwsError("InvalidRequest", text, 400)
