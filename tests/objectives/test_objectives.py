"""--objective: a real search for small networks, from the command line and from Python."""

import json
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from metaqnn import Search
from metaqnn.agents.base import AGENTS
from metaqnn.agents.bayesian import Bayesian
from metaqnn.agents.cost_bounds import CostBounds
from metaqnn.config import RunConfig
from metaqnn.errors import MetaqnnError
from metaqnn.networks.cost import known_costs, size_metrics
from metaqnn.objectives.names import OBJECTIVES
from metaqnn.runs.assembly import make_agent, trained_agent
from metaqnn.runs.run import open_run
from metaqnn.testing import sample_walks
from replay import Outcome
from tests.helpers.commands import FAST, refused
from tests.helpers.parts import image_task, run_of
from tests.helpers.spaces import make_space
from tests.helpers.tables import macro_table

SPACE = make_space("digits")
SHAPE = (1, 8, 8)


def parameters(walk):
    return known_costs(SHAPE, SPACE.architecture(walk))["parameters"]


@pytest.mark.slow
def test_a_run_finds_a_front_and_tells_of_it(invoke):
    options = [*FAST, "--budget", "7", "--agent", "bayesian", "--model-after", "3"]
    names = ["--objective", "parameters", "--objective", "multiply-adds"]
    assert invoke("run", "--name", "r", *options, *names).exit_code == 0
    every = json.loads(invoke("top-k", "results/r", "-k", "9", "--format", "json").output)
    front = json.loads(invoke("top-k", "results/r", "--pareto", "--format", "json").output)
    assert len(every) == 7
    for row in every:
        beaten = any(
            other["accuracy"] >= row["accuracy"]
            and other["parameters"] <= row["parameters"]
            and other["multiply_adds"] <= row["multiply_adds"]
            and other != row
            for other in every
        )
        assert beaten == (row not in front)
    assert front[0] == every[0]  # what is handed over is the best by the score
    assert "hypervolume 0." in invoke("top-k", "results/r", "--pareto").output
    assert invoke("plot", "results/r", "--figure", "hypervolume").exit_code == 0
    assert invoke("report", "results/r").exit_code == 0
    with open("results/r/report.html") as file:
        page = file.read()
    assert "hypervolume of accuracy from" in page
    assert "parameters, multiply-adds" in page
    found = open_run(Search.open("results/r").folder)
    with closing(found.memory()) as memory:
        told = [reward for _, reward in memory.history()]
    # it weighs the costs itself, and so is told the rewards
    assert trained_agent(found).model.rewards == told


@pytest.mark.slow
def test_a_run_without_objectives_has_no_hypervolume_but_a_front(finished):
    assert "against parameters" not in finished("plot", "results/r").output
    result = finished("plot", "results/r", "--figure", "hypervolume")
    refused(result, "the run has no objective beside its score")
    rows = json.loads(finished("top-k", "results/r", "--pareto", "--format", "json").output)
    own = ["--pareto", "parameters", "--format", "json"]
    assert rows == json.loads(finished("top-k", "results/r", *own).output)


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
def test_from_python_every_agent_has_objectives(tmp_path, agent):
    search = Search(
        results_dir=tmp_path,
        name="s",
        space="digits",
        shape=SHAPE,
        classes=10,
        agent=agent,
        objective=["parameters"],
        budget=12,
    )
    for asked in iter(search.ask, None):
        search.tell(asked, accuracy=0.1 + asked.seed % 800 / 1000)
    search.close()
    front = search.front()
    assert front["parameters"].is_monotonic_decreasing and front["accuracy"].is_monotonic_decreasing
    pd.testing.assert_frame_equal(front, search.front("parameters"))
    with pytest.raises(MetaqnnError, match="there is no objective 'size'"):
        search.front("size")


def test_an_objective_that_the_networks_do_not_have_is_refused(tmp_path):
    macro_table(tmp_path / "table.json")
    options = {"space": "macro", "evaluator": "table", "table": str(tmp_path / "table.json")}
    with pytest.raises(MetaqnnError, match="nothing tells the parameters of the networks"):
        Search(results_dir=tmp_path, name="s", agent="random", **options, objective="parameters")
    assert not (tmp_path / "s").exists()


