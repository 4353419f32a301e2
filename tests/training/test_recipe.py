"""The practical recipe, and its parts against torch's own."""

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from metaqnn.cli import main
from metaqnn.config import RunConfig
from metaqnn.data.images import Images
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.errors import MetaqnnError
from metaqnn.metrics.accuracy import ACCURACY
from metaqnn.networks.build import Network
from metaqnn.networks.notation import read
from metaqnn.training import epochs as epochs_module
from metaqnn.training.epochs import Steps
from metaqnn.training.loop import train
from metaqnn.training.presets import RECIPES, practical, preset
from metaqnn.training.recipe import Recipe
from metaqnn.training.speed import Speed
from tests.helpers.commands import refused

CPU = torch.device("cpu")


@settings(max_examples=25, deadline=None)
@given(epochs=st.integers(1, 40), steps=st.integers(2, 30), peak=st.sampled_from([1e-3, 5e-3, 0.1]))
def test_one_cycle_is_torch_s(epochs, steps, peak):
    recipe = Recipe(schedule="one-cycle", learning_rate=peak, epochs=epochs)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, epochs * steps)
    for step in range(epochs * steps):
        expected = optimizer.param_groups[0]["lr"]
        assert recipe.step_rate(step, steps) == pytest.approx(expected, rel=1e-9, abs=1e-15)
        optimizer.step()
        schedule.step()
    assert recipe.rate(0) == recipe.rate(epochs - 1) == peak


def test_steps_are_the_rates_of_their_epochs():
    recipe = Recipe(decay_every=2)
    assert [recipe.step_rate(step, 3) for step in range(15)] == [
        recipe.rate(epoch) for epoch in range(5) for _ in range(3)
    ]


@given(epochs=st.integers(1, 60), first=st.floats(0.1, 1))
def test_images_grow_to_all_of_their_size(epochs, first):
    recipe = Recipe(first_size=first, epochs=epochs)
    sizes = [recipe.size(epoch) for epoch in range(epochs)]
    assert sizes == sorted(sizes) and sizes[-1] == 1
    assert epochs < 3 or sizes[0] == pytest.approx(first)


def test_images_grow_by_thirds_of_the_epochs():
    recipe = Recipe(first_size=0.5, epochs=7)
    assert [recipe.size(epoch) for epoch in range(7)] == [0.5] * 2 + [0.75] * 2 + [1] * 3
    assert {Recipe().size(epoch) for epoch in range(20)} == {1}


@given(
    epochs=st.integers(1, 40),
    first=st.sampled_from([0.5, 1.0]),
    share=st.floats(0.05, 3),
    slower=st.lists(st.floats(0.7, 1.5), min_size=40, max_size=40),
)
def test_in_a_given_time_the_epochs_go_by_so_much_faster(epochs, first, share, slower):
    """An epoch of whole images takes a second, on a machine that others use too."""
    recipe = Recipe(first_size=first, epochs=epochs)
    usual = sum(recipe.size(epoch) ** 2 for epoch in range(epochs))
    now, epoch, counts, passes = 0.0, 0.0, 1.0, []
    while recipe.epochs - epoch > 1e-6:
        took = recipe.size(int(epoch)) ** 2 * slower[len(passes)]
        now += took
        passes.append(counts)
        done, epoch = epoch, epoch + counts
        counts = recipe.pace(done, epoch, took, share * usual - now)
    assert epoch == pytest.approx(epochs) and len(passes) <= epochs
    assert min(passes) > 0.5
    assert now < share * usual + 3  # the last pass may be late, and one at first too long
    if share * usual > 1.5 * 1.5 / 0.7 * epochs:
        assert passes == [1] * epochs


