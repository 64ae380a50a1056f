"""Finds tolerances that are bare numbers in the sources of tests.

What is read as a tolerance:

- an argument named as one (`NAMES`) of any call, by keyword, or by position where the function is defined in the same
  file; the default of a parameter so named;
- a default of the function that compares (`REQUIRED`): `assert_allclose` without rtol is a bare 1e-7, `approx` without
  abs a bare 1e-12 beside its rel. Functions that count decimals (`BANNED`) have nothing else;
- the upper bound of a comparison inside of an `assert`, and what an `assert_...` of the tests is given, if it is small.

A tolerance is bare if it is a number other than 0, or has a number below 1e-3 as a term (1 + 1e-9) or as a factor
without eps beside it. Names stand for what they are bound to: by assignments, loops and comprehensions over literals,
defaults, `parametrize`, the returned values of a function of the file, imports from other tests. But a name that a call
is given for something else (the `tol` of a solver, the step of a difference) is not bare: the tolerance follows from
what was asked. Bounds of 1e-3 and more in an `assert` are thresholds.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMES = {"rtol", "atol", "rel", "abs", "rel_tol", "abs_tol", "tolerance"}
# What each must be given, or it takes a number of its own.
REQUIRED = {
    "assert_allclose": {"rtol"},
    "allclose": {"rtol", "atol"},
    "isclose": {"rtol", "atol"},
    "math.isclose": {"rel_tol"},
    "approx": {"abs"},
    "assert_close": {"rtol", "atol"},
}
BANNED = {"assert_almost_equal", "assert_array_almost_equal", "assert_approx_equal", "assertAlmostEqual"}
SMALL = 1e-3
EPS_NAME = re.compile(r"(^|_)(eps|epsneg|ulps?|spacing|tiny|smallest_normal|smallest_subnormal)\d*($|_)", re.IGNORECASE)
# Calls that are as bare as their arguments.
TRANSPARENT = {"float", "float16", "float32", "float64", "longdouble", "type", "array", "asarray"}
TRANSPARENT |= {"max", "min", "maximum", "minimum", "where", "sum", "abs", "sqrt", "exp", "ldexp"}
OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


@dataclass(frozen=True)
class Finding:
    """A bare tolerance: where it stands, and what it is."""

    line: int
    what: str


def findings(text: str) -> list[Finding]:
    """The bare tolerances of a source, in the order of its lines."""
    return sorted(set(_Source(text).findings()), key=lambda each: (each.line, each.what))


@dataclass(frozen=True)
class _Kind:
    """What an expression is made of.

    number : float or None
        Its value, if it is made of numbers alone.
    small : bool
        Whether a number below 1e-3 is a term of it, or a factor without eps beside it.
    eps : bool
        Whether it has eps in it.
    """

    number: float | None = None
    small: bool = False
    eps: bool = False

    @property
    def bare(self) -> bool:
        return self.small or self.number not in (None, 0.0)


OTHER = _Kind()


def _number(value: float) -> _Kind:
    return _Kind(value, small=0.0 < abs(value) < SMALL)


def _any_of(kinds: list[_Kind]) -> _Kind:
    """One of several, or their sum: the number of the first if all are numbers."""
    numbers = [kind.number for kind in kinds]
    return _Kind(
        numbers[0] if numbers and None not in numbers else None,
        small=any(kind.small for kind in kinds),
        eps=any(kind.eps for kind in kinds),
    )


def _product(kinds: list[_Kind]) -> _Kind:
    eps = any(kind.eps for kind in kinds)
    # max(1e-6, eps) stays what it is, however it is scaled.
    return _Kind(small=any(kind.small and (kind.eps or not eps) for kind in kinds), eps=eps)


@cache
def _source_of(module: str) -> _Source | None:
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return _Source(path.read_text(encoding="utf-8")) if path.exists() else None


def _last_name(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


class _Source:
    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self.nodes = list(ast.walk(self.tree))
        self.parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self.functions = {node.name: node for node in self.nodes if isinstance(node, ast.FunctionDef)}
        # The names that are being followed, lest one that is bound to itself is followed forever.
        self.followed: set[tuple[ast.AST, str]] = set()

    def findings(self) -> Iterator[Finding]:
        for node in self.nodes:
            match node:
                case ast.Call():
                    yield from self._of_call(node)
                case ast.FunctionDef():
                    for name, default in _defaults(node):
                        yield from self._of_argument(name, default)
                case ast.Assert(test=test):
                    for part in ast.walk(test):
                        if isinstance(part, ast.Compare):
                            yield from self._of_comparison(part)

    def _of_call(self, call: ast.Call) -> Iterator[Finding]:
        name = _last_name(call)
        ours = name in self.functions or self.imports.get(name, "").startswith(("tests.", "benchmarks."))
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if name in BANNED:
            yield Finding(call.lineno, f"{name} counts decimals")
        # One of our own has no default, or its default is found where it is defined; ** may hold anything.
        if not ours and None not in given:
            for missing in sorted(REQUIRED.get(ast.unparse(call.func), REQUIRED.get(name, set())) - given.keys()):
                yield Finding(call.lineno, f"{name} without {missing}")
        if name in self.functions:
            given |= dict(zip((each.arg for each in self.functions[name].args.args), call.args, strict=False))
        for argument, value in given.items():
            yield from self._of_argument(argument, value)
        if ours and name.startswith("assert_"):
            for value in [*call.args, *given.values()]:
                if self.kind(value).small:
                    yield Finding(value.lineno, f"{name} of {ast.unparse(value)}")

    def _of_argument(self, name: str | None, value: ast.expr) -> Iterator[Finding]:
        if name in NAMES and self.kind(value).bare:
            yield Finding(value.lineno, f"{name}={ast.unparse(value)}")

    def _of_comparison(self, comparison: ast.Compare) -> Iterator[Finding]:
        operands = [comparison.left, *comparison.comparators]
        for sign, left, right in zip(comparison.ops, operands, operands[1:], strict=False):
            upper = right if isinstance(sign, ast.Lt | ast.LtE) else left
            if isinstance(sign, ast.Lt | ast.LtE | ast.Gt | ast.GtE) and self.kind(upper).small:
                yield Finding(upper.lineno, f"a bound of {ast.unparse(upper)}")

    def kind(self, node: ast.expr) -> _Kind:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return _number(float(value))
            case ast.UnaryOp(op=ast.USub(), operand=operand) if (number := self.kind(operand).number) is not None:
                return _number(-number)
            case ast.UnaryOp(operand=operand):
                return self.kind(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return self._of_operation(self.kind(left), op, self.kind(right))
            case ast.IfExp(body=body, orelse=orelse):
                return _any_of([self.kind(body), self.kind(orelse)])
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Dict(values=parts):
                return _any_of([self.kind(part) for part in parts])
            case ast.Subscript(value=value):
                return self.kind(value)
            case ast.Attribute(attr=name):
                return _Kind(eps=bool(EPS_NAME.search(name)))
            case ast.Name(id=name):
                return self._of_name(node, name)
            case ast.Call():
                return self._of_result(node)
        return OTHER

    def _of_operation(self, left: _Kind, op: ast.operator, right: _Kind) -> _Kind:
        if left.number is not None and right.number is not None and type(op) in OPERATORS:
            # Both parts of 1 + 1e-9 count.
            if isinstance(op, ast.Add | ast.Sub) and left.small != right.small:
                return _any_of([left, right])
            return _number(OPERATORS[type(op)](left.number, right.number))
        if isinstance(op, ast.Div) and right.number:
            right = _number(1.0 / right.number)
        return _any_of([left, right]) if isinstance(op, ast.Add | ast.Sub) else _product([left, right])

    def _of_result(self, call: ast.Call) -> _Kind:
        name = _last_name(call)
        if name in self.functions:
            returned = [node.value for node in ast.walk(self.functions[name]) if isinstance(node, ast.Return)]
            return self._followed(call, name, [value for value in returned if value is not None])
        kinds = [self.kind(argument) for argument in call.args]
        if name in TRANSPARENT:
            return _any_of(kinds)
        return _Kind(eps=bool(EPS_NAME.search(name)) or any(kind.eps for kind in kinds))

    def _of_name(self, node: ast.Name, name: str) -> _Kind:
        unknown = _Kind(eps=bool(EPS_NAME.search(name)))
        for scope in self._scopes(node):
            values = self.bindings[scope].get(name)
            if values is not None:
                found = self._followed(scope, name, values) if values else unknown
                return OTHER if found.bare and self._is_asked(scope, name) else found
        source = _source_of(self.imports[name]) if name in self.imports else None
        if source is None:
            return unknown
        return source._followed(source.tree, name, source.bindings[source.tree].get(name, []))

    def _followed(self, scope: ast.AST, name: str, values: list[ast.expr]) -> _Kind:
        """What a name is bound to."""
        if (scope, name) in self.followed:
            return OTHER
        self.followed.add((scope, name))
        found = _any_of([self.kind(value) for value in values])
        self.followed.remove((scope, name))
        return found

    def _is_asked(self, scope: ast.AST, name: str) -> bool:
        """Whether a call that compares nothing is given the name, alone or in an expression."""
        for node in ast.walk(scope):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                inner: ast.AST = node
                outer = self.parents[node]
                while isinstance(outer, ast.BinOp | ast.UnaryOp | ast.Tuple | ast.List | ast.Starred):
                    inner, outer = outer, self.parents[outer]
                if isinstance(outer, ast.keyword) and outer.arg in NAMES:
                    continue
                call = self.parents[outer] if isinstance(outer, ast.keyword) else outer
                if isinstance(call, ast.Call) and inner is not call.func:
                    called = _last_name(call)
                    if not called.startswith("assert_") and called not in TRANSPARENT | REQUIRED.keys():
                        return True
        return False

    def _scopes(self, node: ast.AST) -> Iterator[ast.AST]:
        """The functions around a node, and the module."""
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, ast.FunctionDef | ast.Lambda | ast.Module):
                yield node

    @cached_property
    def imports(self) -> dict[str, str]:
        """The module of each name that is imported from one."""
        statements = [node for node in self.nodes if isinstance(node, ast.ImportFrom) and node.module is not None]
        return {alias.asname or alias.name: str(node.module) for node in statements for alias in node.names}

    @cached_property
    def bindings(self) -> dict[ast.AST, dict[str, list[ast.expr]]]:
        """Per scope and name the expressions that it may be bound to, as far as they can be read."""
        found: dict[ast.AST, dict[str, list[ast.expr]]] = {
            node: {} for node in self.nodes if isinstance(node, ast.FunctionDef | ast.Lambda | ast.Module)
        }
        for node in self.nodes:
            scope = node if isinstance(node, ast.FunctionDef | ast.Lambda) else next(self._scopes(node), self.tree)
            for name, values in _bound(node):
                found[scope].setdefault(name, []).extend(values)
        return found


def _defaults(function: ast.FunctionDef | ast.Lambda) -> Iterator[tuple[str, ast.expr]]:
    """The parameters of a function that have a default."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    for argument, default in zip(reversed(positional), reversed(arguments.defaults), strict=False):
        yield argument.arg, default
    for argument, keyword_default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if keyword_default is not None:
            yield argument.arg, keyword_default


