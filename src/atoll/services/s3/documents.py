"""The XML documents some requests carry: whether their bytes are those that Content-MD5 or x-amz-checksum-* name."""

import hashlib

from atoll.aws import checksums
from atoll.aws.errors import AwsError
from atoll.operation import Call
from atoll.services.s3 import integrity


def check(call: Call, *, required: bool = False) -> None:
    """To be called before anything is written. A call made in process carries no document."""
    headers, document = call.http.headers, call.http.body
    if not document:
        return
    given = {each.member: headers[each.header] for each in integrity.ALGORITHMS.values() if each.header in headers}
    if "content-md5" in headers:
        given["ContentMD5"] = headers["content-md5"]
    if required and not given:
        raise AwsError(
            "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*", 400
        )
    said = integrity.declared(given, {})
    sums = {said.algorithm: checksums.compute(said.algorithm, document)} if said.algorithm else {}
    integrity.verify(said, {}, hashlib.md5(document, usedforsecurity=False).digest(), sums)
