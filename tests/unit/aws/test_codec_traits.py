"""Traits that none of the services we run uses yet, on a service made up for the purpose."""

from datetime import UTC, datetime
from typing import Any

import pytest

from atoll.aws.codec import Codec
from atoll.aws.errors import AwsError
from atoll.aws.model import Model
from atoll.aws.wire import Headers, WireReply, WireRequest

STRING = {"shape": "String"}
SHAPES: dict[str, Any] = {
    "String": {"type": "string"},
    "Time": {"type": "timestamp"},
    "Names": {"type": "list", "member": STRING},
    "Tagged": {"type": "list", "flattened": True, "member": {"shape": "String", "locationName": "tag"}},
    "Labels": {"type": "map", "flattened": True, "key": {"shape": "String", "locationName": "k"}, "value": STRING},
    "Pairs": {"type": "map", "key": STRING, "value": {"shape": "String", "locationName": "v"}},
    "Times": {"type": "list", "member": {"shape": "Time"}},
    "Node": {"type": "structure", "members": {"Name": STRING, "Inner": {"shape": "Node"}, "All": {"shape": "Nodes"}}},
    "Nodes": {"type": "list", "member": {"shape": "Node"}},
    "All": {
        "type": "structure",
        "members": {
            "Names": {"shape": "Names"},
            "Tagged": {"shape": "Tagged"},
            "Labels": {"shape": "Labels"},
            "Pairs": {"shape": "Pairs"},
            "Node": {"shape": "Node"},
        },
    },
    "Bound": {
        "type": "structure",
        "members": {
            "Path": {"shape": "String", "location": "uri", "locationName": "Path"},
            "Times": {"shape": "Times", "location": "header", "locationName": "x-times"},
            "Many": {"shape": "Names", "location": "querystring", "locationName": "many"},
            "Rest": {"shape": "Pairs", "location": "querystring"},
        },
    },
}
MOMENT = datetime(2026, 11, 22, 14, 35, 36, tzinfo=UTC)


def operation(name: str, method: str, uri: str, shape: str) -> dict[str, Any]:
    reference = {"shape": shape, "locationName": "Document"}
    return {"name": name, "http": {"method": method, "requestUri": uri}, "input": reference, "output": reference}


OPERATIONS = (
    operation("PutAll", "POST", "/all", "All"),
    operation("GetAny", "GET", "/things/{Path+}", "Bound"),
    operation("GetOne", "GET", "/things/{Path}", "Bound"),
    operation("GetSpecial", "GET", "/things/special", "Bound"),
    operation("GetPart", "GET", "/things/{Path}?part", "Bound"),
    operation("GetEnd", "GET", "/things/{Path+}/end", "Bound"),
)


def codec(protocol: str) -> Codec:
    metadata = {"apiVersion": "1", "protocol": protocol, "xmlNamespace": "urn:x", "serviceFullName": "X"}
    return Codec(
        Model("x", {"metadata": metadata, "shapes": SHAPES, "operations": {o["name"]: o for o in OPERATIONS}}), protocol
    )


VALUE = {
    "Names": ["a", "b"],
    "Tagged": ["c", "d"],
    "Labels": {"e": "f", "g": "h"},
    "Pairs": {"i": "j"},
    "Node": {"Name": "1", "Inner": {"Name": "2"}, "All": [{"Name": "3", "Inner": {"Name": "4"}}]},
}
DOCUMENT = (
    "<Names><member>a</member><member>b</member></Names><tag>c</tag><tag>d</tag>"
    "<Labels><k>e</k><value>f</value></Labels><Labels><k>g</k><value>h</value></Labels>"
    "<Pairs><entry><key>i</key><v>j</v></entry></Pairs>"
    "<Node><Name>1</Name><Inner><Name>2</Name></Inner>"
    "<All><member><Name>3</Name><Inner><Name>4</Name></Inner></member></All></Node>"
)