@pytest.mark.parametrize(("limit", "passes"), [(None, 8), (1000, 8), (40, 4), (0.1, 2)])
def test_a_training_of_so_many_seconds_ends_with_its_cycle(digits, monkeypatch, limit, passes):
    """Every pass over the images takes ten seconds."""
    now, rates, pass_over = 0.0, [], Steps.epoch

    def pass_of_ten_seconds(*args):
        nonlocal now
        now += 10
        return pass_over(*args)

    monkeypatch.setattr(Steps, "epoch", pass_of_ten_seconds)
    recipe = Recipe(schedule="one-cycle", epochs=8, seconds=limit, restart_below=0)
    whole = Recipe.step_rate
    monkeypatch.setattr(Recipe, "step_rate", lambda *args: rates.append(whole(*args)) or rates[-1])
    monkeypatch.setattr(epochs_module.time, "perf_counter", lambda: now)
    network = read("[C(4,3,1), P(2,2), SM(10)]")
    outcome = train(network, *digits, recipe, 1)
    assert len(outcome.curve) == passes
    assert rates[0] < recipe.learning_rate / 10
    assert rates[-1] < recipe.learning_rate / 2 or passes == 2  # of few steps each


@pytest.fixture(scope="module")
def digits():
    return load_split(DataOptions(train_limit=300))


def steps_of(training, recipe, factor=1.0):
    network = Network(read("[C(4,3,1), P(2,2), SM(10)]"), (1, 8, 8), torch.Generator())
    generator = torch.Generator().manual_seed(0)
    return Steps(network, training, recipe, factor, generator, Speed.of(CPU), 1)


def test_the_optimizer_gets_the_rate_of_every_step(digits, monkeypatch):
    recipe = Recipe(schedule="one-cycle", epochs=3, batch_size=50)
    steps = steps_of(digits[0], recipe, factor=0.5)
    seen = []
    monkeypatch.setattr(steps, "step", lambda batch: seen.append(float(steps.optimizer.rate)))
    for epoch in range(3):
        steps.epoch(epoch, None)
    assert len(digits[0]) == 240
    assert seen == pytest.approx([0.5 * recipe.step_rate(step, 5) for step in range(15)])
    assert max(seen) == pytest.approx(0.5 * 1e-3, rel=0.05)


@pytest.mark.parametrize(("images", "steps_each"), [(70, 2), (240, 5), (1000, 5)])
def test_a_short_epoch_is_of_other_images_each_time_and_the_rate_falls_all_the_way(
    digits, monkeypatch, images, steps_each
):
    recipe = Recipe(schedule="one-cycle", epochs=2, batch_size=50, epoch_images=images)
    steps = steps_of(digits[0], recipe)
    seen, rates = [], []

    def step(batch):
        seen.append(batch.tolist())
        rates.append(float(steps.optimizer.rate))

    monkeypatch.setattr(steps, "step", step)
    for epoch in range(2):
        steps.epoch(epoch, None)
    first, second = (sum(seen[part * steps_each :][:steps_each], []) for part in range(2))
    assert len(first) == len(set(first)) == len(set(second)) == min(images, 240)
    assert first != second
    assert rates == pytest.approx(
        [recipe.step_rate(at, steps_each) for at in range(2 * steps_each)]
    )
    assert min(rates) == rates[-1] < 1e-6


@pytest.mark.parametrize(
    ("network", "size", "expected"),
    [
        ("[CB(4,3,3,1,1), P(2,2), AVG, SM(10)]", (32, 32), [(16, 16), (24, 24), (32, 32)]),
        ("[CB(4,3,3,1,1), P(2,2), AVG, SM(10)]", (24, 30), [(16, 20), (18, 22), (24, 30)]),
        ("[CB(4,3,3,1,1), P(2,2), AVG, SM(10)]", (8, 8), [(8, 8)] * 3),
        # it has weights for every pixel
        ("[CB(4,3,3,1,1), P(2,2), SM(10)]", (32, 32), [(32, 32)] * 3),
        # a window of 20 does not fit into 16
        ("[CB(4,3,3,1,1), P(20,2), AVG, SM(10)]", (32, 32), [(32, 32), (24, 24), (32, 32)]),
    ],
)
def test_networks_see_the_sizes_that_they_can_take(network, size, expected):
    pixels = torch.randint(256, (40, 1, *size), dtype=torch.uint8)
    images = Images(pixels, torch.arange(40) % 10, tuple("0123456789"))
    recipe = Recipe(first_size=0.5, epochs=3, batch_size=20)
    generator = torch.Generator().manual_seed(0)
    built = Network(read(network), images.shape, generator)
    steps = Steps(built, images, recipe, 1.0, generator, Speed.of(CPU), 1)
    seen = []
    built.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape[2:])))
    for epoch in range(3):
        steps.resize(epoch)
        steps.epoch(epoch, None)
    assert seen == [shape for shape in expected for _ in range(2)]
    steps.measure(images, ACCURACY)
    assert seen[-1] == size


