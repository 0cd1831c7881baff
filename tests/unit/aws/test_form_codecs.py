"""The wire of query and ec2, byte for byte: names of lists, wrappers, errors, dates."""

from datetime import UTC, datetime
from typing import Any

import pytest

from atoll.aws.codec import Codec, codec_for
from atoll.aws.errors import AwsError
from atoll.aws.wire import Headers, WireReply, WireRequest

TEXT_XML = [("x-amzn-RequestId", "R"), ("Content-Type", "text/xml")]
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
iam, sts, ec2 = codec_for("iam"), codec_for("sts"), codec_for("ec2")
autoscaling, cloudwatch = codec_for("autoscaling"), codec_for("cloudwatch", "query")


def read(codec: Codec, body: str, query: str = "") -> tuple[str, dict[str, Any]]:
    wire = WireRequest("POST", "/", query, Headers(), body.encode())
    operation = codec.route(wire)
    return operation, codec.decode(operation, wire)


def refusal(codec: Codec, body: str) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        read(codec, body)
    assert caught.value.status is None
    return caught.value.code, caught.value.message


def test_a_form_is_read_by_its_dotted_names() -> None:
    form = (
        "Action=CreateUser&Version=2010-05-08&UserName=J%C3%BCrgen+B"
        "&Tags.member.10.Key=z&Tags.member.10.Value=&Tags.member.2.Key=a&Tags.member.2.Value=b%3D"
    )
    assert read(iam, form) == (
        "CreateUser",
        {"UserName": "Jürgen B", "Tags": [{"Key": "a", "Value": "b="}, {"Key": "z", "Value": ""}]},
    )


def test_the_query_string_may_carry_the_form_with_an_old_signature() -> None:
    query = "Action=GetSessionToken&DurationSeconds=900&AWSAccessKeyId=A&Signature=S&Timestamp=T&X-Amz-Date=D&%56ersion=2011-06-15"
    assert read(sts, "", query) == ("GetSessionToken", {"DurationSeconds": 900})


def test_an_empty_list_is_sent_as_its_name() -> None:
    assert read(cloudwatch, "Action=DeleteAlarms&AlarmNames=") == ("DeleteAlarms", {"AlarmNames": []})


def test_a_list_uses_the_tag_of_its_members() -> None:
    needs = "MixedInstancesPolicy.LaunchTemplate.Overrides.member.1.InstanceRequirements."
    form = (
        "Action=CreateAutoScalingGroup&AutoScalingGroupName=g&MinSize=0&MaxSize=1"
        f"&{needs}VCpuCount.Min=1&{needs}MemoryMiB.Min=1"
        f"&{needs}BaselinePerformanceFactors.Cpu.Reference.item.1.InstanceFamily=m7i"
    )
    _, values = read(autoscaling, form)
    assert values["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"][0]["InstanceRequirements"] == {
        "VCpuCount": {"Min": 1},
        "MemoryMiB": {"Min": 1},
        "BaselinePerformanceFactors": {"Cpu": {"References": [{"InstanceFamily": "m7i"}]}},
    }


def test_ec2_names_begin_with_a_capital_and_its_lists_are_flat() -> None:
    form = (
        "Action=RunInstances&MinCount=1&MaxCount=2&DryRun=false&Placement.AvailabilityZone=a&SecurityGroupId.1=sg-1"
        "&NetworkInterface.1.PrivateIpAddresses.1.PrivateIpAddress=10.0.0.1&NetworkInterface.1.DeviceIndex=0"
        "&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v"
    )
    assert read(ec2, form) == (
        "RunInstances",
        {
            "MinCount": 1,
            "MaxCount": 2,
            "DryRun": False,
            "Placement": {"AvailabilityZone": "a"},
            "SecurityGroupIds": ["sg-1"],
            "NetworkInterfaces": [{"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.1"}], "DeviceIndex": 0}],
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}],
        },
    )


NULL = "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null"
IAM_REFUSALS = (
    ("", "MissingAction", "The request is missing an action or a required parameter."),
    ("Action=Fly", "InvalidAction", "Could not find operation Fly for version 2010-05-08"),
    ("Action=ListUsers&Version=2001-01-01", "NoSuchVersion",
     "The requested version (2001-01-01) of service IAM does not exist"),
    ("Action=CreateUser", "ValidationError", NULL.format("userName")),
    ("Action=CreateUser&UserName=a&Tags.member.1.Key=k", "ValidationError", NULL.format("value")),
    ("Action=ListUsers&MaxItems=%D9%A1", "ValidationError", "'١' is not an integer"),
    ("Action=ListUsers&MaxItems=2147483648", "ValidationError", "2147483648 is out of range for type integer"),
    ("Action=ListUsers&Colour=red", "ValidationError", "Colour is not a parameter of this operation"),
    ("Action=CreateUser&UserName.a=b", "ValidationError", "a structure stands where a value is expected"),
    ("Action=CreateUser&UserName=a&Tags.member.x.Key=b", "ValidationError", "x is not a parameter of this operation"),
    ("Action=CreateUser&UserName=a&UserName=b", "MalformedQueryString",
     "The query string is malformed: UserName stands twice"),
    ("Action=CreateUser&UserName=%ff", "MalformedQueryString", "The query string is malformed: a parameter is not UTF-8"),
    ("Action=CreateUser&a..b=c", "MalformedQueryString", "The query string is malformed: 'a..b' is not a parameter's name"),
)  # fmt: skip


