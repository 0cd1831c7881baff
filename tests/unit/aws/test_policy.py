"""Policy documents: what they say of an action on a resource."""

import json
from typing import Any

import pytest

from atoll.aws.errors import AwsError
from atoll.aws.policy import Use, Verdict, compile_policy
from atoll.aws.policy_principals import Caller

OBJECT = "arn:aws:s3:::photos/ann/cat.jpg"


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def allow(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def judge(text: str, action: str = "s3:getobject", resource: str = OBJECT, **facts: list[str]) -> Verdict:
    return compile_policy(text).judge(action, resource, {name.replace("__", ":"): v for name, v in facts.items()}.get)


def refusal(text: str, use: Use = Use.IDENTITY) -> str:
    with pytest.raises(AwsError) as caught:
        compile_policy(text, use)
    assert (caught.value.code, caught.value.status) == ("MalformedPolicyDocument", 400)
    return caught.value.message


def test_what_no_statement_speaks_of_is_neither_allowed_nor_denied():
    assert judge(document(allow("s3:PutObject"))) is Verdict.SILENT


def test_a_denial_wins_over_every_allowance():
    assert judge(document(allow("*"), deny("s3:Get*"), allow("s3:GetObject"))) is Verdict.DENIED


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", True),
        ("s3:*", True),
        ("S3:GETOBJECT", True),
        ("s3:Get*", True),
        ("s3:Get?bject", True),
        ("s3:*Object", True),
        ("s3:*etObj*", True),
        ("s3:Get", False),
        ("s3:GetObject?", False),
        ("s3:GetObjectAcl", False),
        ("dynamodb:*", False),
    ],
)
def test_actions_fit_by_wildcard_and_without_case(pattern: str, fits: bool):
    assert judge(document(allow(pattern))) is (Verdict.ALLOWED if fits else Verdict.SILENT)


def test_not_action_is_every_other_action():
    text = document({"Effect": "Allow", "NotAction": ["iam:*", "s3:Put*"], "Resource": "*"})
    assert judge(text, "s3:getobject") is Verdict.ALLOWED
    assert judge(text, "s3:putobject") is Verdict.SILENT
    assert judge(text, "iam:createuser") is Verdict.SILENT


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", True),
        (OBJECT, True),
        ("arn:aws:s3:::photos/*", True),
        ("arn:aws:s3:::photos/ann/???.jpg", True),
        ("arn:aws:s3:::*", True),
        ("arn:aws:s3:::*/cat.jpg", True),
        ("arn:*:s3:::photos/ann/cat.jpg", True),
        ("arn:aws:*:*:*:photos/*", True),
        ("arn:aws:s3:*", True),
        ("arn:aws:s3:::Photos/*", False),
        ("arn:aws:s3:::photos", False),
        ("arn:aws:s3:::photos/ann/????.jpg", False),
        ("arn:aws:s3::111122223333:photos/*", False),
        ("arn:aws:s*3:::photos/*", True),
        ("arn:aws:s3*:photos/*", False),
    ],
)
def test_resources_fit_part_by_part_and_with_case(pattern: str, fits: bool):
    assert judge(document(allow(resource=pattern))) is (Verdict.ALLOWED if fits else Verdict.SILENT)


def test_a_wildcard_in_an_arns_last_part_spans_colons_and_no_other_does():
    log = "arn:aws:logs:us-east-1:111122223333:log-group:mine:stream"
    assert judge(document(allow("*", "arn:aws:logs:*:*:*")), "logs:x", log) is Verdict.ALLOWED
    assert judge(document(allow("*", "arn:aws:logs:*:log-group:*:stream")), "logs:x", log) is Verdict.SILENT


def test_not_resource_is_every_other_resource():
    text = document({"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::photos/*"})
    assert judge(text) is Verdict.SILENT
    assert judge(text, resource="arn:aws:s3:::films/x") is Verdict.DENIED


def test_statement_may_stand_alone():
    text = json.dumps({"Version": "2012-10-17", "Statement": allow()})
    assert judge(text) is Verdict.ALLOWED


# ------------------------------------------------------------------------------------------------------ variables


def test_variables_stand_for_facts_of_the_call():
    text = document(allow(resource="arn:aws:s3:::photos/${aws:username}/*"))
    assert judge(text, aws__username=["ann"]) is Verdict.ALLOWED
    assert judge(text, aws__username=["bob"]) is Verdict.SILENT


