"""A cloud of IAM and STS, on the memory store: what these tests call."""

import asyncio
import json
from typing import Any

from atoll.aws.errors import AwsError
from atoll.operation import Call, Cloud, HttpFacts, Identity, Permission, Service, perform
from atoll.services.iam import access_keys, accounts, attachments, instance_profiles, overview, policies, simulate
from atoll.services.iam.authorise import Authoriser
from atoll.services.iam.service import iam
from atoll.services.sts import roles, sessions, tokens
from atoll.services.sts.service import sts
from atoll.store.memory import MemoryStore

# Importing them has put their operations in the services' tables.
assert all((attachments, instance_profiles, overview, policies, simulate, roles, tokens))

ACCOUNT = "111122223333"
NOW = 1_790_000_000.0


class IamCloud:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.now = NOW
        self.cloud = Cloud(
            self.store,
            None,  # type: ignore[arg-type]  # IAM keeps no blobs.
            {"iam": iam, "sts": sts, "s3": Service("s3")},
            Authoriser(self.store),
            lambda: self.now,
        )
        self.root = self.account(ACCOUNT)

    def account(self, account_id: str) -> Identity:
        made = asyncio.run(accounts.create_account(self.store, f"account {account_id}", account_id=account_id))
        return self.identity(made.access_key_id)

    def identity(self, access_key_id: str) -> Identity:
        credential = asyncio.run(access_keys.find_credential(self.store, access_key_id))
        assert credential is not None
        return credential.identity

    def call(self, caller: Identity | None = None, service: str = "iam", http: HttpFacts | None = None) -> Call:
        return Call(self.cloud, self.cloud.services[service], caller or self.root, http=http)

    def __call__(self, operation: str, caller: Identity | None = None, service: str = "iam", **request: Any) -> Any:
        return asyncio.run(perform(self.call(caller, service), operation, request))

    def sts(self, operation: str, caller: Identity | None = None, **request: Any) -> Any:
        return self(operation, caller, "sts", **request)

    def session(self, operation: str, caller: Identity | None = None, **request: Any) -> Identity:
        """Who the keys that `operation` hands out speak for."""
        access_key_id = self.sts(operation, caller, **request)["Credentials"]["AccessKeyId"]
        credential = asyncio.run(sessions.find_credential(self.store, access_key_id))
        assert credential is not None
        return credential.identity

    def refused(self, operation: str, caller: Identity | None = None, service: str = "iam", **request: Any) -> AwsError:
        try:
            self(operation, caller, service, **request)
        except AwsError as error:
            return error
        raise AssertionError(f"{operation} was not refused")

    def user(self, name: str, **request: Any) -> Identity:
        """A new user, as who it is when it calls."""
        self("CreateUser", UserName=name, **request)
        key = self("CreateAccessKey", UserName=name)["AccessKey"]
        return self.identity(key["AccessKeyId"])

    def let(self, user: str, *statements: dict[str, Any], name: str = "own") -> None:
        """Gives a user an inline policy."""
        self("PutUserPolicy", UserName=user, PolicyName=name, PolicyDocument=document(*statements))

    def refusal(
        self, caller: Identity, action: str, resource: str = "*", *, http: HttpFacts | None = None, **more: Any
    ) -> str | None:
        """Why not; None when the caller may."""
        call = self.call(caller, action.partition(":")[0], http)
        try:
            asyncio.run(self.cloud.authorise(call, [Permission(action, resource, **more)]))
        except AwsError as error:
            return error.message
        return None

    def may(self, caller: Identity, action: str, resource: str = "*", **more: Any) -> bool:
        return self.refusal(caller, action, resource, **more) is None


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def trust(principal: Any, action: Any = "sts:AssumeRole", **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": action, **more})
