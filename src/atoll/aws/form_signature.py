"""The signature of a POST form: over its policy, in the base64 it came in. Version 4, and the older one that boto3 makes by default.

    version 4   x-amz-algorithm, x-amz-credential, x-amz-date, x-amz-signature = hex(HMAC-SHA256(signing key, policy))
    older       AWSAccessKeyId, signature = base64(HMAC-SHA1(secret, policy))

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from atoll.aws import sigv4
from atoll.aws.errors import AwsError
from atoll.aws.form import Field
from atoll.aws.signature_errors import CREDENTIAL_FORM, Claim

_V4_FIELDS = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature", "Policy")
_V2_FIELDS = ("AWSAccessKeyId", "Signature", "Policy")
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")


@dataclass(frozen=True, slots=True)
class FormSignature:
    access_key_id: str
    policy: str
    signature: str
    session_token: str
    scope: tuple[str, str, str] | None  # date, region and service; None in the older version

    @property
    def claim(self) -> Claim:
        return Claim(self.access_key_id, "", self.signature, presigned=False)

    def verify(self, secret_key: str) -> None:
        """Raises AwsError unless the owner of `secret_key` signed the policy."""
        policy = self.policy.encode()
        if self.scope is None:
            expected = b64encode(hmac.digest(secret_key.encode(), policy, "sha1"))
        else:
            expected = sigv4.signing_key(secret_key, *self.scope).sign(policy).encode()
        if not hmac.compare_digest(expected, self.signature.encode()):
            raise AwsError(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and "
                "signing method.",
                403,
                AWSAccessKeyId=self.access_key_id,
                StringToSign=self.policy,
                SignatureProvided=self.signature,
                StringToSignBytes=policy.hex(" "),
            )


def parse(fields: Mapping[str, Field], region: str) -> FormSignature | None:
    """None when the form is not signed at all. Raises AwsError when it is half signed, or signed for another place."""
    if any(name.lower() in fields for name in _V4_FIELDS[:-1]):
        return _version_4(_values(fields, _V4_FIELDS), _token(fields), region)
    if any(name.lower() in fields for name in _V2_FIELDS[:-1]):
        access_key_id, signature, policy = _values(fields, _V2_FIELDS)
        return FormSignature(access_key_id, policy, signature, _token(fields), None)
    return None


def missing(name: str) -> AwsError:
    text = (
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    )
    return _refused(text, name, "")


def _values(fields: Mapping[str, Field], names: Sequence[str]) -> list[str]:
    for name in names:
        if name.lower() not in fields:
            raise missing(name)
    return [fields[name.lower()].value for name in names]


def _token(fields: Mapping[str, Field]) -> str:
    field = fields.get("x-amz-security-token")
    return field.value if field else ""


def _version_4(values: Sequence[str], token: str, region: str) -> FormSignature:
    algorithm, credential, date, signature, policy = values
    if algorithm != sigv4.ALGORITHM:
        raise _refused(f'X-Amz-Algorithm only supports "{sigv4.ALGORITHM}"', "X-Amz-Algorithm", algorithm)
    if not _DATE.fullmatch(date):
        # So spelt by S3.
        raise _refused("X-Amz-Date must be formated via ISO8601 Long format", "X-Amz-Date", date)
    parts = credential.rsplit("/", 4)
    if len(parts) != 5:
        raise _credential(f'the Credential is mal-formed; expecting "{CREDENTIAL_FORM}".', credential)
    access_key_id, day, signed_region, service, terminal = parts
    if not access_key_id:
        raise _credential("a non-empty Access Key (AKID) must be provided in the credential.", credential)
    if not re.fullmatch(r"[0-9]{8}", day):
        text = f'incorrect date format "{day}". This date in the credential must be in the format "yyyyMMdd".'
        raise _credential(text, credential)
    if signed_region != region:
        error = _credential(f"the region '{signed_region}' is wrong; expecting '{region}'", credential)
        error.fields["Region"] = region
        raise error
    if service != "s3":
        raise _credential(f'incorrect service "{service}". This endpoint belongs to "s3".', credential)
    if terminal != sigv4.TERMINAL:
        raise _credential(f'incorrect terminal "{terminal}". This endpoint uses "aws4_request".', credential)
    return FormSignature(access_key_id, policy, signature, token, (day, region, service))


def _credential(text: str, credential: str) -> AwsError:
    return _refused(text, "X-Amz-Credential", credential)


def _refused(text: str, name: str, value: str) -> AwsError:
    return AwsError("InvalidArgument", text, 400, ArgumentName=name, ArgumentValue=value)
