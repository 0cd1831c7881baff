"""PynamoDB, an object mapper that makes its own requests: models, indexes, paging, conditions, transactions."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pynamodb.attributes import ListAttribute, NumberAttribute, TTLAttribute, UnicodeAttribute, VersionAttribute
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, PutError, TransactWriteError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite
from tests.conformance.conftest import CloudUnderTest


@pytest.fixture(scope="module")
def thread_model(cloud: CloudUnderTest) -> Iterator[Any]:
    place = {
        "region": cloud.region,
        "host": cloud.endpoint,
        "aws_access_key_id": cloud.access_key,
        "aws_secret_access_key": cloud.secret_key,
    }

    class ByViews(GlobalSecondaryIndex):
        class Meta:
            index_name = "by-views"
            projection = AllProjection()

        forum = UnicodeAttribute(hash_key=True)
        views = NumberAttribute(range_key=True)

    class Thread(Model):
        Meta = type(
            "Meta", (), {"table_name": f"threads-{uuid.uuid4().hex}", "billing_mode": "PAY_PER_REQUEST", **place}
        )

        forum = UnicodeAttribute(hash_key=True)
        subject = UnicodeAttribute(range_key=True)
        views = NumberAttribute(default=0)
        tags: Any = ListAttribute(default=list)
        version = VersionAttribute()
        expires = TTLAttribute(null=True)
        by_views = ByViews()

    Thread.create_table(wait=True)
    yield Thread
    Thread.delete_table()


def test_a_model_is_saved_found_and_deleted(thread_model: Any) -> None:
    thread = thread_model("saved", "first", views=3, tags=["a", 1, None])
    thread.save()
    found = thread_model.get("saved", "first", consistent_read=True)
    assert (found.views, found.tags, found.version) == (3, ["a", 1, None], 1)
    thread.delete()
    with pytest.raises(DoesNotExist):
        thread_model.get("saved", "first")


def test_versions_refuse_who_has_not_seen_the_newest(thread_model: Any) -> None:
    thread_model("versions", "one").save()
    mine, yours = (thread_model.get("versions", "one") for _ in range(2))
    mine.update(actions=[thread_model.views.add(5)])
    yours.views = 1
    with pytest.raises(PutError) as refused:
        yours.save()
    assert refused.value.cause_response_code == "ConditionalCheckFailedException"
    assert thread_model.get("versions", "one").views == 5


def test_a_batch_is_found_by_query_index_and_scan(thread_model: Any) -> None:
    with thread_model.batch_write() as batch:
        for n in range(60):
            batch.save(thread_model("batch", f"{n:03}", views=n % 7))
    subjects = [thread.subject for thread in thread_model.query("batch", thread_model.subject >= "050", page_size=3)]
    assert subjects == [f"{n:03}" for n in range(50, 60)]
    views = [
        thread.views
        for thread in thread_model.by_views.query("batch", thread_model.views > 4, scan_index_forward=False)
    ]
    assert views == [6] * 8 + [5] * 8
    assert thread_model.count("batch", filter_condition=thread_model.views == 0) == 9
    assert sum(1 for _ in thread_model.scan(thread_model.forum == "batch", page_size=11)) == 60
    keys = [("batch", f"{n:03}") for n in range(0, 60, 2)]
    assert sorted(thread.subject for thread in thread_model.batch_get(keys)) == [subject for _, subject in keys]


def test_a_transaction_is_all_or_nothing(cloud: CloudUnderTest, thread_model: Any) -> None:
    connection = Connection(region=cloud.region, host=cloud.endpoint)
    connection.session.set_credentials(cloud.access_key, cloud.secret_key)
    thread_model("transaction", "there").save()
    transaction = TransactWrite(connection=connection)
    for subject in ("new", "there"):
        transaction.save(thread_model("transaction", subject), condition=thread_model.forum.does_not_exist())
    with pytest.raises(TransactWriteError) as refused, transaction:
        pass  # It is sent when the block is left.
    codes = [reason and reason.code for reason in refused.value.cancellation_reasons]
    assert codes == [None, "ConditionalCheckFailed"]
    assert [thread.subject for thread in thread_model.query("transaction")] == ["there"]
