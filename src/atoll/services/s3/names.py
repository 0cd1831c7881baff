"""What may be called what: buckets, keys, owners, ARNs. Pure."""

import hashlib
import ipaddress
import re
from functools import lru_cache

from atoll.aws.errors import AwsError
from atoll.services.s3.records import KEY_BYTES_MAX

BUCKET_ARN_PREFIX = "arn:aws:s3:::"
ANONYMOUS_ID = "65a011a29cdf8ec533ec3d1ccaae921c"  # AWS's own, of who is nobody known

# Labels of lower-case letters, digits and hyphens, joined by single dots; each starts and ends with a letter or a digit.
_LABELS = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def is_bucket_name(name: str) -> bool:
    if not 3 <= len(name) <= 63 or _LABELS.fullmatch(name) is None:
        return False
    return not (name.startswith(_RESERVED_STARTS) or name.endswith(_RESERVED_ENDS) or _is_ip_address(name))


def check_new_bucket(name: str) -> None:
    if not is_bucket_name(name):
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.", 400, BucketName=name)


def check_key(key: str) -> None:
    """Any UTF-8 up to a length is a key: slashes, dots, control characters and NUL are only data."""
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError:
        raise AwsError("InvalidURI", "Couldn't parse the specified URI.", 400) from None
    if size_bytes > KEY_BYTES_MAX:
        raise AwsError("KeyTooLongError", "Your key is too long", 400, Size=size_bytes, MaxSizeAllowed=KEY_BYTES_MAX)


@lru_cache(maxsize=1024)
def canonical_id(account: str) -> str:
    """S3's own name for an account, as owners are listed and IAM's accounts know it: 64 hexadecimal digits."""
    return hashlib.sha256(account.encode()).hexdigest() if account else ANONYMOUS_ID


def owner(account: str) -> dict[str, str]:
    return {"ID": canonical_id(account), "DisplayName": account}


def bucket_arn(bucket: str) -> str:
    return BUCKET_ARN_PREFIX + bucket


def object_arn(bucket: str, key: str) -> str:
    return f"{BUCKET_ARN_PREFIX}{bucket}/{key}"


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True
