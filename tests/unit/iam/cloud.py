"""A cloud of IAM alone, on the memory store: what these tests call."""

import asyncio
from typing import Any

from atoll.operation import Call, Cloud, HttpFacts, Identity, perform
from atoll.services.iam import access_keys, accounts
from atoll.services.iam.authorise import Authoriser
from atoll.services.iam.service import iam
from atoll.store.memory import MemoryStore

ACCOUNT = "111122223333"
NOW = 1_790_000_000.0


class IamCloud:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.now = NOW
        self.cloud = Cloud(
            self.store,
            None,  # type: ignore[arg-type]  # IAM keeps no blobs.
            {"iam": iam},
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

    def __call__(self, operation: str, caller: Identity | None = None, http: HttpFacts | None = None, **request: Any):
        service = self.cloud.services["iam"]
        call = Call(self.cloud, service, caller or self.root, http=http)
        return asyncio.run(perform(call, operation, request))

    def user(self, name: str, **request: Any) -> Identity:
        """A new user, as who it is when it calls."""
        self("CreateUser", UserName=name, **request)
        key = self("CreateAccessKey", UserName=name)["AccessKey"]
        return self.identity(key["AccessKeyId"])

    def allowed(self, caller: Identity, *permissions: Any, http: HttpFacts | None = None, service: str = "iam") -> bool:
        return self.refusal(caller, *permissions, http=http, service=service) is None

    def refusal(self, caller: Identity, *permissions: Any, http: HttpFacts | None = None, service: str = "iam"):
        from atoll.aws.errors import AwsError

        call = Call(self.cloud, self.cloud.services[service], caller, http=http)
        try:
            asyncio.run(self.cloud.authorise(call, permissions))
        except AwsError as error:
            return error
        return None
