"""Accounts and their roots."""

import asyncio
import hashlib

import pytest
from tests.unit.iam.cloud import ACCOUNT, IamCloud

from atoll.aws.errors import AwsError
from atoll.services.iam import access_keys, accounts
from atoll.store.memory import MemoryStore


def test_a_new_account_has_a_root_key_that_may_do_everything():
    store = MemoryStore()
    made = asyncio.run(accounts.create_account(store, "acme", account_id=ACCOUNT))
    credential = asyncio.run(access_keys.find_credential(store, made.access_key_id))
    assert credential is not None
    assert credential.secret_key == made.secret_access_key
    assert credential.identity.arn == f"arn:aws:iam::{ACCOUNT}:root"
    assert credential.identity.is_root
    assert made.canonical_id == hashlib.sha256(ACCOUNT.encode()).hexdigest()
    assert IamCloud().may(credential.identity, "s3:PutObject", "arn:aws:s3:::b/k")


def test_account_ids_have_twelve_digits_and_keys_the_shape_of_aws():
    made = asyncio.run(accounts.create_account(MemoryStore(), "acme"))
    assert len(made.account_id) == 12
    assert made.account_id.isdecimal()
    assert made.access_key_id.startswith("AKIA")
    assert len(made.access_key_id) == 20
    assert len(made.secret_access_key) == 40


def test_an_account_is_made_once():
    store = MemoryStore()
    asyncio.run(accounts.create_account(store, "acme", account_id=ACCOUNT))
    with pytest.raises(AwsError) as caught:
        asyncio.run(accounts.create_account(store, "again", account_id=ACCOUNT))
    assert caught.value.code == "EntityAlreadyExists"
    assert [account.name for account in asyncio.run(accounts.list_accounts(store))] == ["acme"]


def test_a_key_nobody_made_has_no_credential():
    assert asyncio.run(access_keys.find_credential(MemoryStore(), "AKIAIOSFODNN7EXAMPLE")) is None


def test_an_account_has_at_most_one_alias():
    cloud = IamCloud()
    cloud("CreateAccountAlias", AccountAlias="first")
    cloud("CreateAccountAlias", AccountAlias="second")
    assert cloud("ListAccountAliases") == {"AccountAliases": ["second"], "IsTruncated": False}
    other = cloud.account("444455556666")
    with pytest.raises(AwsError, match="already exists"):
        cloud("CreateAccountAlias", caller=other, AccountAlias="second")
    cloud("CreateAccountAlias", caller=other, AccountAlias="first")
    cloud("DeleteAccountAlias", AccountAlias="second")
    assert cloud("ListAccountAliases")["AccountAliases"] == []