def test_variable_names_have_no_case():
    assert judge(document(allow(resource="arn:aws:s3:::photos/${AWS:UserName}/*")), aws__username=["ann"])


def test_a_pattern_whose_variable_has_no_value_fits_nothing():
    assert judge(document(allow(resource="arn:aws:s3:::photos/${aws:username}*"))) is Verdict.SILENT


def test_a_variable_may_have_a_default():
    text = document(allow(resource="arn:aws:s3:::photos/${aws:PrincipalTag/team, 'ann'}/*"))
    assert judge(text) is Verdict.ALLOWED
    assert judge(text, **{"aws__principaltag/team": ["bob"]}) is Verdict.SILENT


def test_a_value_is_never_a_pattern():
    text = document(allow(resource="arn:aws:s3:::photos/${aws:username}/*"))
    assert judge(text, aws__username=["*"]) is Verdict.SILENT
    assert judge(text, resource="arn:aws:s3:::photos/*/x", aws__username=["*"]) is Verdict.ALLOWED


def test_wildcards_and_dollars_can_be_meant_literally():
    text = document(allow(resource="arn:aws:s3:::photos/${*}${?}${$}"))
    assert judge(text, resource="arn:aws:s3:::photos/*?$") is Verdict.ALLOWED
    assert judge(text, resource="arn:aws:s3:::photos/abc") is Verdict.SILENT


def test_the_old_version_has_no_variables():
    text = document(allow(resource="arn:aws:s3:::photos/${aws:username}/*"), version="2008-10-17")
    assert judge(text, aws__username=["ann"]) is Verdict.SILENT
    assert judge(text, resource="arn:aws:s3:::photos/${aws:username}/x", aws__username=["ann"]) is Verdict.ALLOWED


# ------------------------------------------------------------------------------------------------------ principals

ANN = Caller("111122223333", frozenset({"arn:aws:iam::111122223333:user/ann"}))