def test_label_smoothing_is_that_of_torch_s_loss(digits):
    training, _ = digits
    batch = torch.arange(30)
    losses = {}
    for smoothing in (0.0, 0.2):
        steps = steps_of(training, Recipe(label_smoothing=smoothing, dropout=False))
        with torch.no_grad():
            scores = steps.network(training.normalise(training.images[batch]))
        targets = torch.nn.functional.one_hot(training.labels[batch], 10) * (1 - smoothing)
        expected = cross_entropy(scores, targets + smoothing / 10)
        steps.step(batch)
        losses[smoothing] = float(steps.losses)
        assert losses[smoothing] == pytest.approx(float(expected), rel=1e-5)
    assert losses[0.0] != losses[0.2]


def test_without_xavier_weights_begin_as_those_of_torch_s_layers():
    shape = (64, 6, 6)
    for text in ("[C(64,3,1)]", "[FC(300)]"):
        drawn = {}
        for xavier in (True, False):
            generator = torch.Generator().manual_seed(0)
            network = Network(read(text), shape, generator, xavier=xavier)
            drawn[xavier] = network.layers[0][0 if text[1] == "C" else 1]
            assert not drawn[xavier].bias.any()
        bound = drawn[False].weight[0].numel() ** -0.5
        own = type(drawn[False])(64, 64, 3) if text[1] == "C" else torch.nn.Linear(2304, 300)
        for weights in (drawn[False].weight.detach(), own.weight.detach()):
            assert 0.98 * bound < weights.abs().max() <= bound
            assert weights.std() == pytest.approx(bound / 3**0.5, rel=0.03)
        assert drawn[True].weight.abs().max() > 1.2 * bound


def test_batch_and_epochs_follow_the_number_of_images():
    chosen = {images: practical(images, 32) for images in (300, 1150, 5000, 50_000, 10**6)}
    assert [each["batch_size"] for each in chosen.values()] == [16, 32, 64, 128, 128]
    assert [each["epochs"] for each in chosen.values()] == [93, 62, 40, 20, 10]
    assert [practical(5000, size)["shift"] for size in (8, 28, 32, 224)] == [1, 3, 3, 22]
    for each in chosen.values():
        Recipe(**each)


def test_a_run_takes_the_practical_recipe_by_name_and_what_is_given_first():
    def recipe(**options):
        return RunConfig.from_flat({"train_limit": 1437, **options}).parts["evaluator"].recipe

    whole = recipe(recipe="practical")
    # a fifth is for validation
    assert whole == Recipe(**practical(1150, 8))
    assert recipe(recipe="paper") == recipe()
    changed = recipe(recipe="practical", epochs=3, label_smoothing=0.0, decay=0.5)
    assert (changed.epochs, changed.label_smoothing, changed.schedule) == (3, 0.0, "steps")
    assert changed.optimizer == "muon"
    mine = recipe(recipe="practical", optimizer="adamw")
    assert (mine.optimizer, mine.learning_rate, mine.weight_decay) == ("adamw", 5e-3, 0.01)
    assert mine.momentum == recipe().momentum
    with pytest.raises(MetaqnnError, match="no recipe 'practicle'; did you mean practical"):
        recipe(recipe="practicle")
    with pytest.raises(MetaqnnError, match="rates is '0.1:3': one cycle has no other rates"):
        recipe(recipe="practical", rates="0.1:3", schedule="one-cycle")


def test_a_run_says_its_recipe_and_needs_no_images_to_say_it_again():
    config = RunConfig.from_flat({"recipe": "practical", "train_limit": 400})
    assert config.flat()["recipe"] == "practical"
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr("metaqnn.data.parts.load_split")
        again = config.changed({"budget": 3})
    assert again.parts["evaluator"] == config.parts["evaluator"]


