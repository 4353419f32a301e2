"""Small changes to a walk: one decision is taken otherwise, the rest stays where it is legal."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from state_space import Space, Token, legal_walk

Walk = tuple[Token, ...]


def mutate(
    space: Space[Any],
    walk: Walk,
    generator: np.random.Generator,
    stage: int = 0,
    *,
    kind_first: bool = False,
) -> Walk:
    """The walk with another option of one decision, repaired; both are drawn uniformly.

    Decisions without alternatives are never drawn; a walk that has no others is returned as it is.

    Args:
        space: Where the result is legal.
        walk: May be one of another stage.
        generator: Of what is drawn.
        stage: Of the result.
        kind_first: Draw a kind of decision, and then one of its decisions.
    """
    walk = repair(space, walk, generator, stage)
    changes = _changes(space, walk, stage)
    if not changes:
        return walk
    if kind_first:
        kinds = [decision.kind for _, decision, _ in legal_walk(space, walk, stage)]
        there = list(dict.fromkeys(kinds[position] for position, _ in changes))
        drawn = there[generator.integers(len(there))]
        changes = [change for change in changes if kinds[change[0]] == drawn]
    position, options = changes[generator.integers(len(changes))]
    option = options[generator.integers(len(options))]
    return repair(space, walk, generator, stage, (*walk[:position], option))


def neighbours(space: Space[Any], walk: Walk, stage: int = 0) -> Iterator[Walk]:
    """Yield every walk that `mutate` can make, each once, the first decision's first.

    Where the repair needs chance, its seed is fixed: the same walk has the same neighbours.
    """
    generator = np.random.default_rng(0)
    walk = repair(space, walk, generator, stage)
    for position, options in _changes(space, walk, stage):
        for option in options:
            yield repair(space, walk, generator, stage, (*walk[:position], option))


def repair(
    space: Space[Any],
    walk: Walk,
    generator: np.random.Generator,
    stage: int = 0,
    start: Walk = (),
) -> Walk:
    """A complete walk that begins with `start` and goes on like `walk` behind its first tokens.

    A token that is not legal at its place is left out; the next one is tried if it is of the same
    kind of decision, else an option is drawn, so that the tokens behind it meet their decisions.
    Once all are used, the last one is taken again where it ends the walk; else options are drawn.

    Args:
        space: Where the result is legal; the walk need not be.
        walk: What to keep.
        generator: Of the options that are drawn; a legal walk needs none.
        stage: Of the space.
        start: Legal tokens, in the place of as many of the walk's.
    """
    state = space.initial_state(stage)
    for token in start:
        state = space.step(state, token)
    repaired = list(start)
    rest = list(reversed(walk[len(start) :]))
    while (decision := space.decision(state)) is not None:
        options = decision.options
        kind = space.vocabulary[decision.kind]
        while rest and rest[-1] in kind and rest[-1] not in options:
            rest.pop()
        if rest and rest[-1] in options:
            token = rest.pop()
        elif not rest and walk[-1] in options and _ends(space, state, walk[-1]):
            token = walk[-1]
        else:
            token = options[generator.integers(len(options))]
        repaired.append(token)
        state = space.step(state, token)
    return tuple(repaired)


def _ends(space: Space[Any], state: Any, token: Token) -> bool:
    return space.decision(space.step(state, token)) is None


def _changes(space: Space[Any], walk: Walk, stage: int) -> list[tuple[int, Walk]]:
    """The decisions with alternatives: their positions, from 0, and the options not taken."""
    return [
        (position, tuple(option for option in decision.options if option != token))
        for position, (_, decision, token) in enumerate(legal_walk(space, walk, stage))
        if len(decision.options) > 1
    ]
