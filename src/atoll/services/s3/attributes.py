"""GetObjectAttributes: the facts of an object that were asked for, its parts among them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply
from atoll.services.s3 import lookup, objects
from atoll.services.s3.multipart_listing import PARTS_PER_PAGE_MAX, checked_marker, checked_most
from atoll.services.s3.records import Version
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

_ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})


@s3.stream("GetObjectAttributes")
async def get_object_attributes(call: Call, request: "types.GetObjectAttributesRequest") -> Reply:
    refuse_unsupported("GetObjectAttributes", request)
    asked = _checked(request.get("ObjectAttributes"))
    meant = await lookup.veiled(call, request, call.read(lambda call: lookup.find(call, request)))
    version = meant.version
    reply: Reply = {"LastModified": version.modified, **meant.version_member()}
    if "ETag" in asked:
        reply["ETag"] = version.etag  # Of all replies, only this one has no quotes.
    if "Checksum" in asked and version.checksum_algorithm:
        reply["Checksum"] = objects.checksum_members(version)
    if "ObjectParts" in asked and version.parts:
        reply["ObjectParts"] = _parts(request, version)
    if "StorageClass" in asked:
        reply["StorageClass"] = version.storage_class or "STANDARD"
    if "ObjectSize" in asked:
        reply["ObjectSize"] = version.size
    return reply


def _checked(asked: list[str] | None) -> set[str]:
    if not asked:
        raise AwsError(
            "InvalidRequest",
            "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty",
        )
    for attribute in asked:
        if attribute not in _ATTRIBUTES:
            raise AwsError(
                "InvalidArgument",
                "Invalid attribute name specified.",
                400,
                ArgumentName="x-amz-object-attributes",
                ArgumentValue=attribute,
            )
    return set(asked)


def _parts(request: Mapping[str, Any], version: Version) -> dict[str, Any]:
    most = checked_most(request.get("MaxParts"), PARTS_PER_PAGE_MAX, "max-parts")
    marker = checked_marker(request.get("PartNumberMarker"))
    behind = [part for part in version.parts if part.number > marker]
    page = behind[:most]
    member = f"Checksum{version.checksum_algorithm}"
    return {
        "TotalPartsCount": len(version.parts),
        "PartNumberMarker": marker,
        "NextPartNumberMarker": page[-1].number if page else 0,
        "MaxParts": most,
        "IsTruncated": len(behind) > most,
        "Parts": [
            {"PartNumber": part.number, "Size": part.size, **({member: part.checksum} if part.checksum else {})}
            for part in page
        ],
    }
