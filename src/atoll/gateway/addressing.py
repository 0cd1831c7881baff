"""Which bucket a host names. `photos.s3.localhost/cat.jpg` and `s3.localhost/photos/cat.jpg` are one object.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
"""

import ipaddress
from functools import lru_cache

DOMAINS: tuple[str, ...] = ("localhost",)
HOSTS_REMEMBERED_MAX = 1024


@lru_cache(maxsize=HOSTS_REMEMBERED_MAX)
def bucket_of(host: str | None, domains: tuple[str, ...] = DOMAINS) -> str | None:
    """The bucket that a Host header names, or None where the path names it."""
    if not host:
        return None
    name = host.lower()
    if name.startswith("["):
        return None  # An IPv6 address.
    name = name.rsplit(":", 1)[0].rstrip(".")
    if _is_address(name):
        return None
    for domain in domains:
        if name.endswith("." + domain):
            return _without_service(name[: -len(domain) - 1])
    return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _without_service(labels: str) -> str | None:
    """`photos.s3.us-east-1` -> photos; `s3.us-east-1` and `s3` -> None; `my.photos` -> my.photos."""
    parts = labels.split(".")
    for at in range(len(parts) - 1, max(-1, len(parts) - 4), -1):
        if parts[at] == "s3":
            return ".".join(parts[:at]) or None
    return labels


def path_style(path: str, bucket: str | None) -> str:
    """The raw path as it would be with the bucket in it."""
    return path if bucket is None else f"/{bucket}{path}"
