"""What a network sets beside its layers: it is trained with it, or refused."""

from typing import NamedTuple

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load

from metaqnn.agents.random import RandomSearch
from metaqnn.cli import main
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Job
from metaqnn.evaluators.train import TrainEvaluator
from metaqnn.executors.base import Place
from metaqnn.executors.in_process import InProcess
from metaqnn.networks.notation import read
from metaqnn.search.loop import Search
from metaqnn.search.rules import Rules
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from metaqnn.training.settings import with_settings
from replay import Memory
from state_space import Architecture, Decision, Node, Space, legal_walk
from tests.helpers.commands import refused

DATA = DataOptions(train_limit=200)
NETWORK = "[C(4,3,1), P(2,2), SM(10)]"
FAST = {"epochs": 2, "restart_below": 0.0}


@pytest.fixture(scope="module")
def digits():
    return load_split(DATA)


def weights(outcome):
    return load(outcome.weights)


@pytest.mark.parametrize(
    ("settings", "recipe", "changed"),
    [
        ("learning-rate=0.02", {}, {"learning_rate": 0.02}),
        ("decay=0.5 decay-every=1.0", {}, {"decay": 0.5, "decay_every": 1}),
        ("batch-size=16.0 epochs=3.0", {}, {"batch_size": 16, "epochs": 3}),
        ("momentum=0.5", {"optimizer": "sgd"}, {"momentum": 0.5}),
        ("learning-rate=0.02", {"rates": "0.1:1,0.01:1"}, {"learning_rate": 0.02, "rates": None}),
        (
            "shift=1.0 cutout=2.0 weight-decay=0.01",
            {},
            {"shift": 1, "cutout": 2, "weight_decay": 0.01},
        ),
        ("mirror=1.0", {}, {"mirror": True}),
        ("label-smoothing=0.1", {"mirror": True}, {"label_smoothing": 0.1}),
    ],
)
def test_a_network_trains_as_a_recipe_with_its_settings_would(digits, settings, recipe, changed):
    given = {**FAST, **recipe}
    own = read(f"{NETWORK} {settings}")
    set_by_network = train(own, *digits, Recipe(**given), 5, keep_last=True)
    by_recipe = train(read(NETWORK), *digits, Recipe(**{**given, **changed}), 5, keep_last=True)
    without = train(read(NETWORK), *digits, Recipe(**given), 5, keep_last=True)
    assert set_by_network.curve == by_recipe.curve
    rates = [each.metrics["learning_rate"] for each in (set_by_network, by_recipe)]
    assert rates[0] == rates[1]
    ours, theirs, others = map(weights, (set_by_network, by_recipe, without))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not all(torch.equal(ours[name], others[name]) for name in others)


def test_stopping_rule_and_memory_see_the_recipe_with_the_settings(digits, monkeypatch):
    seen, checked = [], []
    monkeypatch.setattr(
        "metaqnn.training.loop.check_fit", lambda *arguments: checked.append(arguments[2])
    )
    network = read(f"{NETWORK} learning-rate=0.02 epochs=3.0 batch-size=50.0")
    train(network, *digits, Recipe(**FAST), 0, stopping=seen.append)
    assert [(each.metrics["learning_rate"], each.epochs) for each in seen] == [(0.02, 3)] * 2
    assert checked == [with_settings(Recipe(**FAST), network.settings)]
    assert checked[0].batch_size == 50


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"learning_rate": 0.1}, "the network sets learning_rate, which no recipe has; did you me"),
        (
            {"optimizer": 1.0},
            "the network sets optimizer, which no recipe has; known: epochs, batch-",
        ),
        ({"learning-rate": -1.0}, "the network sets learning-rate to -1.0: input should be great"),
        ({"mirror": 2.0}, "the network sets mirror to 2.0: input should be a valid boolean"),
        ({"epochs": 2.5}, "the network sets epochs to 2.5: input should be a valid integer"),
        ({"momentum": 0.5}, "the network sets momentum, which adam does not have; only sgd and"),
        ({"momentum": 1.5}, "the network sets momentum to 1.5: input should be less than 1"),
    ],
)
def test_what_is_no_setting_is_refused(digits, settings, problem):
    network = read(NETWORK)
    network = Architecture(network.nodes, network.outputs, settings)
    with pytest.raises(MetaqnnError) as error:
        train(network, *digits, Recipe(**FAST), 0)
    assert str(error.value).startswith(problem)


