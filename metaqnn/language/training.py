"""Language models are trained by truncated back-propagation through time."""

import math
import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from metaqnn.device import resolve_device, use_threads
from metaqnn.errors import MetaqnnError
from metaqnn.executors.base import Place
from metaqnn.language.corpus import Corpus
from metaqnn.language.files import save_model
from metaqnn.language.model import Dimensions, LanguageModel, units_for
from metaqnn.language.recipe import LanguageRecipe
from metaqnn.language.steps import Steps
from metaqnn.stopping.base import Progress, Verdict
from metaqnn.training.cuda_graph import GraphedStep, Graphs
from metaqnn.training.proof import GraphFailed
from metaqnn.training.speed import Speed
from replay import Outcome
from state_space import Architecture

if TYPE_CHECKING:
    from metaqnn.evaluators.base import Job

LOWEST = -math.log(sys.float_info.max)
"""The perplexity of a lower log-likelihood is no number."""

GRAPHS = Graphs()
"""What records the steps of language models in this process."""

PIECE = 100
"""Tokens of a text that are scored at once."""


def dimensions_of(cell: Architecture | str, corpus: Corpus, recipe: LanguageRecipe) -> Dimensions:
    """How large the model of a cell is that is made to learn from a text."""
    tokens, units = len(corpus.vocabulary), recipe.units
    if recipe.match_parameters:
        wanted = recipe.match_parameters
        units = units_for(wanted, cell, tokens, recipe.layers, tied=recipe.tied)
    return Dimensions(tokens, units, recipe.layers, recipe.tied)


def train(
    cell: Architecture | str,
    corpus: Corpus,
    recipe: LanguageRecipe,
    place: Place,
    job: "Job",
    start: Mapping[str, Tensor] | None = None,
    *,
    speed: Speed | None = None,
    graphs: Graphs = GRAPHS,
) -> Outcome:
    """Train the model of a cell, and validate it after every epoch.

    Where recorded steps turn out not to be trusted, it is trained anew without them, and so are all
    that follow.

    Args:
        cell: See `LanguageModel`.
        corpus: To learn from.
        recipe: The rules.
        place: Where.
        job: Its seed, and what ends hopeless trainings; that hears of epochs again that are trained
            anew.
        start: Weights to begin with, by their names in the model's state; others are drawn.
        speed: How the device computes; None is all that it knows.
        graphs: What records steps, where the speed has CUDA graphs.

    Raises:
        FloatingPointError: Loss or perplexity stopped being finite.
    """
    began = time.perf_counter()
    ends = math.inf if recipe.seconds is None else began + recipe.seconds
    device = torch.device(resolve_device(place.device))
    speed = speed or Speed.of(device)
    dimensions = dimensions_of(cell, corpus, recipe)

    def attempt() -> Outcome:
        model = LanguageModel(
            cell,
            dimensions,
            torch.Generator(device).manual_seed(job.seed),
            spread=recipe.spread,
            dropout=recipe.unit_dropout,
            variational=recipe.variational,
        )
        found = model.load_state_dict(start or {}, strict=False)
        assert not found.unexpected_keys, f"{found.unexpected_keys} are no weights of the model"
        size = {"parameters": model.size, "units": dimensions.units}
        if isinstance(cell, Architecture):
            size |= {"nodes": len(cell.nodes), "edges": cell.edges}
        curve: list[float] = []
        weights: bytes | None = None
        verdict: Verdict | None = None
        recorders = graphs if speed.cuda_graph and not graphs.proof.failed else None
        for score in epochs(model, corpus.to(device), recipe, ends, recorders):
            improved = score > max(curve, default=-math.inf)
            curve.append(score)
            told = Outcome(dict(size), tuple(curve))
            if improved and job.reward(told) > job.keep_above:
                weights = save_model(model, cell, corpus.vocabulary, corpus.unit)
            if job.stopping and not verdict and len(curve) < recipe.epochs:
                known = {**size, "learning_rate": recipe.learning_rate}
                verdict = job.stopping(Progress(known, recipe.epochs, tuple(curve)))
                if verdict and not verdict.goes_on:
                    break
        metrics = {
            **size,
            "learning_rate": recipe.learning_rate,
            "seconds": time.perf_counter() - began,
            **(verdict.metrics if verdict else {}),
        }
        # the weights of a stopped training do not reach what is predicted of it
        kept = None if verdict and "predicted" in verdict.metrics else weights
        return Outcome(metrics, curve=tuple(curve), weights=kept)

    with use_threads(place.threads or 1), torch.device(device), speed.backends(device):
        try:
            return attempt()
        except GraphFailed as failure:
            graphs.proof.fail(failure)
        # behind the except, as the error holds the tensors of the attempt
        return attempt()


