"""Policies that AWS manages and everybody may attach, by ARN: the ones people use with the services Atoll has."""

import json
from typing import Any

from atoll.services.iam.records import AWS_POLICY_PREFIX

VERSION_ID = "v1"
CREATED = 1_423_162_784.0  # When AWS published the first of them: 2015-02-06.


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=4)


def _allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


_S3_READ = ("s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*")

DOCUMENTS: dict[str, str] = {
    f"{AWS_POLICY_PREFIX}{name}": document
    for name, document in {
        "AdministratorAccess": _document(_allow("*")),
        "PowerUserAccess": _document(
            {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
            _allow(
                "account:GetAccountInformation",
                "account:GetPrimaryEmail",
                "account:ListRegions",
                "iam:CreateServiceLinkedRole",
                "iam:DeleteServiceLinkedRole",
                "iam:ListRoles",
                "organizations:DescribeEffectivePolicy",
                "organizations:DescribeOrganization",
            ),
        ),
        "IAMFullAccess": _document(
            _allow(
                "iam:*",
                "organizations:DescribeAccount",
                "organizations:DescribeOrganization",
                "organizations:DescribeOrganizationalUnit",
                "organizations:DescribePolicy",
                "organizations:ListChildren",
                "organizations:ListParents",
                "organizations:ListPoliciesForTarget",
                "organizations:ListRoots",
                "organizations:ListPolicies",
                "organizations:ListTargetsForPolicy",
            )
        ),
        "IAMReadOnlyAccess": _document(
            _allow(
                "iam:GenerateCredentialReport",
                "iam:GenerateServiceLastAccessedDetails",
                "iam:Get*",
                "iam:List*",
                "iam:SimulateCustomPolicy",
                "iam:SimulatePrincipalPolicy",
            )
        ),
        "AmazonS3FullAccess": _document(_allow("s3:*", "s3-object-lambda:*")),
        "AmazonS3ReadOnlyAccess": _document(_allow(*_S3_READ)),
        "AmazonEC2FullAccess": _document(
            _allow("ec2:*"),
            _allow("elasticloadbalancing:*"),
            _allow("cloudwatch:*"),
            _allow("autoscaling:*"),
            _allow(
                "iam:CreateServiceLinkedRole",
                Condition={
                    "StringEquals": {
                        "iam:AWSServiceName": [
                            "autoscaling.amazonaws.com",
                            "ec2scheduled.amazonaws.com",
                            "elasticloadbalancing.amazonaws.com",
                            "spot.amazonaws.com",
                            "spotfleet.amazonaws.com",
                            "transitgateway.amazonaws.com",
                        ]
                    }
                },
            ),
        ),
    }.items()
}

ADMINISTRATOR = DOCUMENTS[f"{AWS_POLICY_PREFIX}AdministratorAccess"]