def test_how_the_rate_falls_is_no_setting_where_it_goes_in_one_cycle(digits):
    recipe = Recipe(**FAST, schedule="one-cycle")
    with pytest.raises(MetaqnnError, match="sets decay-every, which one cycle does not have"):
        train(read(f"{NETWORK} decay-every=2.0"), *digits, recipe, 0)
    assert with_settings(recipe, {"learning-rate": 0.5}).step_rate(0, 10) == pytest.approx(0.5 / 25)


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_commands_refuse_what_is_no_setting():
    for command in ("show", "train"):
        refused(invoke(command, f"{NETWORK} rate=0.1"), "the network sets rate, which no recipe")
    shown = invoke("show", f"{NETWORK} learning-rate=0.1 momentum=0.5", "--input", "1x8x8")
    assert shown.exit_code == 0
    assert " learning-rate=0.1\n" in shown.output and " momentum=0.5\n" in shown.output


def test_train_takes_the_rate_of_the_network():
    options = ["--train-limit", 200, "--epochs", 2, "--restart-below", 0, "--device", "cpu"]
    by_network = invoke("train", f"{NETWORK} learning-rate=0.02", *options)
    by_option = invoke("train", NETWORK, "--learning-rate", 0.02, *options)
    without = invoke("train", NETWORK, *options)
    assert by_network.exit_code == 0, by_network.output
    accuracies = [done.output.splitlines()[-1] for done in (by_network, by_option, without)]
    assert accuracies[0] == accuracies[1] != accuracies[2]


class Chosen(NamedTuple):
    token: str


class RateSpace(Space[Chosen]):
    """One network, of which only the learning rate is decided."""

    vocabulary = {"rate": ("rate:0.02", "rate:0.0001")}

    def initial_state(self, stage=0):
        return Chosen("")

    def decision(self, state):
        return None if state.token else Decision("rate", self.vocabulary["rate"])

    def step(self, state, token):
        return Chosen(token)

    def observation(self, state):
        return state

    def action(self, token):
        return Chosen(token)

    def architecture(self, walk):
        (token,) = [token for _, _, token in legal_walk(self, walk)]
        rate = float(token.partition(":")[2])
        return Architecture((Node("SM", (10,), (-1,)),), (0,), {"learning-rate": rate})

    def parse(self, text):
        return (f"rate:{read(text).settings['learning-rate']}",)


def test_a_search_that_decides_the_rate_trains_with_it(tmp_path):
    space, recipe = RateSpace(), Recipe(**FAST)
    evaluate = TrainEvaluator(DATA, recipe, Place())
    memory = Memory.create(tmp_path / "memory.sqlite", {})
    rules = Rules(seed=0, budget=2, reward=lambda outcome: max(outcome.curve), failure_reward=0.1)
    Search(space, RandomSearch(space, 0), evaluate, InProcess(), memory, rules).run()
    trained = list(memory.trained())
    assert {trial.walk for trial, _, _ in trained} == {
        (token,) for token in space.vocabulary["rate"]
    }
    for trial, outcome, _ in trained:
        rate = float(trial.walk[0].partition(":")[2])
        assert outcome.metrics["learning_rate"] == rate
        own = TrainEvaluator(DATA, recipe.model_copy(update={"learning_rate": rate}), Place())
        assert own(Job(read("[SM(10)]"), trial.seed)).curve == outcome.curve
