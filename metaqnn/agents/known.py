"""Which networks an agent need not propose again."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from metaqnn.agents.base import Agent, generator_from_bytes, generator_to_bytes
from replay import Trial
from state_space import Space, Token

TRIES = 100
"""So many known networks in a row are drawn anew before one of them is taken."""


class KnownNetworks:
    """The networks that an agent was told of, and those that it proposed and is not told of yet."""

    def __init__(self, space: Space[Any]) -> None:
        """No network is known."""
        self.space = space
        self.told: set[str] = set()
        self._in_flight: set[str] = set()

    def digest(self, walk: tuple[Token, ...]) -> str:
        """What names the walk's network."""
        return self.space.architecture(walk).digest

    def __contains__(self, digest: str) -> bool:
        """Whether the network was told or proposed."""
        return digest in self.told or digest in self._in_flight

    def propose(self, draw: Callable[[int], tuple[Token, ...]]) -> tuple[Token, ...]:
        """Draw until a walk's network is new, `TRIES` times at most; from now on it is known.

        Args:
            draw: Makes a walk; its argument says how many were drawn in vain.
        """
        for vain in range(TRIES):
            walk = draw(vain)
            digest = self.digest(walk)
            if digest not in self:
                break
        self._in_flight.add(digest)
        return walk

    def add(self, walk: tuple[Token, ...]) -> None:
        """The walk's network has been proposed. One that is refused stays so for ever."""
        self._in_flight.add(self.digest(walk))

    def tell(self, digest: str) -> None:
        """The network has been told."""
        self.told.add(digest)
        self._in_flight.discard(digest)

    def snapshot(self, generator: np.random.Generator) -> bytes:
        """What is proposed and not told yet, with the agent's generator, as JSON."""
        content = {
            "generator": generator_to_bytes(generator).decode(),
            "in_flight": sorted(self._in_flight),
        }
        return json.dumps(content).encode()

    def restore(self, snapshot: bytes) -> np.random.Generator:
        """Take back what was proposed; returns the generator. What was told is told again."""
        content = json.loads(snapshot)
        self._in_flight = set(content["in_flight"])
        return generator_from_bytes(content["generator"].encode())


class KnownWalks:
    """The networks that an agent was told of, and the walks proposed and not told of yet.

    Attributes:
        told: Digests of the networks told.
        pending: Walks by the digests of their networks, in the order proposed.
    """

    def __init__(self, space: Space[Any]) -> None:
        """No network is known."""
        self.space = space
        self.told: set[str] = set()
        self.pending: dict[str, tuple[Token, ...]] = {}

    def is_new(self, walk: tuple[Token, ...]) -> bool:
        """Whether the walk's network was neither told nor proposed."""
        digest = self.space.architecture(walk).digest
        return digest not in self.told and digest not in self.pending

    def propose(self, walks: Iterable[tuple[Token, ...]]) -> tuple[Token, ...]:
        """The first walk whose network is new, else the last one; from now on it is known."""
        for walk in walks:
            if self.is_new(walk):
                break
        self.pending[self.space.architecture(walk).digest] = walk
        return walk

    def tell(self, digest: str) -> None:
        """The network has been told."""
        self.told.add(digest)
        self.pending.pop(digest, None)

    def snapshot(self, generator: np.random.Generator) -> bytes:
        """What is proposed and not told yet, with the agent's generator, as JSON."""
        content = {
            "generator": generator_to_bytes(generator).decode(),
            "pending": [[digest, *walk] for digest, walk in self.pending.items()],
        }
        return json.dumps(content).encode()

    def restore(self, snapshot: bytes) -> np.random.Generator:
        """Take back what was proposed; returns the generator. What was told is told again."""
        content = json.loads(snapshot)
        self.pending = {digest: tuple(walk) for digest, *walk in content["pending"]}
        return generator_from_bytes(content["generator"].encode())


class Remembering(Agent):
    """An agent that makes itself anew from the history, but for what is proposed and not told yet.

    Attributes:
        known: Which networks it need not propose again.
    """

    known: KnownNetworks | KnownWalks

    def snapshot(self) -> bytes:
        """The generator, and what is proposed and not told yet."""
        return self.known.snapshot(self.generator)

    def restore(self, snapshot: bytes | None, history: Iterable[tuple[Trial, float]]) -> None:
        """Tell the history again, and take back the generator and what is proposed."""
        super().restore(None, history)
        if snapshot is not None:
            self.generator = self.known.restore(snapshot)