def trust(principal: Any, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole", **more}


def judge_for(text: str, caller: Caller = ANN) -> Verdict:
    return compile_policy(text, Use.TRUST).judge_for(caller, "sts:assumerole", "arn:aws:iam::1:role/r", {}.get)


@pytest.mark.parametrize(
    ("principal", "verdict"),
    [
        ("*", Verdict.ALLOWED),
        ({"AWS": "*"}, Verdict.ALLOWED),
        ({"AWS": "arn:aws:iam::111122223333:user/ann"}, Verdict.ALLOWED),
        ({"AWS": ["444455556666", "arn:aws:iam::111122223333:user/ann"]}, Verdict.ALLOWED),
        ({"AWS": "111122223333"}, Verdict.DELEGATED),
        ({"AWS": "arn:aws:iam::111122223333:root"}, Verdict.DELEGATED),
        ({"AWS": "444455556666"}, Verdict.SILENT),
        ({"AWS": "arn:aws:iam::111122223333:user/bob"}, Verdict.SILENT),
        ({"Service": "ec2.amazonaws.com"}, Verdict.SILENT),
    ],
)
def test_a_trust_policy_names_its_principals(principal: Any, verdict: Verdict):
    assert judge_for(document(trust(principal))) is verdict


def test_services_are_named_as_services():
    text = document(trust({"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}))
    service = Caller("", frozenset({"ec2.amazonaws.com"}), "Service")
    assert judge_for(text, service) is Verdict.ALLOWED
    assert judge_for(text, Caller("", frozenset({"ec2.amazonaws.com"}))) is Verdict.SILENT


def test_a_denied_principal_is_denied_whoever_else_is_allowed():
    text = document(trust("*"), trust({"AWS": "111122223333"}, "Deny"))
    assert judge_for(text) is Verdict.DENIED
    assert judge_for(text, Caller("444455556666", frozenset())) is Verdict.ALLOWED


def test_a_resources_policy_may_speak_of_everyone_but_some():
    text = document({"Effect": "Deny", "NotPrincipal": {"AWS": "111122223333"}, "Action": "s3:*", "Resource": "*"})
    policy = compile_policy(text, Use.RESOURCE)
    assert policy.judge_for(ANN, "s3:getobject", OBJECT, {}.get) is Verdict.SILENT
    assert policy.judge_for(Caller("444455556666", frozenset()), "s3:getobject", OBJECT, {}.get) is Verdict.DENIED


# ------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "This policy contains invalid Json"),
        ("{", "This policy contains invalid Json"),
        ("[" * 100_000, "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        ("{}", "Syntax errors in policy."),
        ('{"Statement": []}', "Syntax errors in policy."),
        ('{"Statement": ["Allow"]}', "Syntax errors in policy."),
        ('{"Statement": [{}], "Statement": [{}]}', "Syntax errors in policy."),
        (document(allow(), version="2020-01-01"), "Policy document must be version 2012-10-17 or greater."),
        (document(allow(Effect="allow")), "Syntax errors in policy."),
        (document(allow(Colour="red")), "Syntax errors in policy."),
        (document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (document(allow([])), "Policy statement must contain actions."),
        (document({"Effect": "Allow", "Action": "s3:*"}), "Policy statement must contain resources."),
        (document(allow(NotAction="s3:*")), "Syntax errors in policy."),
        (document(allow(7)), "Syntax errors in policy."),
        (
            document(allow("GetObject")),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (document(allow("s3:Get:Object")), "Actions/Condition can contain only one colon."),
        (document(allow("s 3:GetObject")), "Vendor s 3 is not valid"),
        (document(allow("s3:Get Object")), "The policy failed legacy parsing"),
        (document(allow(resource="photos")), 'Resource photos must be in ARN format or "*".'),
        (document(allow(resource="arn:aws:s3:::")), None),
        (document(allow(resource="arn:aws:s3")), "The policy failed legacy parsing"),
        (
            document(allow(resource="arn:ibm:s3:::b")),
            'Partition "ibm" is not valid for resource "arn:ibm:s3:::b".',
        ),
        (document(allow(Principal="*")), "Policy document should not specify a principal."),
        (document(allow(Sid="a"), allow(Sid="a")), "Statement IDs (SID) in a single policy must be unique."),
        (
            document(allow(Sid="not alphanumeric")),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
        ),
        (document(allow(Condition={"Like": {"aws:a": "b"}})), "Invalid Condition type : Like."),
        (document(allow(Condition=[])), "Syntax errors in policy."),
        (document(allow(Condition={"Bool": "true"})), "Syntax errors in policy."),
        (document(allow(Condition={"Bool": {"aws:a": {}}})), "Syntax errors in policy."),
        (
            document(allow(Condition={"Bool": {"secure": "true"}})),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (
            document(allow(Condition={"NumericLessThan": {"s3:max-keys": "ten"}})),
            "Invalid value in Condition: ten",
        ),
        (document(allow(Condition={"DateLessThan": {"aws:CurrentTime": "soon"}})), "Invalid value in Condition: soon"),
        (document(allow(Condition={"Null": {"aws:a": "maybe"}})), "Invalid value for Null condition."),
    ],
)
def test_malformed_documents_are_refused_in_the_words_of_aws(text: str, message: str | None):
    if message is None:
        compile_policy(text)  # An ARN of empty parts is still one.
    else:
        assert refusal(text) == message


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (trust("*", Resource="*"), "Has prohibited field Resource"),
        ({"Effect": "Allow", "Action": "sts:AssumeRole"}, "Missing required field Principal"),
        (trust({"AWS": "ann"}), 'Invalid principal in policy: "AWS":"ann"'),
        (trust({"AWS": "arn:aws:iam::111122223333:user/*"}), None),
        (trust({"Robot": "r2"}), "Invalid principal in policy."),
        (trust("ann"), "Invalid principal in policy."),
        (trust({"AWS": [7]}), 'Invalid principal in policy: "AWS":"[7]"'),
        (
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"},
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        ({"Effect": "Deny", "NotPrincipal": "*", "Action": "sts:*"}, "Has prohibited field NotPrincipal"),
    ],
)
def test_malformed_trust_is_refused(statement: dict[str, Any], message: str | None):
    expected = message or 'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/*"'
    assert refusal(document(statement), Use.TRUST) == expected


def test_a_bad_network_is_refused():
    text = document(allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/64"}}))
    assert refusal(text).startswith("Invalid IP range in policy: ")
