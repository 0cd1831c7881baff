"""What a browser is told about using a bucket from a page of another origin: before a request, and with its answer.

A preflight is never signed, and says nothing of the bucket but its rules.
"""

from dataclasses import dataclass

from atoll.aws import cors
from atoll.aws.codecs.s3 import split_path
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.errors import AwsError
from atoll.aws.wire import WireReply, WireRequest
from atoll.operation import Cloud


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    cloud: Cloud

    async def told(self, routed: WireRequest) -> cors.Fields:
        """Of the answer, whatever it is, to a request that names its origin."""
        try:
            bucket, _ = split_path(routed.path)
        except Malformed:
            return []  # The codec says what is wrong with it.
        rules = await self._rules(bucket)
        return cors.told(rules, cors.asked(routed.method, routed.headers.lower())) if rules else []

    async def preflight(self, routed: WireRequest, request_id: str) -> WireReply:
        """Raises AwsError."""
        try:
            bucket, key = split_path(routed.path)
        except Malformed:
            raise AwsError("InvalidURI", "Couldn't parse the specified URI.", 400) from None
        fields = cors.preflight(await self._rules(bucket), routed.headers.lower(), has_key=bool(key))
        return WireReply(200, [("x-amz-request-id", request_id), ("x-amz-id-2", request_id), *fields])

    async def _rules(self, bucket: str) -> list[cors.Rule] | None:
        find = self.cloud.services["s3"].cross_origin
        assert find is not None, "S3's operations have not been loaded"
        return await find(self.cloud.store, bucket) if bucket else None
