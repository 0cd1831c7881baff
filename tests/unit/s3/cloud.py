"""S3 on a memory store, called without waiting: `s3("PutObject", Key="k", Body=b"")`. Bucket is "bucket" unless said."""

import asyncio
import json
import os

import pytest
from tests.support import TestCloud, bytes_of

from atoll.aws.errors import AwsError
from atoll.operation import Identity
from atoll.services.s3 import (  # noqa: F401
    acl,
    buckets,
    completion,
    copies,
    deletes,
    listing,
    multipart,
    objects,
    ownership,
    policies,
    public_access,
    tagging,
)
from atoll.services.s3.records import BUCKETS, decode_bucket
from atoll.services.s3.service import s3
from atoll.store import keys

OTHER = Identity("000000000002", "arn:aws:iam::000000000002:root", "000000000002", "AKIAOTHER", "root")
ANONYMOUS = Identity("000000000001", "", "", "", "anonymous")
BIG = os.urandom(100_000)


class S3:
    def __init__(self, versioning=""):
        self.cloud = TestCloud(s3)
        self.asked = []
        self.denied = set()  # (action, resource)
        self.cloud.cloud.authorise = self._authorise
        self("CreateBucket")
        if versioning:
            self.set_versioning(versioning)

    def __call__(self, operation, headers=None, identity=None, **request):
        request.setdefault("Bucket", "bucket")
        if operation == "ListBuckets":
            del request["Bucket"]
        return asyncio.run(self.cloud(operation, headers, identity, **request))

    def refused(self, operation, **request):
        with pytest.raises(AwsError) as caught:
            self(operation, **request)
        return caught.value

    def code(self, operation, **request):
        return self.refused(operation, **request).code

    def set_versioning(self, status):
        self("PutBucketVersioning", VersioningConfiguration={"Status": status})

    def publish(self, *actions):
        """Lets anyone do these to the bucket and its objects (s3:GetObject unless said)."""
        self("DeletePublicAccessBlock")
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": list(actions) or "s3:GetObject",
            "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"],
        }
        self("PutBucketPolicy", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    def put(self, key, body=b"", **request):
        return self("PutObject", Key=key, Body=body, **request)

    def read(self, key, **request):
        return bytes_of(self("GetObject", Key=key, **request)["Body"])

    def keys(self, **request):
        return [entry["Key"] for entry in self("ListObjectsV2", **request)["Contents"]]

    def rows(self, kind):
        """Keys and values of one of the bucket's shelves."""
        bucket = decode_bucket(self.cloud.store.rows[BUCKETS, keys.pack("bucket")])
        return {k: v for (p, k), v in self.cloud.store.rows.items() if p == bucket.shelf(kind)}

    async def _authorise(self, call, permissions):
        self.asked += permissions
        if any((permission.action, permission.resource) in self.denied for permission in permissions):
            raise AwsError("AccessDenied", "Access Denied", 403)
