"""From a cell in a network back to its blocks."""

from state_space.architecture import Cell
from state_space.cell_genotype import CONCAT, INPUTS, OPERATIONS, Block, Half
from state_space.cell_network import EQUAL, LARGER, RAW, REDUCTION, SQUEEZED, operation_layers
from state_space.notation import Layer, NotationError

JOINING = {"ADD": "add", "CAT": CONCAT}


def find_blocks(cells: dict[str, Cell], kind: str) -> tuple[Block, ...]:
    """The blocks of the network's normal or reduction cell.

    Raises:
        NotationError: There is none, or it is no cell of blocks.
    """
    for treatment in (SQUEEZED, EQUAL, LARGER, RAW):
        if cell := cells.get(kind + treatment):
            return _blocks(cell, halves=kind == REDUCTION, is_raw=treatment == RAW)
    raise NotationError(f"there is no cell {kind}, only {', '.join(cells) or 'none at all'}")


def _blocks(cell: Cell, *, halves: bool, is_raw: bool) -> tuple[Block, ...]:
    """The blocks that `state_space.cell_network` makes a cell of."""
    states: dict[int, int] = {}  # of the nodes that are one
    wide = {1} if is_raw else set()
    blocks: list[Block] = []

    def half(end: int) -> Half:
        layers: list[Layer] = []
        while end not in states:
            node = cell.nodes[end] if end >= 0 else None
            if node is None or len(node.inputs) != 1:
                raise NotationError("a half of a block is no operation")
            layers.insert(0, (node.op, node.args))
            (end,) = node.inputs
        state = states[end]
        stride = 2 if halves and state < INPUTS else 1
        for operation in OPERATIONS:
            if operation_layers(operation, stride, widens=state in wide) == layers:
                return Half(state, operation)
        raise NotationError(f"{', '.join(op for op, _ in layers)} is no operation of a cell")

    for position, node in enumerate(cell.nodes):
        if len(node.inputs) == INPUTS and node.op in JOINING:
            first, second = map(half, node.inputs)
            block = Block(first, second, JOINING[node.op])
            states[position] = INPUTS + len(blocks)
            if block.join == CONCAT:
                wide.add(states[position])
            blocks.append(block)
        elif node.op == "FR" and not blocks and cell.nodes[node.inputs[0]].op == "RELU":
            states[position] = 1
        elif node.inputs in ((-1,), (-2,)) and node.op != "RELU":
            states[position] = -1 - node.inputs[0]
    return tuple(blocks)
