"""Shapes, parameters and multiply-adds of an architecture, by arithmetic alone (no torch)."""

from collections import defaultdict
from collections.abc import Sequence

from metaqnn.networks.ops import OPS, LayerCost, Op, ShapeError, find_op, joined_shape
from metaqnn.task import Shape
from metaqnn.terminal import counted
from state_space import Architecture, NestingError, Node

__all__ = [
    "LayerCost",
    "ShapeError",
    "check_scores",
    "joined_shape",
    "known_costs",
    "layer_costs",
    "place_ops",
    "shared_relus",
    "size_metrics",
    "total_cost",
]


def place_ops(architecture: Architecture, input_shape: Shape) -> list[Op]:
    """The op of every node, in its place; cells are written out.

    Args:
        architecture: Its last node is its only output.
        input_shape: (channels, height, width) of the images.

    Raises:
        ShapeError: A layer cannot read what comes before it; the message names the layer. Or the
            outputs are others than the last layer, or the cells cannot be written out.
        MetaqnnError: There is no such op.
    """
    try:
        network = architecture.expanded
    except NestingError as error:
        raise ShapeError(str(error)) from None
    written_out = ", its cells written out," if architecture.cells else ","
    last = len(network.nodes) - 1
    if network.outputs != (last,):
        outputs = ", ".join(map(str, network.outputs))
        raise ShapeError(f"the only output must be the last layer, {last}, not {outputs}")
    ops: list[Op] = []
    for position, node in enumerate(network.nodes):
        op = find_op(node.op)
        args = tuple(int(value) for value in node.args)
        shapes = [input_shape if source < 0 else ops[source].cost.shape for source in node.inputs]
        try:
            if problem := op.problem(args):
                raise ShapeError(problem)
            ops.append(op(args, shapes))
        except ShapeError as error:
            layer = f"layer {position + 1}{written_out} {node.text}"
            raise ShapeError(f"{layer}: {error}") from None
    return ops


def shared_relus(nodes: Sequence[Node], ops: Sequence[Op]) -> dict[int, list[int]]:
    """By position of a value the layers that begin with its ReLU, where there are several."""
    readers: defaultdict[int, list[int]] = defaultdict(list)
    for position, (node, op) in enumerate(zip(nodes, ops, strict=True)):
        if op.begins_with_relu and len(node.inputs) == 1:
            readers[node.inputs[0]].append(position)
    return {source: of for source, of in readers.items() if len(of) > 1}


def layer_costs(architecture: Architecture, input_shape: Shape) -> list[LayerCost]:
    """The cost of every node.

    Raises:
        ShapeError: See `place_ops`.
    """
    return [op.cost for op in place_ops(architecture, input_shape)]


def total_cost(architecture: Architecture, input_shape: Shape) -> LayerCost:
    """The network's output shape, parameters and multiply-adds an image.

    Raises:
        ShapeError: See `place_ops`.
    """
    costs = layer_costs(architecture, input_shape)
    return LayerCost(
        costs[-1].shape,
        sum(cost.parameters for cost in costs),
        sum(cost.multiply_adds for cost in costs),
    )


def takes_size(architecture: Architecture, input_shape: Shape, size: Shape) -> bool:
    """Whether a network for images of a shape takes those of another height and width too."""
    try:
        others = layer_costs(architecture, (*input_shape[:-2], *size))
    except ShapeError:
        return False
    # a layer that reads all pixels has weights for each
    return all(
        one.parameters == other.parameters
        for one, other in zip(layer_costs(architecture, input_shape), others, strict=True)
    )


def known_costs(input_shape: Shape, architecture: Architecture) -> dict[str, float]:
    """What a network for images of a shape costs, by the names of metrics.

    Raises:
        ShapeError: See `place_ops`.
    """
    cost = total_cost(architecture, input_shape)
    return {"parameters": cost.parameters, "multiply_adds": cost.multiply_adds}


def size_metrics(architecture: Architecture, input_shape: Shape) -> dict[str, float]:
    """What an outcome says of the network's size: parameters, multiply_adds, nodes, edges, density.

    Raises:
        ShapeError: See `place_ops`.
    """
    return {
        **known_costs(input_shape, architecture),
        "nodes": len(architecture.expanded.nodes),
        "edges": architecture.edges,
        "density": architecture.density,
    }


def check_scores(architecture: Architecture, classes: int | None = None) -> None:
    """See that the last layer gives a score a class.

    Args:
        architecture: Of the network.
        classes: Of the data; None where any number will do.

    Raises:
        ShapeError: It is no head, or one for another number of classes.
    """
    last = architecture.expanded.nodes[-1]
    if not find_op(last.op).is_head:
        heads = " or ".join(f"{name}(classes)" for name, op in OPS.items() if op.is_head)
        raise ShapeError(f"the last layer must be {heads}, not {last.text}")
    if classes is not None and last.args != (classes,):
        own = counted(int(last.args[0]), "class", "classes")
        raise ShapeError(f"the last layer, {last.text}, has {own}, the data has {classes}")