def test_xml_lists_and_maps_have_the_tags_of_their_traits_in_both_directions() -> None:
    xml = codec("rest-xml")
    wire = WireRequest("POST", "/all", "", Headers(), f"<Document>{DOCUMENT}</Document>".encode())
    assert (xml.route(wire), xml.decode("PutAll", wire)) == ("PutAll", VALUE)
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:x">{DOCUMENT}</Document>'
    headers = [("x-amzn-RequestId", "R"), ("Content-Type", "application/xml")]
    for _ in range(2):  # The second time by what the first has compiled.
        assert xml.encode("PutAll", VALUE, "R") == WireReply(200, headers, text.encode())


def test_form_lists_and_maps_have_the_names_of_their_traits() -> None:
    form = (
        "Action=PutAll&Version=1&Names.member.1=a&Names.member.2=b&tag.1=c&tag.2=d&Labels.1.k=e&Labels.1.value=f"
        "&Labels.2.k=g&Labels.2.value=h&Pairs.entry.1.key=i&Pairs.entry.1.v=j&Node.Name=1&Node.Inner.Name=2"
        "&Node.All.member.1.Name=3&Node.All.member.1.Inner.Name=4"
    )
    assert codec("query").decode("PutAll", WireRequest("POST", "/", "", Headers(), form.encode())) == VALUE


def test_a_member_that_is_none_is_left_out_however_often_it_is_written() -> None:
    xml = codec("rest-xml")
    for inner, text in (("a", b"<Name>a</Name>"), (None, b""), ("b", b"<Name>b</Name>")):
        value = {"Node": {"Name": inner, "All": [{"Name": inner}, {"Name": "c"}]}}
        body = xml.encode("PutAll", value, "R").body
        assert (
            b"<Node>" + text + b"<All><member>" + text + b"</member><member><Name>c</Name></member></All></Node>"
            in body
        )


PATHS = (
    ("/things/special", "", "GetSpecial", {}),
    ("/things/special/", "", "GetSpecial", {}),
    ("/things/other", "", "GetOne", {"Path": "other"}),
    ("/things/a%2Fb", "", "GetOne", {"Path": "a/b"}),
    ("/things/other", "part&x=1", "GetPart", {"Path": "other", "Rest": {"x": "1"}}),
    ("/things/a/b%20c", "", "GetAny", {"Path": "a/b c"}),
    ("/things/a/b/", "", "GetAny", {"Path": "a/b/"}),
    ("/things/a/b/end", "", "GetEnd", {"Path": "a/b"}),
    ("/things/x", "many=1&a+b=2&many=3&a+b=4", "GetOne", {"Path": "x", "Many": ["1", "3"], "Rest": {"a b": "2"}}),
)


@pytest.mark.parametrize(("path", "query", "name", "values"), PATHS)
def test_the_most_literal_path_wins(path: str, query: str, name: str, values: dict[str, Any]) -> None:
    rest = codec("rest-json")
    wire = WireRequest("GET", path, query, Headers())
    assert (rest.route(wire), rest.decode(name, wire)) == (name, values)


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/things"), ("PUT", "/all"), ("GET", "")])
def test_a_path_that_is_none_is_refused(method: str, path: str) -> None:
    with pytest.raises(AwsError) as caught:
        codec("rest-json").route(WireRequest(method, path, "", Headers()))
    assert (caught.value.code, caught.value.status) == ("UnknownOperationException", 404)


def test_a_header_may_list_dates_though_they_hold_commas() -> None:
    rest = codec("rest-json")
    text = "Sun, 22 Nov 2026 14:35:36 GMT,Sun, 22 Nov 2026 14:35:36 GMT"
    wire = WireRequest("GET", "/things/x", "", Headers([("X-Times", text)]))
    assert rest.decode("GetOne", wire) == {"Path": "x", "Times": [MOMENT, MOMENT]}
    assert ("x-times", text) in rest.encode("GetOne", {"Times": [MOMENT, MOMENT]}, "R").headers
