"""Reads a PartiQL statement into its tree.

SELECT * | path, ...  FROM table[.index]  [WHERE condition]  [ORDER BY name [ASC | DESC], ...]
INSERT INTO table VALUE {...}
UPDATE table  SET path = value, ... | REMOVE path, ...  WHERE condition  [RETURNING ALL | MODIFIED  OLD | NEW *]
DELETE FROM table  WHERE condition  [RETURNING ALL OLD *]
EXISTS(SELECT ...)
"""

from collections.abc import Sequence

from atoll.services.dynamodb.partiql.lexer import malformed
from atoll.services.dynamodb.partiql.terms import Terms
from atoll.services.dynamodb.partiql.tree import (
    Append,
    Assign,
    ChangeSet,
    Condition,
    Delete,
    Exists,
    Insert,
    Operand,
    Order,
    Path,
    Remove,
    Returning,
    Select,
    Statement,
    Step,
    Sum,
    Target,
    Update,
)
from atoll.services.dynamodb.records import Value
from atoll.services.dynamodb.refusals import validation


def parse(statement: str, parameters: Sequence[Value]) -> Statement:
    """`parameters` have been taken by `values.take_value`. Raises ValidationException."""
    reader = _Reader(statement, parameters)
    parsed = reader.statement_of_any_kind()
    reader.finish()
    return parsed


class _Reader(Terms):
    def statement_of_any_kind(self) -> Statement:
        if self.is_call("exists"):
            self.next()
            self.expect_sign("(")
            self.expect_word("SELECT")
            select = self._select()
            self.expect_sign(")")
            return Exists(select)
        if self.take_word("SELECT"):
            return self._select()
        if self.take_word("INSERT"):
            return self._insert()
        if self.take_word("UPDATE"):
            return self._update()
        if self.take_word("DELETE"):
            return self._delete()
        raise malformed("Expected data manipulation")

    def _select(self) -> Select:
        columns = None if self.take_sign("*") else self._columns()
        self.expect_word("FROM")
        target = self._target()
        where = self._where()
        order: list[Order] = []
        if self.take_word("ORDER"):
            self.expect_word("BY")
            order.append(self._order())
            while self.take_sign(","):
                order.append(self._order())
        return Select(target, columns, where, tuple(order))

    def _columns(self) -> tuple[Path, ...]:
        columns = [self._column()]
        while self.take_sign(","):
            columns.append(self._column())
        return tuple(columns)

    def _column(self) -> Path:
        token = self.token
        if self.is_call("count"):
            raise validation(f"Unexpected path component at {self.place(token)}")
        return self.path()

    def _order(self) -> Order:
        name = self.name()
        descending = self.take_word("DESC")
        if not descending:
            self.take_word("ASC")
        return Order(name, descending)

    def _target(self) -> Target:
        parts = [self._part()]
        while self.take_sign("."):
            parts.append(self._part())
        if len(parts) > 2:
            raise validation("A path may contain at most 2 components in the FROM clause")
        return Target(parts[0], parts[1] if len(parts) == 2 else None)

    def _part(self) -> str:
        name = self.name()
        if not name:
            raise validation("Path component cannot be an empty string")
        return name

    def _where(self) -> Condition | None:
        return self.condition() if self.take_word("WHERE") else None

    def _insert(self) -> Insert:
        self.expect_word("INTO")
        first = self.token
        target = self._target()
        if target.index is not None:
            raise validation(
                "FROM clause may only contain a single table name in data manipulation statements "
                f"at {self.place(first)}"
            )
        self.expect_word("VALUE")
        item = self.value()
        if "M" not in item:
            raise malformed("Unexpected term")
        return Insert(target, item["M"])

    def _update(self) -> Update:
        target = self._target()
        steps: list[Step] = []
        while True:
            if self.take_word("SET"):
                read = self._set
            elif self.take_word("REMOVE"):
                read = self._remove
            else:
                break
            steps.append(read())
            while self.take_sign(","):
                steps.append(read())
        if not steps:
            raise self.unexpected()
        return Update(target, tuple(steps), self._where(), self._returning())

    def _set(self) -> Step:
        path = self.path()
        self.expect_sign("=")
        if self.is_call("set_add", "set_delete"):
            return self._change_set(path)
        left = self._summand()
        for sign in ("+", "-"):
            if self.take_sign(sign):
                return Assign(path, Sum(left, sign, self._summand()))
        return Assign(path, left)

    def _change_set(self, path: Path) -> ChangeSet:
        function = self.next()
        self.expect_sign("(")
        first = self.path()
        if first != path:
            raise validation(
                f"The first argument to {function.text.upper()} must equal the assignment value "
                f"at {self.place(function)}"
            )
        self.expect_sign(",")
        members = self.operand()
        self.expect_sign(")")
        return ChangeSet(path, "ADD" if function.text.lower() == "set_add" else "DELETE", members)

    def _summand(self) -> Operand | Append:
        if not self.is_call("list_append"):
            return self.operand()
        self.next()
        self.expect_sign("(")
        first = self.operand()
        self.expect_sign(",")
        second = self.operand()
        self.expect_sign(")")
        return Append(first, second)

    def _remove(self) -> Step:
        return Remove(self.path())

    def _delete(self) -> Delete:
        self.expect_word("FROM")
        return Delete(self._target(), self._where(), self._returning())

    def _returning(self) -> Returning | None:
        if not self.take_word("RETURNING"):
            return None
        which = "MODIFIED" if self.take_word("MODIFIED") else "ALL"
        if which == "ALL":
            self.expect_word("ALL")
        when = "NEW" if self.take_word("NEW") else "OLD"
        if when == "OLD":
            self.expect_word("OLD")
        self.expect_sign("*")
        return Returning(which, when)  # type: ignore[arg-type]
