"""Aliases become names and placeholders get a type: what an expression means, once a request has said what its words stand for."""

from atoll.services.dynamodb.expressions.bindings import Pairs
from atoll.services.dynamodb.expressions.lexer import invalid_expression
from atoll.services.dynamodb.expressions.paths import Path
from atoll.services.dynamodb.expressions.syntax import Call, Operand, Placeholder, Reference

PATH_LEVELS_MAX = 32

"""What an operand is: a path (tuple), the name of a value (str), or a call."""


class Resolver:
    """Of one expression. It knows the values' types only, so that what it makes can be used again with others."""

    def __init__(self, what: str, names: Pairs, kinds: Pairs) -> None:
        self.what = what
        self._names = dict(names)
        self._kinds = dict(kinds)
        self.used: set[str] = set()
        self.attributes: set[str] = set()

    def path(self, reference: Reference) -> Path:
        path = tuple(self._part(part) for part in reference.parts)
        if len(path) > PATH_LEVELS_MAX:
            message = f"The document path has too many nesting levels; nesting levels: {len(path)}"
            raise invalid_expression(self.what, message)
        assert isinstance(path[0], str)
        self.attributes.add(path[0])
        return path

    def _part(self, part: str | int) -> str | int:
        if isinstance(part, int) or part[0] != "#":
            return part
        if part not in self._names:
            message = "An expression attribute name used in the document path is not defined; attribute name: "
            raise invalid_expression(self.what, message + part)
        self.used.add(part)
        return self._names[part]

    def value_kind(self, placeholder: Placeholder) -> str:
        name = placeholder.name
        if name not in self._kinds:
            message = "An expression attribute value used in expression is not defined; attribute value: "
            raise invalid_expression(self.what, message + name)
        self.used.add(name)
        return self._kinds[name]

    def kind_of(self, operand: Operand) -> str | None:
        """The type an operand is known to have, whatever the item is."""
        if isinstance(operand, Placeholder):
            return self.value_kind(operand)
        if isinstance(operand, Call) and operand.function == "size":
            return "N"
        return None

    def require_count(self, call: Call, count: int) -> None:
        given = len(call.arguments)
        if given != count:
            raise invalid_expression(
                self.what,
                "Incorrect number of operands for operator or function; "
                f"operator or function: {call.function}, number of operands: {given}",
            )

    def require_path(self, call: Call) -> None:
        if not isinstance(call.arguments[0], Reference):
            message = "Operator or function requires a document path; operator or function: "
            raise invalid_expression(self.what, message + call.function)

    def wrong_type(self, operator: str, kind: str) -> Exception:
        return invalid_expression(
            self.what,
            f"Incorrect operand type for operator or function; operator or function: {operator}, operand type: {kind}",
        )
