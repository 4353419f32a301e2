"""The steps of a recurrent cell, forwards and backwards, as functions that are written for it.

A step is some forty small ops. To look up what comes next would take as long as they do, so a
program is written out as Python, whose loop goes through the rows of all that it reads and writes.
These are, of each step:

- `m0` and `w0`: what the first product makes, and the weights, transposed but on the way back;
- `v3`: slot 3; `s0` and `n0`: the hidden state before and after the step, `s1` and `n1` the next;
- `r0`: the room for the gradients of what the first product makes, and `r0_2` a part of it, from
  the third map on; they hold derivatives first;
- `d4`: the derivative along the fifth way; `o0`: the gradient of the output.

`gv3` and `gs0` are the gradients of `v3` and `s0`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import torch

from metaqnn.language.derivatives import Derivatives
from metaqnn.language.instructions import Apply, Instruction, Product, Program
from metaqnn.language.ops import OPS
from state_space.recurrent import HIDDEN, INPUT

NAMES: dict[str, Any] = {
    **{op: own.compute for op, own in OPS.items()},
    **{f"{op}_in_place": own.in_place for op, own in OPS.items() if own.in_place},
    **{"mm": torch.mm, "mul": torch.mul},
    **{"add": torch.add, "addmm": torch.addmm, "addmul": torch.addcmul},
}
"""What the functions call."""

ROWS = re.compile(r"\b[mvsnrdo]\d+(?:_\d+)?\b")


class Written(NamedTuple):
    """A function of weights, of other values, and of rows.

    Attributes:
        call: The function.
        rows: Their names, in the order in which it takes them.
    """

    call: Callable[..., Any]
    rows: tuple[str, ...]


class Run(NamedTuple):
    """Maps of a product side by side, which the gradient of one junction reaches.

    Attributes:
        product: Its number.
        first: The first of the maps.
        many: So many they are.
    """

    product: int
    first: int
    many: int

    @property
    def name(self) -> str:
        """Of their part of the room."""
        return f"r{self.product}_{self.first}"


def handed_on(program: Program) -> dict[int, int]:
    """The slots that are computed where the state after the step is, each with its place there."""
    computed = {own.slot for own in program.instructions if isinstance(own, Apply)}
    places: dict[int, int] = {}
    for place, slot in enumerate(program.outputs):
        if program.root(slot) in computed:
            places.setdefault(program.root(slot), place)
    return places


def find_runs(program: Program, derivatives: Derivatives) -> dict[Run, int]:
    """All runs, each with its junction."""
    runs: dict[Run, int] = {}
    for number, product in enumerate(program.products):
        places = range(len(program.computed(product)))
        owners = [derivatives.owners.get(node) for node in program.computed(product)]
        for owner, group in groupby(places, owners.__getitem__):
            own = [*group]
            if owner is not None:
                runs[Run(number, own[0], len(own))] = owner
    return runs


def write_forward(program: Program) -> Written:
    """The function of transposed weights."""
    there = handed_on(program)
    lines = [line for own in program.instructions for line in _forward(program, own)]
    for place, slot in enumerate(program.outputs):
        if there.get(program.root(slot)) != place:
            lines.append(f"n{place}.copy_({_name(program.root(slot))})")
    return _function(program, "", lines, "")


def _forward(program: Program, instruction: Instruction) -> Iterator[str]:
    if isinstance(instruction, Apply):
        read = _joined(_name(program.root(slot)) for slot in instruction.sources)
        if instruction.slot in program.under:
            yield f"{instruction.op}_in_place({read})"
        else:
            yield f"{instruction.op}({read}out={_name(instruction.slot)})"
        return
    number, source = program.products.index(instruction), instruction.sources[-1]
    factors = f"{_name(program.root(source))}, w{number}"
    if source != INPUT:
        is_added = INPUT in instruction.sources
        yield f"m{number}.addmm_({factors})" if is_added else f"mm({factors}, out=m{number})"


def write_backward(program: Program, derivatives: Derivatives) -> Written:
    """The function of weights, and of gradients of the state after the last step, and zeros.

    It returns the gradients of the state before the first step.
    """
    runs = find_runs(program, derivatives)
    after = [f"after{place}" for place in range(len(program.outputs))]
    known: set[int] = set()
    lines = [_added(known, slot, "", own) for slot, own in zip(program.outputs, after, strict=True)]
    lines.append(_added(known, program.outputs[0], "", "o0"))
    for instruction in reversed(program.instructions):
        for node in program.computed(instruction):
            gradient = _gradient(node)
            for number, way in enumerate(derivatives.ways):
                if way.junction == node:
                    lines.append(_added(known, way.end, "mul", gradient, f"d{number}"))
            for run, owner in runs.items():
                if owner == node:
                    factor = gradient if run.many == 1 else f"{gradient}.unsqueeze(1)"
                    lines.append(f"{run.name}.mul_({factor})")
        if isinstance(instruction, Product) and instruction.sources != (INPUT,):
            number = program.products.index(instruction)
            lines.append(_added(known, instruction.sources[-1], "mm", f"r{number}", f"w{number}"))
    before = (_gradient(slot) if slot in known else "zeros" for slot in program.state)
    lines.append(f"{_joined(after)} = {_joined(before)}")
    return _function(program, f"{_joined(after)}zeros, ", lines, _joined(after))


def _added(known: set[int], slot: int, op: str, *factors: str) -> str:
    """Adds the product of the factors, or the one value, to the gradient of a slot."""
    gradient = _gradient(slot)
    if slot in known:
        return f"{gradient} = add{op}({_joined((gradient, *factors))})"
    known.add(slot)
    return f"{gradient} = {op}({_joined(factors)})" if op else f"{gradient} = {factors[0]}"


def _function(program: Program, others: str, lines: list[str], result: str) -> Written:
    """The function of lines; all that they name is numbered, or is in the tables of ops."""
    rows = tuple(sorted({name for line in lines for name in ROWS.findall(line)}))
    weights = _joined(f"w{number}" for number in range(len(program.products)))
    text = [f"def written(weights, {others}rows):"]
    text += [f"    {weights} = weights" if weights else ""]
    text += [f"    for {_joined(rows)} in zip(*rows):", *(f"        {line}" for line in lines)]
    text += [f"    return {result}"]
    names = dict(NAMES)
    exec("\n".join(text), names)
    return Written(names["written"], rows)


def _joined(names: Iterable[str]) -> str:
    """With a comma behind each, as a tuple of one needs it."""
    return "".join(f"{name}, " for name in names)


def _name(slot: int) -> str:
    return f"v{slot}" if slot >= 0 else f"s{HIDDEN - slot}"


def _gradient(slot: int) -> str:
    return f"g{_name(slot)}"