def columns(tokens: Tensor, texts: int) -> Tensor:
    """A text cut into so many that are read side by side, of shape (steps, texts).

    What is left over at the end is not read.
    """
    steps = len(tokens) // texts
    return tokens[: steps * texts].view(texts, steps).t().contiguous()


def pieces(text: Tensor, length: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what is read and what follows each token, both of shape (steps, texts)."""
    for start in range(0, len(text) - 1, length):
        end = min(start + length, len(text) - 1)
        yield text[start:end], text[start + 1 : end + 1]


def epochs(
    model: LanguageModel,
    corpus: Corpus,
    recipe: LanguageRecipe,
    ends: float = math.inf,
    graphs: Graphs | None = None,
) -> Iterator[float]:
    """Train an epoch at a time, and yield the mean log-likelihood of a validation token after each.

    Args:
        model: On the device of the corpus.
        corpus: See there.
        recipe: See there.
        ends: On `time.perf_counter`: no epoch goes on after it.
        graphs: What records steps, if they are to be recorded.

    Raises:
        MetaqnnError: The text is too short.
        FloatingPointError: Loss or perplexity stopped being finite.
        GraphFailed: The steps cannot be recorded, or replays of them are not to be trusted.
    """
    if len(corpus.training) < 2 * recipe.batch_size:
        raise MetaqnnError(
            f"{len(corpus.training)} tokens are too few for {recipe.batch_size} pieces of text "
            "side by side: give a smaller --batch-size"
        )
    training = columns(corpus.training, recipe.batch_size)
    places = torch.arange(len(training), device=training.device)
    steps = Steps(model, training, recipe)
    graph: GraphedStep | None = None
    try:
        for epoch in range(recipe.epochs):
            model.train()
            changed = steps.begin(recipe.rate(epoch))
            if graphs and (changed or not graph):  # what is recorded has the rate before
                if graph:
                    graph.free()
                graph = GraphedStep(steps, recipe.bptt + 1, graphs)
            for start in range(0, len(training) - 1, recipe.bptt):
                (graph or steps.step)(places[start : start + recipe.bptt + 1])
                if time.perf_counter() > ends:
                    break
            if not math.isfinite(steps.loss.item()):
                raise FloatingPointError(f"the loss is not finite in epoch {epoch + 1}")
            score = log_likelihood(model, corpus.validation, recipe)
            if not score > LOWEST:
                raise FloatingPointError(f"the perplexity is not finite in epoch {epoch + 1}")
            yield score
            if time.perf_counter() > ends:
                return
    finally:
        if graph:
            graph.free()


@torch.inference_mode()
def log_likelihood(model: LanguageModel, tokens: Tensor, recipe: LanguageRecipe) -> float:
    """The mean of a token's log-likelihood in nats, of all but the first of each text."""
    model.eval()
    text = columns(tokens, min(recipe.batch_size, max(1, len(tokens) // 2)))
    state = model.start(text.shape[1])
    total = torch.zeros((), dtype=torch.float64)
    for read, following in pieces(text, recipe.bptt):
        scores, state = model(read, state)
        total -= cross_entropy(scores.flatten(0, 1), following.flatten(), reduction="sum").double()
    return total.item() / ((len(text) - 1) * text.shape[1])


@torch.inference_mode()
def token_probabilities(model: LanguageModel, tokens: Tensor) -> np.ndarray:
    """The probability of every token of a text but the first, float64, shape (tokens - 1,)."""
    model.eval()
    state = model.start(1)
    found = []
    for read, following in pieces(tokens[:, None], PIECE):
        scores, state = model(read, state)
        losses = cross_entropy(scores.flatten(0, 1), following.flatten(), reduction="none")
        found.append(losses.double().neg().exp().cpu())
    return torch.cat(found).numpy()
