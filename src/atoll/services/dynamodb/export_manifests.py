"""The manifests of an export: which files it is made of, and what it was."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import orjson

from atoll.services.dynamodb.exports import Export

_FULL_VERSION, _INCREMENTAL_VERSION = "2020-06-30", "2023-08-01"


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def file_line(items: int, data: bytes, etag: str, key: str) -> bytes:
    told = {"itemCount": items, "md5Checksum": md5(data), "etag": etag, "dataFileS3Key": key}
    return orjson.dumps(told) + b"\n"


def summary(export: Export, items: int, size_bytes: int, ended: float) -> bytes:
    asked = export.asked
    told: dict[str, Any] = {
        "version": _FULL_VERSION if export.is_full else _INCREMENTAL_VERSION,
        "exportArn": export.arn,
        "startTime": _shown(export.started),
        "endTime": _shown(ended),
        "tableArn": export.table_arn,
        "tableId": export.table_id,
    }
    if export.is_full:
        told["exportTime"] = _shown(export.moment)
    else:
        told |= {"exportFromTime": _shown(export.since), "exportToTime": _shown(export.until)}
    told |= {
        "s3Bucket": asked["S3Bucket"],
        "s3Prefix": asked.get("S3Prefix"),
        "s3SseAlgorithm": None,
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{export.folder}/{export.id}/manifest-files.json",
        "billedSizeBytes": size_bytes,
        "itemCount": items,
        "outputFormat": asked["ExportFormat"],
    }
    if not export.is_full:
        told["outputView"] = export.view
    told["exportType"] = asked["ExportType"]
    return orjson.dumps(told)


def _shown(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