def test_final_recipes_of_the_paper_stay_what_they_are():
    usual, searched = Recipe().model_dump(), Recipe(**practical(5000, 32)).model_dump()
    free = ("dropout", "learning_rate")  # the network's, and of no effect beside rates
    for name in RECIPES:
        ours, after = (Recipe(**preset(name, each, 32, {})) for each in (usual, searched))
        assert after.model_copy(update={name: getattr(ours, name) for name in free}) == ours


def test_train_trains_by_the_practical_recipe():
    options = ["--train-limit", "300", "--epochs", "4", "--device", "cpu"]
    text = "[CB(8,3,3,1,1), MAX, SM(10)] mirror=1.0"
    done = CliRunner().invoke(main, ["train", text, "--recipe", "practical", *options])
    assert done.exit_code == 0, done.output
    assert "4 epochs in" in done.output
    refused(CliRunner().invoke(main, ["run", "--recipe", "best"]), "there is no recipe 'best'")


@pytest.mark.slow
def test_the_practical_recipe_learns_digits():
    text = (
        "[CB(16,3,3,1,1), CB(32,3,3,1,1), P(2,2), CB(32,3,3,1,1), CB(64,3,3,1,1), P(2,2), "
        "CB(64,3,3,1,1), AVG, D(2,5), SM(10)]"
    )
    options = ["--recipe", "practical", "--epochs", "15", "--device", "cpu"]
    done = CliRunner().invoke(main, ["train", text, *options])
    assert done.exit_code == 0, done.output
    found = float(done.output.split("validation accuracy ")[1].split("%")[0])
    assert found > 97


def test_recipes_of_papers_on_cells_by_name():
    def recipe(**options):
        return RunConfig.from_flat({"train_limit": 1437, **options}).parts["evaluator"].recipe

    final = recipe(recipe="nasnet-cifar10")
    assert (final.epochs, final.batch_size, final.optimizer, final.momentum) == (
        600,
        32,
        "sgd",
        0.9,
    )
    assert (final.schedule, final.learning_rate, final.weight_decay) == ("cosine", 0.025, 5e-4)
    assert (final.clip_norm, final.keep_path, final.auxiliary) == (5, 0.6, 0.4)
    assert final.step_rate(300 * 1563, 1563) == pytest.approx(0.025 / 2)
    blocks = recipe(recipe="block-qnn-search")
    assert [blocks.rate(epoch) for epoch in (0, 4, 5, 10, 11)] == pytest.approx(
        [1e-3, 1e-3, 2e-4, 4e-5, 4e-5]
    )
    # 50,000 images in batches of 256 are 196 steps an epoch: 40,000, 60,000 and 70,000 steps
    motifs = recipe(recipe="hierarchical-cifar10")
    falls = [round(steps / 196) for steps in (40_000, 60_000, 70_000, 80_000)]
    assert [motifs.rate(epoch) for epoch in (falls[0] - 1, *falls[:3])] == pytest.approx(
        [0.1, 0.01, 0.001, 0.0001]
    )
    assert motifs.epochs == falls[3]
    for name, options in RECIPES.items():
        # a rate that digits have by default is of no effect beside rates
        found = recipe(recipe=name).model_copy(
            update={"learning_rate": options.get("learning_rate", 1e-3)}
        )
        assert found == Recipe(**options), name


def test_what_is_given_goes_before_a_recipe_by_name():
    config = RunConfig.from_flat({"recipe": "nasnet-search", "clip_norm": 1.0, "epochs": 3})
    recipe = config.parts["evaluator"].recipe
    assert (recipe.clip_norm, recipe.epochs, recipe.schedule) == (1, 3, "cosine")
    assert config.changed({"budget": 3}).parts["evaluator"] == config.parts["evaluator"]
    falling = RunConfig.from_flat({"recipe": "nasnet-search", "decay": 0.5})
    assert falling.parts["evaluator"].recipe.schedule == "steps"
    usual = Recipe(**preset("block-qnn-cifar10", Recipe().model_dump(), 32, {"learning_rate": 1.0}))
    assert (usual.rates, usual.rate(0)) == (None, 1)
    with pytest.raises(MetaqnnError, match="rates is '0.1:3': a cosine has no other rates"):
        RunConfig.from_flat({"recipe": "nasnet-search", "rates": "0.1:3", "schedule": "cosine"})