def _bound(node: ast.AST) -> Iterator[tuple[str, list[ast.expr]]]:
    """The names that a node binds, each with what it may be bound to."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _unpacked(target, [value])
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
            yield from _unpacked(target, [value])
        case ast.For(target=target, iter=values) | ast.comprehension(target=target, iter=values):
            yield from _unpacked(target, _elements(values))
        case ast.FunctionDef(args=arguments) | ast.Lambda(args=arguments):
            for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
                yield argument.arg, []
            for name, default in _defaults(node):
                yield name, [default]
            for decorator in getattr(node, "decorator_list", []):
                yield from _parametrized(decorator)


def _elements(values: ast.expr) -> list[ast.expr]:
    return values.elts if isinstance(values, ast.Tuple | ast.List | ast.Set) else []


def _unpacked(target: ast.expr, values: list[ast.expr]) -> Iterator[tuple[str, list[ast.expr]]]:
    if isinstance(target, ast.Name):
        yield target.id, values
    for place, part in enumerate(_elements(target)):
        yield from _unpacked(part, [_elements(value)[place] for value in values if place < len(_elements(value))])


def _parametrized(decorator: ast.expr) -> Iterator[tuple[str, list[ast.expr]]]:
    """The values that `pytest.mark.parametrize` gives to each name."""
    match decorator:
        case ast.Call(func=ast.Attribute(attr="parametrize"), args=[names, values, *_]):
            rows = [
                ast.Tuple(row.args) if isinstance(row, ast.Call) and _last_name(row) == "param" else row
                for row in _elements(values)
            ]
            target = ast.parse(ast.literal_eval(names), mode="eval").body if isinstance(names, ast.Constant) else names
            if isinstance(target, ast.Name):
                yield target.id, rows
            for place, part in enumerate(_elements(target)):
                name = part.id if isinstance(part, ast.Name) else ast.literal_eval(part)
                yield name, [_elements(row)[place] for row in rows if place < len(_elements(row))]
