"""Updates of a language model: the state is carried over, and recorded steps change nothing.

There is no GPU here: what stands in for a CUDA graph calls the step, or fails as a graph may.
"""

import math

import pytest
import torch
from safetensors.torch import load

from metaqnn.evaluators.base import Job
from metaqnn.executors.base import Place
from metaqnn.language.corpus import make_corpus
from metaqnn.language.model import Dimensions, LanguageModel
from metaqnn.language.recipe import LanguageRecipe
from metaqnn.language.steps import Steps
from metaqnn.language.training import train
from metaqnn.training.cuda_graph import WARM_UP, Graphs
from metaqnn.training.speed import Speed
from tests.helpers.recordings import Nothing, Recorder, Replaying, Stale, Twice, raising
from tests.language.test_language import CELLS

TEXT = "the quick brown fox jumps over the lazy dog; " * 8
CORPUS = make_corpus([TEXT, TEXT[:90]], "characters")
CELL = CELLS["nascell"]()

SMALL = {"epochs": 6, "batch_size": 4, "units": 6, "bptt": 9, "unit_dropout": 0.3}
RECIPES = [
    LanguageRecipe(**SMALL, optimizer="sgd", learning_rate=0.1),
    LanguageRecipe(**SMALL, optimizer="adam", learning_rate=0.01),
]


def curve_and_weights(cell, recipe, **more):
    outcome = train(cell, CORPUS, recipe, Place(), Job(CELL, 3, keep_above=-math.inf), **more)
    tensors = load(outcome.weights)
    return outcome.curve, {name: tensors[name].tolist() for name in sorted(tensors)}


def graphed(kind):
    return {"speed": Speed(cuda_graph=True), "graphs": Graphs(Recorder(kind))}


@pytest.mark.parametrize("cell", ["lstm", CELL], ids=["torch's", "own"])
def test_the_state_goes_on_from_piece_to_piece(cell):
    model = LanguageModel(cell, Dimensions(9, 5, 2), torch.Generator().manual_seed(1), spread=1)
    text = torch.randint(0, 9, (31, 3), generator=torch.Generator().manual_seed(2))
    steps = Steps(model, text, LanguageRecipe(batch_size=3))
    _, wanted = model(text[:-1], model.start(3))
    for _ in range(2):  # from the beginning, each time
        steps.begin(0.0)
        for start in range(0, 30, 7):
            steps.step(torch.arange(start, min(start + 8, 31)))
        for own, ends in zip(steps.before, wanted, strict=True):
            for value, end in zip(own, ends, strict=True):
                torch.testing.assert_close(value, end.detach())


def test_plain_descent_goes_by_the_sum_over_a_piece():
    """Zaremba et al.: a text's loss is the sum of its tokens', the mean is over texts."""
    model, by_hand = (
        LanguageModel("rnn", Dimensions(9, 5, 1), torch.Generator().manual_seed(1), spread=1)
        for _ in range(2)
    )
    text = torch.randint(0, 9, (5, 3), generator=torch.Generator().manual_seed(2))
    recipe = LanguageRecipe(batch_size=3, optimizer="sgd", clip_norm=None)
    steps = Steps(model, text, recipe)
    steps.begin(0.1)
    steps.step(torch.arange(5))
    chances = by_hand(text[:-1], by_hand.start(3))[0].log_softmax(2)
    loss = -chances.gather(2, text[1:, :, None]).sum() / 3
    loss.backward()
    for weights, before in zip(model.parameters(), by_hand.parameters(), strict=True):
        if before.requires_grad:
            torch.testing.assert_close(weights, before - 0.1 * before.grad)


@pytest.mark.parametrize("cell", ["lstm", CELL], ids=["torch's", "own"])
@pytest.mark.parametrize("recipe", RECIPES, ids=["sgd", "adam"])
def test_a_right_graph_is_replayed_and_made_anew_for_every_rate(cell, recipe):
    more = graphed(Replaying)
    assert curve_and_weights(cell, recipe, **more) == curve_and_weights(cell, recipe)
    graphs = more["graphs"]
    assert graphs.proof.complete and not graphs.proof.failed
    full = (len(CORPUS.training) // 4 - 1) // 9
    # four epochs of the first rate, and two of others
    replays = [4 * full - WARM_UP, full - WARM_UP, full - WARM_UP]
    assert [(made.replays, made.freed) for made in graphs.recorder.made] == [
        (many, True) for many in replays
    ]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (Twice, "random numbers"),
        (Nothing, "random numbers"),
        (Stale, "of their change"),
        (raising(ValueError("no capture here")), "operation failed"),
    ],
)
def test_a_graph_that_fails_is_told_once_and_changes_nothing(kind, part):
    usual, more = curve_and_weights("lstm", RECIPES[0]), graphed(kind)
    with pytest.warns(RuntimeWarning, match=part) as told:
        for _ in range(2):
            assert curve_and_weights("lstm", RECIPES[0], **more) == usual
    assert len(told) == 1 and more["graphs"].proof.failed
