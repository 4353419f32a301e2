"""Lei & Xiong's figure 2: does the controller come to prefer 7, 7, 128 in both layers?

    python benchmarks/lei_xiong_bandit.py --out results/published

The linear bandit (`metaqnn/evaluators/bandit.py`) pays more for larger filters and more channels,
by 0.025 a step, with a noise of up to 10 % a decision. Over 20 seeds: after how many updates does
the controller give each of the six right decisions, the ones before it being right, a probability
above 0.9; with their Adam 0.01 and weight decay 1e-4, and with others; no entropy bonus.
Writes lei-xiong-bandit.csv, a row a seed and setting, and the figure of the probabilities.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import matplotlib
import numpy as np
import numpy.typing as npt
import pandas as pd

from metaqnn.agents.reinforce import Reinforce, ReinforceOptions
from metaqnn.evaluators.bandit import BanditEvaluator
from metaqnn.evaluators.base import Job
from metaqnn.spaces import bind_space, read_space
from replay import Trial

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  # behind the choice of backend

SPACE = bind_space(read_space("lei-xiong"), (1, 28, 28), 10)
BEST = SPACE.parse("[CB(128,7,7,1,1), CB(128,7,7,1,1), SM(10)]")
SURE = 0.9


@dataclass(frozen=True)
class Setting:
    """Of the controller."""

    name: str
    batch: int
    rate: float
    decay: float
    baseline_decay: float


SETTINGS = [
    Setting("Lei & Xiong", batch=16, rate=0.01, decay=1e-4, baseline_decay=0.95),
    Setting("faster", batch=32, rate=0.03, decay=1e-4, baseline_decay=0.3),
]


@click.command()
@click.option("--seeds", default=20, show_default=True)
@click.option("--updates", default=200, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A folder.")
def main(seeds: int, updates: int, out: Path) -> None:
    """Learn, and write table and figure."""
    rows = []
    probabilities = {}
    for setting in SETTINGS:
        runs = [learn(setting, seed, updates) for seed in range(seeds)]
        probabilities[setting.name] = np.array(runs)
        for seed, run in enumerate(runs):
            rows.append(
                {
                    "setting": setting.name,
                    "batch": setting.batch,
                    "rate": setting.rate,
                    "weight_decay": setting.decay,
                    "seed": seed,
                    "updates_until_each_above_0.9": first(run.min(axis=1) > SURE),
                    "updates_until_product_above_0.9": first(run.prod(axis=1) > SURE),
                    "smallest_at_the_end": run[-1].min(),
                }
            )
        click.echo(f"{setting.name} is done")
    table = pd.DataFrame(rows)
    table.to_csv(
        out / "lei-xiong-bandit.csv", index=False, float_format="%.4f", lineterminator="\n"
    )
    for name, part in table.groupby("setting"):
        needed = part["updates_until_each_above_0.9"]
        click.echo(
            f"{name}, batch {part['batch'].iloc[0]}: {needed.notna().sum()} of {seeds} seeds above "
            f"{SURE} in all six decisions; updates: median {needed.median():.0f}, "
            f"{needed.min():.0f} to {needed.max():.0f}; "
            f"{(part['smallest_at_the_end'] > SURE).sum()} are so after {updates} updates"
        )
    draw(probabilities, out)


def learn(setting: Setting, seed: int, updates: int) -> npt.NDArray[np.float64]:
    """The probabilities of the six right decisions after 0, 1, ... updates; (updates + 1, 6)."""
    options = ReinforceOptions(
        controller_batch=setting.batch,
        controller_rate=setting.rate,
        controller_decay=setting.decay,
        baseline_decay=setting.baseline_decay,
        entropy=0.0,
        logit_bound=0.0,
    )
    agent = Reinforce(SPACE, seed, options)
    evaluator = BanditEvaluator()
    generator = np.random.default_rng([seed, 1])  # u is drawn anew at every pull
    found = [agent.policy.probabilities(BEST)]
    for _ in range(updates):
        for number in range(setting.batch):
            walk = agent.ask().walk
            job = Job(SPACE.architecture(walk), int(generator.integers(2**62)))
            agent.tell(Trial(number, walk, 0, "", 0, {}), evaluator(job).curve[0])
        found.append(agent.policy.probabilities(BEST))
    return np.array(found)


def first(reached: npt.NDArray[np.bool_]) -> float:
    """The number of updates at which it is so for the first time; nan if never."""
    return float(reached.argmax()) if reached.any() else float("nan")


def draw(probabilities: dict[str, npt.NDArray[np.float64]], out: Path) -> None:
    """A panel a setting: the median seed and the middle 90 % of each decision's probability."""
    figure, axes = pyplot.subplots(
        1, len(SETTINGS), figsize=(9, 3.6), sharey=True, layout="constrained"
    )
    looks = [("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", ":")]
    for axis, (name, runs) in zip(axes, probabilities.items(), strict=True):
        for number, token in enumerate(BEST):
            colour, line = looks[number % 3]
            layer = number // 3 + 1
            low, middle, high = np.quantile(runs[:, :, number], [0.05, 0.5, 0.95], axis=0)
            axis.fill_between(range(len(middle)), low, high, color=colour, alpha=0.08)
            axis.plot(
                middle,
                color=colour,
                linestyle=line,
                linewidth=2.4 / layer,
                label=f"{token.replace(':', ' ')}, layer {layer}",
            )
        axis.axhline(SURE, color="0.6", linewidth=0.8)
        axis.set(title=name, xlabel="updates of the controller", ylim=(0, 1))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("probability of the right decision")
    axes[-1].legend(frameon=False, loc="lower right", fontsize="small")
    for kind in ("svg", "png"):
        figure.savefig(out / f"lei-xiong-bandit.{kind}", dpi=150)


if __name__ == "__main__":
    main()
