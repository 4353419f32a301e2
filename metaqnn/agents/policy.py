"""The LSTM controller: a probability for every option of every decision of a walk.

Zoph & Le 2017, "Neural Architecture Search with Reinforcement Learning",
https://arxiv.org/abs/1611.01578, sections 3.1 and 3.3. Decisions of one kind share an embedding and
a softmax, as in Lei & Xiong's version, which lets one controller take walks of any length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear, one_hot

from metaqnn.agents.lstm import Floats, draw, lstm_cell
from state_space import Decision, Space, Token, legal_walk

INITIAL_RANGE = 0.08
"""All weights start uniform between minus and plus this (Zoph & Le, section 4.1)."""

StagedWalk = tuple[Sequence[Token], int]
"""A walk, and the stage of the space in which it was taken."""


@dataclass(frozen=True)
class Batch:
    """K walks of at most P decisions and S steps of the LSTM as tensors; D decisions in all.

    Attributes:
        inputs: The share of each embedding in the input of a step, (K, S, tokens + 1).
        decisions: Where each decision stands, (D,) numbers below K * P.
        steps: The step that takes each decision, (D,) numbers below K * S.
        legal: Which tokens each decision may take, (D, tokens).
        taken: The token that it took, (D,).
        connections: Which of the decisions are connections, (M,) numbers below D.
        sources: The step of the layer that each connection would read, (M,) numbers below K * S.
        connecting: The token that says yes to each connection, (M,).
    """

    inputs: Tensor
    shape: tuple[int, int]
    decisions: Tensor
    steps: Tensor
    legal: Tensor
    taken: Tensor
    connections: Tensor
    sources: Tensor
    connecting: Tensor

    def padded(self, numbers: Tensor) -> Tensor:
        """A number for each decision, (D,), as (K, P): behind the end of a walk 0."""
        flat = numbers.new_zeros(self.shape).flatten()
        return flat.index_put((self.decisions,), numbers).view(self.shape)


class Scores(NamedTuple):
    """What a policy says of the K walks of a batch, at most P decisions long.

    Attributes:
        log_probabilities: Of every token taken, (K, P), in nats; behind the end of a walk 0.
        entropies: Of every decision, likewise.
        hidden: The LSTM's state from which each decision is taken, (D, units).
    """

    log_probabilities: Tensor
    entropies: Tensor
    hidden: Tensor


class Policy(nn.Module):
    """A probability distribution over the walks of a space.

    An LSTM reads the embedding of the last token and gives, by a linear layer and a softmax over
    the legal options, the probabilities of the next. Embeddings and linear layers of all kinds of
    decisions lie in one matrix each, a row a token.

    Connections, decisions between two tokens that refer to one earlier position, are taken by
    anchors: consecutive ones share a step of the LSTM. Where h_i is the hidden state of that step
    and h_j that of the position referred to, the second token of the kind has the probability
    sigmoid(v . tanh(W_prev h_j + W_curr h_i)). The step after them reads the mean embedding of
    their tokens.

    With a bound c, every logit x becomes c tanh(x / c), and no legal option is ever more than
    e^(2 c) times as probable as another; a sigmoid counts as the softmax over -x/2 and x/2. So ENAS
    (Pham et al. 2018, https://arxiv.org/abs/1802.03268) keeps its controller exploring.
    """

    def __init__(
        self,
        space: Space[Any],
        layers: int,
        units: int,
        generator: np.random.Generator,
        bound: float = 0.0,
        initial: float = INITIAL_RANGE,
    ) -> None:
        """Draw all weights.

        Args:
            space: Whose walks.
            layers: Of the LSTM.
            units: Of each layer, and size of the embeddings.
            generator: Draws the weights.
            bound: Of the logits; 0 for none, as in Zoph & Le.
            initial: All weights start uniform between minus and plus this.
        """
        super().__init__()
        self.space = space
        self.bound = bound
        pairs = [(kind, token) for kind, tokens in space.vocabulary.items() for token in tokens]
        self._numbers = {pair: number for number, pair in enumerate(pairs)}
        tokens = len(pairs)
        # on "meta" torch's own initialisation draws no random number
        self.lstm = nn.LSTM(units, units, layers, batch_first=True, device="meta")
        self.lstm.to_empty(device="cpu")
        # the last row is what the first step reads
        self.embedding = nn.Parameter(torch.empty(tokens + 1, units))
        self.head_weight = nn.Parameter(torch.empty(tokens, units))
        self.head_bias = nn.Parameter(torch.empty(tokens))
        self.anchor_previous = nn.Parameter(torch.empty(units, units))
        self.anchor_current = nn.Parameter(torch.empty(units, units))
        self.anchor_score = nn.Parameter(torch.empty(units))
        with torch.no_grad():
            for parameter in self.parameters():
                drawn = generator.uniform(-initial, initial, parameter.shape)
                parameter.copy_(torch.from_numpy(drawn))

    def forward(self, walks: Sequence[StagedWalk]) -> tuple[Tensor, Tensor]:
        """Log-probability of every token taken, and entropy of every decision, in nats.

        Both have shape (walks, decisions of the longest); behind the end of a walk they are 0.

        Raises:
            IllegalMove: A walk is not legal.
        """
        scores = self.score(self.encode(walks))
        return scores.log_probabilities, scores.entropies

    def score(self, batch: Batch) -> Scores:
        """What the present weights say of walks."""
        hidden, _ = self.lstm(batch.inputs @ self.embedding)
        # index_select, because the gradient of hidden[...] is not summed in a fixed order
        hidden = hidden.flatten(0, 1)
        current = hidden.index_select(0, batch.steps)
        logits = linear(current, self.head_weight, self.head_bias)
        scores = self._connection_scores(
            hidden.index_select(0, batch.sources), current.index_select(0, batch.connections)
        )
        # sigmoid(x) is the second value of the softmax over (-x/2, x/2)
        signs = one_hot(batch.connecting, len(self._numbers)) - 0.5
        logits = logits.index_put((batch.connections,), signs * scores[:, None])
        if self.bound:
            logits = self.bound * (logits / self.bound).tanh()
        log_softmax = logits.masked_fill(~batch.legal, -torch.inf).log_softmax(1)
        taken = log_softmax.gather(1, batch.taken[:, None])[:, 0]
        entropy = -(log_softmax.exp() * log_softmax.masked_fill(~batch.legal, 0)).sum(1)
        return Scores(batch.padded(taken), batch.padded(entropy), current)

    def probabilities(self, walk: Sequence[Token], stage: int = 0) -> list[float]:
        """The probability of each token of a walk, given those before it.

        Raises:
            IllegalMove: The walk is not legal.
        """
        with torch.no_grad():
            log_probabilities, _ = self.forward([(walk, stage)])
        found: list[float] = log_probabilities[0].exp().tolist()
        return found

    def sample(
        self, generator: np.random.Generator, stage: int = 0
    ) -> tuple[tuple[Token, ...], float]:
        """Draw a walk; returns it with its log-probability.

        The same function as `forward`, step by step in numpy: a step of so small an LSTM costs
        PyTorch several times as much.
        """
        weights = {name: value.detach().numpy() for name, value in self.named_parameters()}
        layers = self.lstm.num_layers
        states = [(np.zeros_like(weights["head_weight"][0]),) * 2] * layers
        read = [len(self._numbers)]
        hidden: list[Floats] = []  # of the top layer, after every step
        steps: list[int] = []  # the step of each decision
        walk: list[Token] = []
        log_probability = 0.0
        anchored = False
        state = self.space.initial_state(stage)
        while (decision := self.space.decision(state)) is not None:
            connects = self._is_connection(decision)
            if not (connects and anchored):
                value = weights["embedding"][read].mean(0)
                for layer in range(layers):
                    states[layer] = lstm_cell(weights, layer, value, *states[layer])
                    value = states[layer][0]
                hidden.append(value)
                read = []
            anchored = connects
            steps.append(len(hidden) - 1)
            options = [self._numbers[decision.kind, token] for token in decision.options]
            if connects:
                previous = weights["anchor_previous"] @ hidden[steps[decision.refers[0]]]
                both = np.tanh(previous + weights["anchor_current"] @ hidden[-1])
                signs = (np.array(options) == self._connecting(decision)) - 0.5
                logits = signs * (weights["anchor_score"] @ both)
            else:
                logits = weights["head_weight"][options] @ hidden[-1]
                logits = logits + weights["head_bias"][options]
            if self.bound:
                logits = self.bound * np.tanh(logits / self.bound)
            choice, probability = draw(logits, generator)
            log_probability += float(np.log(probability))
            read.append(options[choice])
            walk.append(decision.options[choice])
            state = self.space.step(state, walk[-1])
        return tuple(walk), log_probability

    def _is_connection(self, decision: Decision) -> bool:
        return len(decision.refers) == 1 and len(self.space.vocabulary[decision.kind]) == 2

    def _connecting(self, decision: Decision) -> int:
        """The number of the token that says yes to a connection."""
        return self._numbers[decision.kind, self.space.vocabulary[decision.kind][1]]

    def _connection_scores(self, previous: Tensor, current: Tensor) -> Tensor:
        """The number v . tanh(W_prev h_j + W_curr h_i) of each row."""
        both = linear(previous, self.anchor_previous) + linear(current, self.anchor_current)
        return both.tanh() @ self.anchor_score

    def encode(self, walks: Sequence[StagedWalk]) -> Batch:
        """The walks as tensors.

        Raises:
            IllegalMove: A walk is not legal.
        """
        decisions: list[tuple[int, int, int, int]] = []  # walk, position, step, token
        legal: list[tuple[int, int]] = []  # decision, token
        connections: list[tuple[int, int, int, int]] = []  # decision, walk, source, token
        for number, (walk, stage) in enumerate(walks):
            steps: list[int] = []
            at, anchored = -1, False
            for place, (_, decision, token) in enumerate(legal_walk(self.space, walk, stage)):
                connects = self._is_connection(decision)
                at += not (connects and anchored)
                anchored = connects
                steps.append(at)
                row = len(decisions)
                if connects:
                    source = steps[decision.refers[0]]
                    connections.append((row, number, source, self._connecting(decision)))
                legal += [(row, self._numbers[decision.kind, each]) for each in decision.options]
                decisions.append((number, place, at, self._numbers[decision.kind, token]))
        owner, position, step, taken = np.array(decisions).T
        rows, owners, sources, connecting = np.array(connections, dtype=int).reshape(-1, 4).T
        tokens, length = len(self._numbers), int(step.max()) + 1
        shape = (len(walks), int(position.max()) + 1)
        mask = np.zeros((len(decisions), tokens), dtype=bool)
        mask[tuple(np.array(legal).T)] = True
        inputs = np.zeros((len(walks), length + 1, tokens + 1))
        inputs[:, 0, tokens] = 1
        np.add.at(inputs, (owner, step + 1, taken), 1)
        inputs /= np.maximum(inputs.sum(2, keepdims=True), 1)
        return Batch(
            torch.from_numpy(inputs[:, :-1]).to(self.embedding.dtype),
            shape,
            *map(torch.from_numpy, (owner * shape[1] + position, owner * length + step, mask)),
            *map(torch.from_numpy, (taken, rows, owners * length + sources, connecting)),
        )
