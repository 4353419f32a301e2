"""The steps of a recurrent cell, forwards and backwards, as functions that are written for it.

A step is some fifty small ops. To look up what comes next would take as long as they do, so a
program is written out as Python. Of `v3` and `s0`, the values of slot 3 and of the hidden state,
`gv3` and `gs0` are the gradients; `m0`, `w0` and `r0` belong to the first product: what the inputs
add at each step, the transposed weights or, backwards, the weights, and the room for its gradients.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from metaqnn.language.instructions import Apply, Instruction, Program, Split
from metaqnn.language.ops import OPS
from state_space.recurrent import HIDDEN, INPUT

Kept = list[tuple[Tensor, ...]]
"""Of each step what its way back reads."""

NAMES: dict[str, Any] = {
    **{op: own.compute for op, own in OPS.items()},
    **{f"{op}_in_place": own.in_place for op, own in OPS.items() if own.in_place},
    **{f"of_{op}": own.gradients for op, own in OPS.items()},
    **{"mm": torch.mm, "addmm": torch.addmm, "add": torch.add, "cat": torch.cat},
}
"""What the functions call."""


def write_forward(program: Program) -> Callable[..., tuple[list[Tensor], list[Tensor]]]:
    """The function of mapped inputs, transposed weights, units, state, steps and `Kept` or None.

    It returns the outputs of all steps and the state after them.
    """
    state = _joined(map(_name, program.state))
    lines = []
    for number, product in enumerate(program.products):
        lines.append(f"m{number}, w{number} = mapped[{number}], weights[{number}]")
        sizes = ", ".join(f"{size} * units" for size in product.sizes)
        lines.append(f"sizes{number} = [{sizes}]")
    lines += [f"{state} = state", "outputs = []", "for step in range(steps):"]
    lines += [f"    {line}" for own in program.instructions for line in _forward(program, own)]
    lines += [
        "    if kept is not None:",
        f"        kept.append(({_joined(map(_name, program.kept))}))",
    ]
    lines += [f"    {state} = {_joined(map(_name, program.outputs))}"]
    lines += ["    outputs.append(s0)", f"return outputs, [{state}]"]
    return _function("mapped, weights, units, state, steps, kept", lines)


def _forward(program: Program, instruction: Instruction) -> Iterator[str]:
    if isinstance(instruction, Apply):
        op = f"{instruction.op}_in_place" if instruction.in_place else instruction.op
        yield f"{_name(instruction.slot)} = {op}({_joined(map(_name, instruction.inputs))})"
        return
    parts = _joined(map(_name, instruction.parts))
    if isinstance(instruction, Split):
        yield f"{parts} = {_name(instruction.slot)}.chunk({len(instruction.parts)}, 1)"
        return
    number = program.products.index(instruction)
    source = _name(instruction.sources[-1])
    whole = f"mm({source}, w{number})"
    if INPUT in instruction.sources:
        whole = f"m{number}[step]"
        if len(instruction.sources) > 1:
            whole += f".addmm_({source}, w{number})"
    yield f"{parts} = {whole}.split_with_sizes(sizes{number}, 1)"


def write_backward(program: Program) -> Callable[..., tuple[Tensor, ...]]:
    """The function of rooms, weights, units, `Kept`, and gradients of outputs and state after.

    It returns the gradients of the state before, and fills the rooms with those of the products.
    """
    after = [f"after{place}" for place in range(len(program.outputs))]
    lines = [
        f"r{number}, w{number} = rooms[{number}], weights[{number}]"
        for number in range(len(program.products))
    ]
    lines += [f"{_joined(after)} = of_state", "for step in range(len(kept) - 1, -1, -1):"]
    if program.kept:
        lines += [f"    {_joined(map(_name, program.kept))} = kept[step]"]
    known: set[int] = set()
    parts = [*zip(program.outputs, after, strict=True), (program.outputs[0], "of_outputs[step]")]
    lines += [f"    {_added(known, slot, part)}" for slot, part in parts]
    for own in reversed(program.instructions):
        lines += [f"    {line}" for line in _backward(program, own, known)]
    before = [_gradient(slot) if slot in known else "zeros(1)" for slot in program.state]
    lines += [f"    {_joined(after)} = {_joined(before)}", f"return {_joined(after)}"]
    return _function("rooms, weights, zeros, kept, of_outputs, of_state", lines)


def _backward(program: Program, instruction: Instruction, known: set[int]) -> Iterator[str]:
    """The lines of an instruction.

    Args:
        program: Of which it is one.
        instruction: See there.
        known: Slots whose gradients there are already.
    """
    if isinstance(instruction, Apply):
        slot = instruction.slot
        if slot not in known:
            return
        read = [
            _name(own) if own in program.kept else "None" for own in (slot, *instruction.inputs)
        ]
        parts = [f"part{place}" for place in range(len(instruction.inputs))]
        yield f"{_joined(parts)} = of_{instruction.op}({_gradient(slot)}, {_joined(read)})"
        for own, part in zip(instruction.inputs, parts, strict=True):
            yield _added(known, own, part)
        return
    sizes = (1,) * len(instruction.parts) if isinstance(instruction, Split) else instruction.sizes
    gradients = _joined(
        _gradient(slot) if slot in known else f"zeros({size})"
        for slot, size in zip(instruction.parts, sizes, strict=True)
    )
    if isinstance(instruction, Split):
        yield _added(known, instruction.slot, f"cat(({gradients}), 1)")
        return
    number, source = program.products.index(instruction), instruction.sources[-1]
    yield f"cat(({gradients}), 1, out=r{number}[step])"
    if source in known:
        yield f"{_gradient(source)} = addmm({_gradient(source)}, r{number}[step], w{number})"
    elif source != INPUT:
        yield _added(known, source, f"mm(r{number}[step], w{number})")


def _added(known: set[int], slot: int, gradient: str) -> str:
    name = _gradient(slot)
    if slot in known:
        return f"{name} = add({name}, {gradient})"
    known.add(slot)
    return f"{name} = {gradient}"


def _function(arguments: str, lines: Iterable[str]) -> Callable[..., Any]:
    """The function of lines; all that they name is numbered here, or is in the tables of ops."""
    names = dict(NAMES)
    exec("\n    ".join([f"def written({arguments}):", *lines]), names)
    written: Callable[..., Any] = names["written"]
    return written


def _joined(names: Iterable[str]) -> str:
    """With a comma behind each, as a tuple of one needs it."""
    return "".join(f"{name}, " for name in names)


def _name(slot: int) -> str:
    return f"v{slot}" if slot >= 0 else f"s{HIDDEN - slot}"


def _gradient(slot: int) -> str:
    return f"g{_name(slot)}"