@pytest.mark.parametrize(("form", "code", "message"), IAM_REFUSALS)
def test_a_form_that_the_model_does_not_allow_is_refused(form: str, code: str, message: str) -> None:
    assert refusal(iam, form) == (code, message)


def test_ec2_refuses_with_codes_of_its_own() -> None:
    assert refusal(ec2, "Action=StopInstances") == (
        "MissingParameter",
        "The request must contain the parameter InstanceIds",
    )
    assert refusal(ec2, "Action=StopInstances&Colour=red&InstanceId.1=i") == (
        "UnknownParameter",
        "The parameter Colour is not recognized",
    )
    assert refusal(ec2, "Action=StopInstances&InstanceId.1=i&Force=maybe") == (
        "InvalidParameterValue",
        "'maybe' is neither true nor false",
    )


def test_a_query_reply_is_wrapped_in_its_operation() -> None:
    made = datetime(2026, 11, 22, 14, 35, 36, tzinfo=UTC)
    reply = {"Users": [{"UserName": "a<b", "CreateDate": made}], "IsTruncated": True, "Marker": None}
    assert iam.encode("ListUsers", reply, "R") == WireReply(
        200,
        TEXT_XML,
        b'<ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListUsersResult><Users><member>'
        b"<UserName>a&lt;b</UserName><CreateDate>2026-11-22T14:35:36Z</CreateDate></member></Users>"
        b"<IsTruncated>true</IsTruncated></ListUsersResult>"
        b"<ResponseMetadata><RequestId>R</RequestId></ResponseMetadata></ListUsersResponse>",
    )


def test_a_query_reply_without_output_has_no_result() -> None:
    assert iam.encode("DeleteUser", {}, "R").body == (
        b'<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        b"<ResponseMetadata><RequestId>R</RequestId></ResponseMetadata></DeleteUserResponse>"
    )


def test_maps_are_written_as_entries() -> None:
    reply = {"SummaryMap": {"Users": 3}}
    assert b"<SummaryMap><entry><key>Users</key><value>3</value></entry></SummaryMap>" in (
        iam.encode("GetAccountSummary", reply, "R").body
    )


def test_an_ec2_reply_names_its_request_first() -> None:
    made = datetime(2026, 11, 22, 14, 35, 36, tzinfo=UTC)
    instance = {"InstanceId": "i", "State": {"Code": 16, "Name": "running"}, "LaunchTime": made, "Tags": []}
    reply = {"Reservations": [{"Instances": [instance], "OwnerId": "o"}]}
    assert ec2.encode("DescribeInstances", reply, "R") == WireReply(
        200,
        TEXT_XML,
        DECLARATION
        + b'<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>R</requestId>'
        b"<reservationSet><item><instancesSet><item><instanceId>i</instanceId>"
        b"<instanceState><code>16</code><name>running</name></instanceState>"
        b"<launchTime>2026-11-22T14:35:36.000Z</launchTime><tagSet></tagSet></item></instancesSet>"
        b"<ownerId>o</ownerId></item></reservationSet></DescribeInstancesResponse>",
    )


def test_an_ec2_operation_without_output_says_that_it_is_done() -> None:
    assert ec2.encode("DeleteVpc", {}, "R").body == (
        DECLARATION + b'<DeleteVpcResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>R</requestId>'
        b"<return>true</return></DeleteVpcResponse>"
    )


def test_errors_are_framed_as_each_protocol_frames_them() -> None:
    error = AwsError("NoSuchEntity", "no <user>", headers={"Retry-After": "1"})
    assert iam.encode_error("GetUser", error, "R") == WireReply(
        404,
        [*TEXT_XML, ("Retry-After", "1")],
        b'<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
        b"<Code>NoSuchEntity</Code><Message>no &lt;user&gt;</Message></Error><RequestId>R</RequestId></ErrorResponse>",
    )
    assert ec2.encode_error(None, AwsError("InvalidVpcID.NotFound", "no"), "R") == WireReply(
        400,
        TEXT_XML,
        DECLARATION
        + b"<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>no</Message></Error></Errors>"
        b"<RequestID>R</RequestID></Response>",
    )


def test_an_error_may_be_raised_by_its_shape_and_is_told_by_its_code() -> None:
    by_shape = iam.encode_error(None, AwsError("NoSuchEntityException", "m"), "R")
    assert by_shape == iam.encode_error(None, AwsError("NoSuchEntity", "m"), "R")
    assert iam.encode_error(None, AwsError("InternalFailure", "m"), "R").status == 500
    assert b"<Type>Receiver</Type>" in iam.encode_error(None, AwsError("InternalFailure", "m"), "R").body
