"""S3's own ways, where they leave rest-xml's: its routes, the key in the path, root elements, errors, odd bodies."""

import base64
from typing import Any

from atoll.aws.codecs.protocol import Encode, facts_of
from atoll.aws.codecs.rest import Read, Write
from atoll.aws.codecs.rest_bindings import ReplyBinding, RequestBinding, header_text, parse_query, percent_decode
from atoll.aws.codecs.rest_xml import XML, RestXml, fields_text
from atoll.aws.codecs.s3_routes import Routes, level_of
from atoll.aws.codecs.scalars import Malformed, Parse, parse_string, text_parser
from atoll.aws.codecs.xml_writer import DECLARATION, escape
from atoll.aws.errors import AwsError
from atoll.aws.model import Model, OperationModel, Shape
from atoll.aws.wire import WireReply, WireRequest

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

# The model names its shapes, not S3's elements; these are from the API reference.
_ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CopyObject": "CopyObjectResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CreateSession": "CreateSessionResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationResult",
    "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListDirectoryBuckets": "ListAllMyDirectoryBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
    "UploadPartCopy": "CopyPartResult",
}

# Statuses of errors that the model leaves out, or gives none. From the API reference.
_STATUSES = {
    "AccountProblem": 403,
    "AllAccessDisabled": 403,
    "BucketNotEmpty": 409,
    "ConditionalRequestConflict": 409,
    "ExpiredToken": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidBucketState": 409,
    "InvalidPayer": 403,
    "InvalidRange": 416,
    "InvalidSecurity": 403,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NoSuchBucketPolicy": 404,
    "NoSuchCORSConfiguration": 404,
    "NoSuchConfiguration": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchObjectLockConfiguration": 404,
    "NoSuchPublicAccessBlockConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchVersion": 404,
    "NoSuchWebsiteConfiguration": 404,
    "NotModified": 304,
    "NotSignedUp": 403,
    "ObjectLockConfigurationNotFoundError": 404,
    "OperationAborted": 409,
    "OwnershipControlsNotFoundError": 404,
    "PermanentRedirect": 301,
    "PreconditionFailed": 412,
    "ReplicationConfigurationNotFoundError": 404,
    "RequestTimeTooSkewed": 403,
    "RestoreAlreadyInProgress": 409,
    "ServerSideEncryptionConfigurationNotFoundError": 404,
    "SlowDown": 503,
    "TemporaryRedirect": 307,
}

# RFC 9110, 13.1.3: a date that is none is as good as not given.
_FORGIVING = frozenset({"IfModifiedSince", "IfUnmodifiedSince"})