def test_one_that_a_function_does_not_tell_ends_a_search(tmp_path):
    options = {"space": "macro", "evaluator": lambda job: 0.5, "objective": "parameters"}
    search = Search(results_dir=tmp_path, agent="random", **options)
    with pytest.raises(MetaqnnError, match="nothing tells the parameters of the networks"):
        search.run(quiet=True)


def test_what_an_objective_is_called_is_checked():
    with pytest.raises(MetaqnnError, match="there is no objective 'latence'"):
        RunConfig.from_flat({"objective": ["latence"]})
    assert RunConfig.from_flat({"objective": "parameters"}).rewards.costs == ("parameters",)
    both = RunConfig.from_flat({"objective": list(OBJECTIVES)})
    assert both.rewards.costs == tuple(objective.metric for objective in OBJECTIVES.values())
    assert RunConfig.from_flat({}).identity["objective"] == []


def test_costs_known_before_a_training_are_those_of_its_outcome():
    architecture = SPACE.architecture(sample_walks(SPACE, 1)[0])
    known = known_costs(SHAPE, architecture)
    assert known.items() <= size_metrics(architecture, SHAPE).items()


# bayesian


def made_bayesian(**options):
    """The agent of a run with an objective, which has been told of some networks."""
    run = run_of(SPACE, image_task(), agent="bayesian", objective=["parameters"], **options)
    return make_agent(run, SPACE)


def tell_walks(agent, walks):
    for number, walk in enumerate(walks):
        digest = SPACE.architecture(walk).digest
        trial = type("T", (), {"walk": walk, "digest": digest, "imported": False})
        agent.tell(trial, 0.1 + number % 7 / 10)


def test_bayesian_proposes_what_costs_no_more_than_a_drawn_bound(monkeypatch):
    agent, bounds = made_bayesian(), []
    draw = CostBounds.draw

    def note(self, walks, generator):
        bounds.append(draw(self, walks, generator))
        return bounds[-1]

    monkeypatch.setattr(CostBounds, "draw", note)
    walks = sample_walks(SPACE, 12)
    tell_walks(agent, walks)
    kept = 0
    for _ in range(8):
        found, _ = agent._affordable(0)
        fitting = [walk for walk in found if parameters(walk) <= np.exp(bounds[-1][0]) * (1 + 1e-9)]
        assert fitting == found or not any(map(agent.known.is_new, fitting))
        kept += fitting == found
    assert kept >= 4  # of the smallest networks there may be no new mutant within a bound
    sizes = np.exp([float(bound[0]) for bound in bounds])
    assert sizes.min() >= min(map(parameters, walks)) - 1e-6
    assert sizes.max() <= max(map(parameters, walks)) + 1e-6
    assert len(set(sizes)) == 8


def test_bayesian_is_as_ever_where_nothing_tells_the_costs():
    plain = make_agent(run_of(SPACE, image_task(), agent="bayesian"), SPACE)
    assert plain.costs is None and made_bayesian().costs is not None
    agents = [plain, Bayesian(SPACE, 0)]
    for agent in agents:
        tell_walks(agent, sample_walks(SPACE, 8))
    assert agents[0].ask() == agents[1].ask()


def test_costs_of_nothing_have_a_bound():
    bounds = CostBounds(SPACE, lambda architecture: (0.0,))
    walk = sample_walks(SPACE, 1)[0]
    bound = bounds.draw([walk], np.random.default_rng(0))
    assert bounds.fits(bound, walk) and np.isfinite(bound).all()


def test_outcomes_are_kept_as_they_were_without_objectives():
    rules = run_of(SPACE, image_task()).config.rewards
    assert rules.costs == ()
    outcome = Outcome(curve=(0.5,))
    from tests.helpers.parts import rules_of

    walk = sample_walks(SPACE, 1)[0]
    assert rules_of(SPACE, image_task()).with_costs(SPACE, walk, outcome) is outcome
    wanted = rules_of(SPACE, image_task(), objective=["multiply-adds"])
    assert wanted.with_costs(SPACE, walk, outcome).metrics["parameters"] == parameters(walk)
