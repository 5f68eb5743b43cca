"""The reason codes of the code, read from its source.

A code is a string in snake_case where the source says that it is one: a value of something called
`reason` (a parameter with its default, a variable, an entry of a dict, what a function `…reason`
returns), or the argument of a class or function that takes one. `missing` is the reason if an
object is missing. Codes that end with a status are one family: `fal_…`.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from tests import ROOT

_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_NAMES = frozenset({"reason", "missing"})


def reason_codes() -> frozenset[str]:
    """Return every reason code that the receiver, the pipeline or the command line may give."""
    files = sorted(path for name in ("webhook", "worker") for path in (ROOT / name).rglob("*.py"))
    trees = [ast.parse(path.read_text()) for path in files]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    constants = dict(chain.from_iterable(map(_constants, trees)))
    places = _places(nodes)
    found = chain.from_iterable(_expressions(node, places) for node in nodes)
    return frozenset(chain.from_iterable(_codes(each, constants) for each in found))


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() as value):
                yield name, value


def _places(nodes: Sequence[ast.AST]) -> Mapping[str, int]:
    """Return the position of the reason in the calls of each function and class that takes one."""
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    places = {each.name: each_place for each in functions for each_place in _place(each)}
    for node in classes:
        methods = (part for part in node.body if isinstance(part, ast.FunctionDef))
        places.update((node.name, place) for each in methods for place in _place(each))
    for _ in classes:  # as deep as inheritance can be
        for node in classes:
            parents = {getattr(base, "id", "") for base in node.bases} & places.keys()
            places.update((node.name, places[parent]) for parent in parents)
    # A parameter that is such a class: `kind: type[Failure]`.
    for argument in chain.from_iterable(each.args.args for each in functions):
        words = re.findall(r"\w+", ast.unparse(argument.annotation or ast.Constant("")))
        if words[:1] == ["type"] and {*words} & places.keys():
            places[argument.arg] = 0
    return places | {"__init__": 0}  # of a parent, in a class of its own


def _place(function: ast.FunctionDef) -> Iterator[int]:
    names = [argument.arg for argument in function.args.args if argument.arg != "self"]
    if "reason" in names:
        yield names.index("reason")


def _expressions(node: ast.AST, places: Mapping[str, int]) -> Iterator[ast.expr | None]:
    match node:
        case ast.Call(func=function, args=arguments, keywords=keywords):
            yield from (each.value for each in keywords if each.arg in _NAMES)
            name = getattr(function, "id", getattr(function, "attr", ""))
            if name in places:
                yield from arguments[places[name] : places[name] + 1]
            elif name == "partial" and getattr(arguments[0], "id", "") in places:
                yield from arguments[1:2]
        case ast.Assign(targets=[ast.Name(id="reason")], value=value):
            yield value
        case ast.FunctionDef(name=name, args=parameters, body=body):
            optional = zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True)
            yield from (default for each, default in optional if each.arg in _NAMES)
            if name.endswith("reason"):
                yield from (each.value for each in body if isinstance(each, ast.Return))
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "reason":
                    yield value


def _codes(expression: ast.expr | None, constants: Mapping[str, ast.expr]) -> Iterator[str]:
    match expression:
        case ast.Constant(value=str(text)) if _CODE.fullmatch(text):
            yield text
        case ast.Name(id=name) if name in constants:
            yield from _codes(constants[name], {})
        case ast.IfExp(body=body, orelse=other):
            yield from chain(_codes(body, constants), _codes(other, constants))
        case ast.BoolOp(values=values):
            yield from chain.from_iterable(_codes(value, constants) for value in values)
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), ast.FormattedValue()]):
            if text.endswith("_") and _CODE.fullmatch(text.removesuffix("_")):
                yield f"{text}…"