class S3(RestXml):
    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self._routes = Routes(model)

    # Requests

    def route(self, wire: WireRequest) -> str:
        try:
            query = parse_query(wire.query)
            bucket, key = split_path(wire.path)
        except Malformed as error:
            raise self.refuse_uri(error) from error
        return self._routes.find(wire.method, level_of(bucket, key), query, wire.headers)

    def request_binding(self, operation: OperationModel) -> RequestBinding:
        return RequestBinding(operation, _parser_of)

    def path_reader(self, operation: OperationModel, binding: RequestBinding) -> Read:
        has_bucket, has_key = "Bucket" in binding.labels, "Key" in binding.labels

        def read(wire: WireRequest, values: dict[str, Any]) -> None:
            bucket, key = split_path(wire.path)
            if has_bucket:
                values["Bucket"] = bucket
            if has_key:
                values["Key"] = key

        return read

    def refuse_uri(self, error: Malformed) -> AwsError:
        return AwsError("InvalidURI", "Couldn't parse the specified URI.")

    def refuse_value(self, member: str, shape: Shape, text: str, error: Malformed) -> AwsError:
        name = shape.wire_name or member
        is_number = shape.type in ("integer", "long")
        reason = "not an integer or within integer range" if is_number else f"is not valid: {error}"
        return AwsError("InvalidArgument", f"Provided {name} {reason}", ArgumentName=name, ArgumentValue=text[:1024])

    def refuse_missing(self, member: str, shape: Shape) -> AwsError:
        name = shape.wire_name or member
        if shape.location == "header":
            return AwsError("InvalidRequest", f"Missing required header for this request: {name}")
        return AwsError("InvalidArgument", f"Missing required parameter for this request: {name}", ArgumentName=name)

    # Replies

    def reply_binding(self, operation: OperationModel) -> ReplyBinding:
        return ReplyBinding(operation, metadata_text)

    def reply_headers(self, request_id: str) -> list[tuple[str, str]]:
        return [("x-amz-request-id", request_id), ("x-amz-id-2", request_id)]

    def root_tag(self, operation: OperationModel, shape: Shape) -> str:
        return _ROOTS.get(operation.name) or shape.wire_name or shape.name

    def namespace(self) -> str | None:
        return NAMESPACE

    def body_writer(self, operation: OperationModel) -> Write:
        if operation.name != "GetBucketLocation":
            return super().body_writer(operation)
        start = f'{DECLARATION}<LocationConstraint xmlns="{NAMESPACE}"'

        def write(rest: dict[str, Any]) -> tuple[bytes, str]:
            region = rest.get("LocationConstraint")
            text = f"{start}>{escape(region)}</LocationConstraint>" if region else f"{start}/>"
            return text.encode(), self.content_type

        return write

    def encoder(self, operation: OperationModel) -> Encode:
        encode = super().encoder(operation)
        if operation.name == "PutBucketPolicy":
            return _without_content(encode)
        if operation.output is None or "ContentRange" not in operation.output.members:
            return encode

        def encode_range(reply: Any, request_id: str) -> WireReply:
            answer = encode(reply, request_id)
            if reply.get("ContentRange") is not None:
                answer.status = 206
            return answer

        return encode_range

    def encode_error(self, error: AwsError, request_id: str) -> WireReply:
        facts = facts_of(self.model, error)
        status = error.status or _STATUSES.get(error.code, facts.status)
        headers = [*self.reply_headers(request_id), *error.headers.items()]
        if status == 304:
            return WireReply(status, headers)
        body = (
            f"{DECLARATION}<Error><Code>{escape(facts.code)}</Code><Message>{escape(error.message)}</Message>"
            f"{fields_text(error)}<RequestId>{escape(request_id)}</RequestId><HostId>{escape(request_id)}</HostId></Error>"
        )
        return WireReply(status, [*headers, XML], body.encode())


def split_path(path: str) -> tuple[str, str]:
    """Bucket and key. The first slash ends the bucket; after it `//`, `..` and `%2F` are the key's own. Raises Malformed."""
    if not path.startswith("/"):
        raise Malformed("the path does not start with a slash")
    bucket, _, key = path[1:].partition("/")
    return _utf8(percent_decode(bucket)), _utf8(percent_decode(key))


def _utf8(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Malformed("the path is not UTF-8") from None
    return text


def metadata_text(value: str) -> str:
    """Latin-1 goes as it came. What can't is encoded by RFC 2047, as S3 documents for metadata."""
    if value.isascii() and value.isprintable():
        return value
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return f"=?UTF-8?B?{base64.b64encode(value.encode('utf-8', 'replace')).decode()}?="
    return header_text(value)


def _parser_of(shape: Shape, timestamp: str) -> Parse:
    if shape.type != "timestamp":
        return text_parser(shape, timestamp)
    if shape.wire_name == "Expires":
        return parse_string  # An object's Expires is kept as it came, date or not.
    parse = text_parser(shape, timestamp)
    if shape.wire_name and shape.wire_name.replace("-", "") in _FORGIVING:

        def parse_or_forget(text: str) -> Any:
            try:
                return parse(text)
            except Malformed:
                return None

        return parse_or_forget
    return parse


def _without_content(encode: Encode) -> Encode:
    """S3 answers 204 where its model says nothing of it."""

    def encode_204(reply: Any, request_id: str) -> WireReply:
        answer = encode(reply, request_id)
        answer.status = 204
        return answer

    return encode_204
