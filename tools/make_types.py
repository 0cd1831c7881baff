"""Writes src/atoll/aws/types/<service>.py: TypedDicts of requests and replies, from botocore's models.

    python tools/make_types.py [service ...]

They are for the type checker only, and not committed. Where a shape differs between a request and a reply (a reply's
timestamps may also be formatted text), the reply's has the suffix Reply.
"""

import keyword
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from atoll.aws import model as models  # noqa: E402
from atoll.aws.model import Model, Shape  # noqa: E402

SERVICES = ("s3", "iam", "sts", "dynamodb", "dynamodbstreams")
TARGET = ROOT / "src" / "atoll" / "aws" / "types"
SCALARS = {
    "string": "str",
    "boolean": "bool",
    "integer": "int",
    "long": "int",
    "float": "float",
    "double": "float",
    "blob": "bytes",
}


class Side:
    """The structures that requests (or replies) reach, in the order they were met."""

    def __init__(self, model: Model, *, replies: bool) -> None:
        self.model = model
        self.replies = replies
        self.shapes: dict[str, Shape] = {}
        for name in model.operation_names:
            operation = model.operation(name)
            self._visit(operation.output if replies else operation.input)

    def _visit(self, shape: Shape | None) -> None:
        if shape is None or (shape.type == "structure" and shape.name in self.shapes):
            return
        if shape.type == "structure":
            self.shapes[shape.name] = shape
        for child in children(shape):
            self._visit(child)


def children(shape: Shape) -> Iterator[Shape]:
    if shape.type == "structure":
        yield from shape.members.values()
    elif shape.type == "list":
        yield shape.member
    elif shape.type == "map":
        yield shape.value


def holds_timestamp(shape: Shape, seen: set[str]) -> bool:
    if shape.type == "timestamp":
        return True
    if shape.name in seen:
        return False
    seen.add(shape.name)
    return any(holds_timestamp(child, seen) for child in children(shape))


class Writer:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.requests = Side(model, replies=False)
        self.answers = Side(model, replies=True)
        self.split = {
            name
            for name, shape in self.answers.shapes.items()
            if name in self.requests.shapes and holds_timestamp(shape, set())
        }

    def type_of(self, shape: Shape, *, reply: bool) -> str:
        if shape.type == "structure":
            if shape.traits.get("document") or shape.traits.get("eventstream"):
                return "Any"
            return f"{shape.name}Reply" if reply and shape.name in self.split else shape.name
        if shape.type == "list":
            return f"list[{self.type_of(shape.member, reply=reply)}]"
        if shape.type == "map":
            return f"dict[str, {self.type_of(shape.value, reply=reply)}]"
        if shape.traits.get("streaming"):
            return "Any"
        if shape.type == "timestamp":
            # S3 keeps a client's Expires as it came, whether or not it is a date.
            if self.model.service == "s3" and shape.wire_name == "Expires":
                return "str"
            return "datetime | str" if reply else "datetime"
        return SCALARS[shape.type]

    def definition(self, shape: Shape, *, reply: bool) -> Iterator[str]:
        name = self.type_of(shape, reply=reply)
        if name == "Any":
            return
        fields = {}
        for member, child in shape.members.items():
            kind = self.type_of(child, reply=reply)
            fields[member] = kind if member in shape.required else f"NotRequired[{kind}]"
        if all(member.isidentifier() and not keyword.iskeyword(member) for member in fields):
            yield f"class {name}(TypedDict):"
            yield from (f"    {member}: {kind}" for member, kind in fields.items())
            if not fields:
                yield "    pass"
        else:
            body = ", ".join(f'"{member}": "{kind}"' for member, kind in fields.items())
            yield f'{name} = TypedDict("{name}", {{{body}}})'
        yield ""
        yield ""

    def lines(self) -> Iterator[str]:
        yield f'"""Requests and replies of {self.model.service}: made by tools/make_types.py, not to be edited."""'
        yield ""
        yield "from __future__ import annotations"
        yield ""
        yield "from datetime import datetime"
        yield "from typing import Any, NotRequired, TypedDict"
        yield ""
        yield ""
        for shape in self.requests.shapes.values():
            yield from self.definition(shape, reply=False)
        for name, shape in self.answers.shapes.items():
            if name in self.split or name not in self.requests.shapes:
                yield from self.definition(shape, reply=True)


def main(services: list[str]) -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "__init__.py").write_text('"""Made by tools/make_types.py."""\n')
    for service in services:
        writer = Writer(models.load(service))
        path = TARGET / f"{service.replace('-', '_')}.py"
        path.write_text("\n".join(writer.lines()).rstrip() + "\n")
        print(f"{path.relative_to(ROOT)}: {len(writer.requests.shapes) + len(writer.answers.shapes)} structures")


if __name__ == "__main__":
    main(sys.argv[1:] or list(SERVICES))
