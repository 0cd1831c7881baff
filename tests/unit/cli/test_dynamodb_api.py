"""What the command line's client tries again, what it gives up, and in what order pages come."""

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError

import atoll.cli.dynamodb_api as dynamodb_api
from atoll.cli.dynamodb_api import ATTEMPTS_MAX, Api, Failed, pages, put_in_batches

THROTTLED = (400, {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slower"})
REFUSED = (400, {"__type": "com.amazon.coral.validate#ValidationException", "message": "no such thing"})
BROKEN = (500, {"message": "<html>"})


class Script(Api):
    """Answers what it is told to, one answer a request; the last one for ever."""

    def __init__(self, *answers):
        super().__init__("http://test/", "us-east-1", Credentials("key", "secret"), 1)
        self.answers = list(answers)
        self.asked = []

    def _send(self, operation, body):
        self.asked.append((operation, dynamodb_api.orjson.loads(body)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(self.asked[-1][1]) if callable(answer) else answer


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    made = []
    monkeypatch.setattr(dynamodb_api, "pause", made.append)
    return made


def item(p):
    return {"p": {"S": str(p)}}


@pytest.mark.parametrize("trouble", [THROTTLED, BROKEN, ConnectTimeoutError(endpoint_url="http://test/")])
def test_what_may_pass_is_tried_again(trouble, pauses):
    api = Script((200, {}), trouble, trouble, (200, {"Items": []}))
    api.call("DescribeTable")
    assert api.call("Scan", TableName="t") == {"Items": []}
    assert api.asked[1:] == [("Scan", {"TableName": "t"})] * 3
    assert pauses == [0, 1]


def test_a_refusal_is_told_at_once():
    api = Script(REFUSED)
    with pytest.raises(Failed, match=r"^Scan: ValidationException: no such thing$"):
        api.call("Scan")
    assert len(api.asked) == 1


@pytest.mark.parametrize("trouble", [THROTTLED, BROKEN, ConnectTimeoutError(endpoint_url="http://test/")])
def test_trouble_without_end_is_given_up(trouble):
    api = Script((200, {}), trouble)
    api.call("DescribeTable")
    with pytest.raises(Failed):
        api.call("Scan")
    assert len(api.asked) == 1 + ATTEMPTS_MAX


def test_where_nobody_answers_at_all_nobody_is_waited_for():
    api = Script(EndpointConnectionError(endpoint_url="http://test/"))
    with pytest.raises(Failed, match=r"^http://test/ does not answer: Could not connect"):
        api.call("Scan")
    assert len(api.asked) == 1


def test_what_was_not_processed_is_sent_again_until_all_is(pauses):
    def all_but_one(request):
        left = request["RequestItems"]["t"][1:]
        return 200, {"UnprocessedItems": {"t": left} if left else {}}

    api = Script(all_but_one)
    api.put_all("t", [item(p) for p in range(3)])
    assert [len(request["RequestItems"]["t"]) for _, request in api.asked] == [3, 2, 1]
    assert pauses == [0, 0]  # It gets on: no reason to wait longer each time.


def test_a_table_that_takes_nothing_is_given_up(pauses):
    api = Script(lambda request: (200, {"UnprocessedItems": request["RequestItems"]}))
    with pytest.raises(Failed, match="t takes no more items: 2 of a batch are left"):
        api.put_all("t", [item(1), item(2)])
    assert pauses == list(range(1, ATTEMPTS_MAX))


def test_batches_are_of_25_and_are_counted():
    api, told = Script((200, {})), []
    put_in_batches(api, "t", [item(p) for p in range(60)], 2, told.append)
    assert sorted(told) == [10, 25, 25]
    sent = [write["PutRequest"]["Item"] for _, request in api.asked for write in request["RequestItems"]["t"]]
    assert sorted(sent, key=str) == sorted((item(p) for p in range(60)), key=str)


def test_pages_are_followed_to_their_end():
    def page(request):
        start = int(request.get("ExclusiveStartKey", item(0))["p"]["S"])
        more = {"LastEvaluatedKey": item(start + 1)} if start < 3 else {}
        return 200, {"Items": [item(start)], **more}

    assert list(pages(Script(page), "Query", {"TableName": "t"})) == [[item(p)] for p in range(4)]


def test_every_segment_is_followed_to_its_end():
    def page(request):
        segment, start = request["Segment"], int(request.get("ExclusiveStartKey", item(0))["p"]["S"])
        assert request["TotalSegments"] == 3
        more = {"LastEvaluatedKey": item(start + 1)} if start < segment else {}
        return 200, {"Items": [item(f"{segment}/{start}")], **more}

    found = [one["p"]["S"] for page in pages(Script(page), "Scan", {"TableName": "t"}, 3) for one in page]
    assert sorted(found) == ["0/0", "1/0", "1/1", "2/0", "2/1", "2/2"]
