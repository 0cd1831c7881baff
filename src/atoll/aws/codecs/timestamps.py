"""Points in time: ISO 8601, HTTP dates and Unix seconds. Inside, always datetimes in UTC.

A reply may give a timestamp as ISO 8601 text instead: a listing then need not make a thousand of them.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:([Zz])|([+-])(\d\d):?(\d\d))?)?",
    re.ASCII,
)
_UNIX = re.compile(r"-?\d{1,15}(\.\d{1,9})?(?:[eE][+]?\d{1,2})?", re.ASCII)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_iso(text: str) -> datetime:
    """Raises ValueError. Text without an offset is UTC."""
    found = _ISO.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, _, sign, off_hour, off_minute = found.groups()
    microsecond = int(f"{fraction or 0:0<6}"[:6])
    zone: timezone = UTC
    if sign:
        offset = timedelta(hours=int(off_hour), minutes=int(off_minute))
        zone = timezone(-offset if sign == "-" else offset)
    value = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), microsecond, zone
    )
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def parse_http(text: str) -> datetime:
    """Raises ValueError. RFC 9110, 5.6.7: the two obsolete forms are read too."""
    if len(text) > 64:
        raise ValueError(text)
    try:
        value = parsedate_to_datetime(text)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (TypeError, IndexError, OverflowError, AttributeError) as error:
        raise ValueError(text) from error


def from_unix(seconds: float) -> datetime:
    """Raises ValueError."""
    try:
        # Rounded once: fromtimestamp would round 1.003691 down a microsecond, and stops short of the years datetime has.
        return _EPOCH + timedelta(microseconds=round(seconds * 1_000_000))
    except (OverflowError, ValueError) as error:
        raise ValueError(str(seconds)) from error


def parse_unix(text: str) -> datetime:
    """Raises ValueError."""
    if not _UNIX.fullmatch(text.strip()):
        raise ValueError(text)
    return from_unix(float(text))


def _utc(value: Any) -> datetime:
    assert isinstance(value, datetime), f"{value!r} is not a timestamp"
    assert value.tzinfo is not None, "a timestamp without a time zone"
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def format_iso(value: datetime | str) -> str:
    """With milliseconds, always: as S3 and EC2 write them."""
    if isinstance(value, str):
        return value
    return _utc(value).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def format_iso_short(value: datetime | str) -> str:
    """With milliseconds only where there are any: as IAM and STS write them."""
    if isinstance(value, str):
        return value
    moment = _utc(value)
    timespec = "milliseconds" if moment.microsecond >= 1000 else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


@lru_cache(maxsize=4096)
def _iso_to_http(text: str) -> str:
    try:
        return format_http(parse_iso(text))
    except ValueError:
        return text  # Already an HTTP date.


def format_http(value: datetime | str) -> str:
    if isinstance(value, str):
        return _iso_to_http(value)
    moment = _utc(value)
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02} {month} {moment.year:04} {moment.hour:02}:{moment.minute:02}:{moment.second:02} GMT"


def to_unix(value: datetime | str) -> int | float:
    """Whole seconds as an integer, else to the millisecond."""
    moment = parse_iso(value) if isinstance(value, str) else _utc(value)
    since = moment - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    milliseconds = since.microseconds // 1000
    return (seconds * 1000 + milliseconds) / 1000 if milliseconds else seconds


def format_unix(value: datetime | str) -> str:
    return str(to_unix(value))


PARSERS: dict[str, Callable[[str], datetime]] = {
    "iso8601": parse_iso,
    "rfc822": parse_http,
    "unixtimestamp": parse_unix,
}
FORMATS: dict[str, Callable[[datetime | str], str]] = {
    "iso8601": format_iso,
    "iso8601-short": format_iso_short,
    "rfc822": format_http,
    "unixtimestamp": format_unix,
}
