"""What an upload says about its own bytes, and whether they keep it: Content-MD5, x-amz-checksum-*, trailers. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atoll.aws import checksums
from atoll.aws.errors import AwsError

DEFAULT = "CRC64NVME"
FULL_OBJECT = "FULL_OBJECT"
COMPOSITE = "COMPOSITE"


@dataclass(frozen=True, slots=True)
class Algorithm:
    name: str
    types: tuple[str, ...]
    """How a multipart object may be summed up; the first is what it is when nobody says."""

    @property
    def member(self) -> str:
        return f"Checksum{self.name}"

    @property
    def header(self) -> str:
        return f"x-amz-checksum-{self.name.lower()}"


ALGORITHMS = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("CRC32", (COMPOSITE, FULL_OBJECT)),
        Algorithm("CRC32C", (COMPOSITE, FULL_OBJECT)),
        Algorithm("CRC64NVME", (FULL_OBJECT,)),
        Algorithm("SHA1", (COMPOSITE,)),
        Algorithm("SHA256", (COMPOSITE,)),
    )
}
_BY_MEMBER = {algorithm.member: algorithm for algorithm in ALGORITHMS.values()}
_BY_HEADER = {algorithm.header: algorithm for algorithm in ALGORITHMS.values()}
MEMBERS = frozenset(_BY_MEMBER)


@dataclass(frozen=True, slots=True)
class Declared:
    algorithm: str = ""
    value: str = ""  # base64; empty while it is still to come in a trailer
    md5: bytes | None = None


_NOTHING = Declared()


def declared(request: Mapping[str, Any], headers: Mapping[str, str]) -> Declared:
    """What the request says before its body is read. Raises AwsError InvalidRequest, InvalidDigest."""
    named = request.get("ChecksumAlgorithm")
    trailer = headers.get("x-amz-trailer")
    md5 = request.get("ContentMD5")
    given = MEMBERS.intersection(request)
    if not given and named is None and trailer is None and md5 is None:
        return _NOTHING
    algorithm = _declared_algorithm(given, trailer)
    _check_named(named, algorithm)
    value = ""
    if given and algorithm is not None:
        value = checked_value(algorithm, request[algorithm.member])
    return Declared(algorithm.name if algorithm else "", value, None if md5 is None else _md5_digest(md5))


def _declared_algorithm(given: frozenset[str], trailer: str | None) -> Algorithm | None:
    announced = None
    if trailer is not None and trailer.strip().lower().startswith("x-amz-checksum-"):
        announced = _BY_HEADER.get(trailer.strip().lower())
        if announced is None:
            raise AwsError("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
    if len(given) + (announced is not None) > 1:
        raise AwsError(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    for member in given:
        return _BY_MEMBER[member]
    return announced


def _check_named(named: str | None, algorithm: Algorithm | None) -> None:
    """x-amz-sdk-checksum-algorithm only repeats what another header says."""
    if named is None:
        return
    find_algorithm(named)
    if algorithm is None:
        raise AwsError(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
            "x-amz-trailer headers were found.",
        )
    if algorithm.name != named.upper():
        raise AwsError("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")


def find_algorithm(name: str) -> Algorithm:
    algorithm = ALGORITHMS.get(name.upper())
    if algorithm is None:
        raise AwsError(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(ALGORITHMS)}]",
        )
    return algorithm


def multipart_kind(algorithm_name: str | None, type_name: str | None) -> tuple[str, str]:
    """Algorithm and type of an upload as CreateMultipartUpload names them; both empty when it names none."""
    if algorithm_name is None:
        if type_name is not None:
            raise AwsError(
                "InvalidRequest",
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )
        return "", ""
    algorithm = find_algorithm(algorithm_name)
    if type_name is None:
        return algorithm.name, algorithm.types[0]
    if type_name not in {FULL_OBJECT, COMPOSITE}:
        raise AwsError("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    if type_name not in algorithm.types:
        raise AwsError(
            "InvalidRequest",
            f"The {type_name} checksum type cannot be used with the {algorithm.name.lower()} checksum algorithm.",
        )
    return algorithm.name, type_name


def whole_checksum(algorithm: str, kind: str, parts: Sequence[tuple[bytes, int]]) -> str:
    """Of a multipart object, from each part's digest and length."""
    if kind == FULL_OBJECT:
        return checksums.encode(checksums.combine_all(algorithm, parts))
    digest = checksums.composite(algorithm, (digest for digest, _ in parts))
    return f"{checksums.encode(digest)}-{len(parts)}"


def checked_value(algorithm: Algorithm, value: str, place: str = "header") -> str:
    """The value if it is base64 of the right length."""
    if checksums.decode(algorithm.name, value) is None:
        raise AwsError("InvalidRequest", f"Value for {algorithm.header} {place} is invalid.")
    return value


def _md5_digest(value: str) -> bytes:
    digest = checksums.decode(checksums.MD5, value)
    if digest is None:
        raise AwsError("InvalidDigest", "The Content-MD5 you specified was invalid.")
    return digest


def verify(said: Declared, trailers: Mapping[str, str], md5: bytes, sums: Mapping[str, bytes]) -> None:
    """Raises AwsError when the bytes that came are not those the caller declared. `sums` by algorithm, as digests."""
    if said.md5 is not None and said.md5 != md5:
        raise AwsError(
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
            ExpectedDigest=said.md5.hex(),
            CalculatedDigest=checksums.encode(md5),
        )
    if not said.algorithm:
        return
    value = said.value or _from_trailer(ALGORITHMS[said.algorithm], trailers)
    if value != checksums.encode(sums[said.algorithm]):
        raise mismatch(said.algorithm)


def _from_trailer(algorithm: Algorithm, trailers: Mapping[str, str]) -> str:
    value = trailers.get(algorithm.header)
    if value is None:
        raise AwsError(
            "MalformedTrailerError",
            "The request contained trailing data that was not well-formed or did not conform to our published schema.",
        )
    return checked_value(algorithm, value.strip(), "trailing header")


def mismatch(algorithm: str) -> AwsError:
    return AwsError("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
