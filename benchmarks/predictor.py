"""What stopping hopeless trainings saves, and what it costs, replayed from a run that stopped none.

    python benchmarks/predictor.py RUN --out results/published

RUN is the folder of a run whose networks were all trained in full, best by the agent `random`: its
accuracies do not rise, so any order is a fair one. The networks are trained again from their curves
as a search with --predictor or --halving would have, in the order in which they finished and in
random orders. Writes two tables, each as Markdown and CSV, means over the orders with standard
deviations.

predictor.md, by rule: the share of all epochs that is saved, and the same of the networks after
those that the predictor learns from; the share of the best 5 % of all networks, and of the best 5,
that were stopped; the share of the networks that were found hopeless and end above their rival; and
Spearman's rank correlation of what the agent is told with the accuracies in the end.

predictor-epochs.md, by the epochs seen, for regressors fitted to the first networks and tried on
the others: the rank correlation with the accuracy in the end of the prediction, and of the best
accuracy so far, to compare; the root mean square of the errors, in points, and what
cross-validation said of it.

    python benchmarks/predictor.py --live DIR

makes the same search of digits without stopping, with --predictor and with --halving, with several
seeds, and writes predictor-live.md and .csv: the seconds of training, the epochs and the best
measured accuracies of each. Searches that are in DIR already are gone on with.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import numpy as np
import pandas as pd

from metaqnn.reports.stopping import Savings
from metaqnn.runs.run import Run, open_run
from metaqnn.stopping.base import Progress, Stopper
from metaqnn.stopping.halving import Halving
from metaqnn.stopping.predictor import Predictor, PredictorOptions, features, fit
from metaqnn.task import Score
from replay import Outcome, Trial

Recorded = tuple[Trial, Outcome]

TOP = 0.05
BEST = 5


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), default=".", help="Folder of the tables.")
@click.option("--orders", default=10, show_default=True, help="The recorded one and random ones.")
@click.option("--rival", default=5, show_default=True, help="As of `metaqnn run`.")
@click.option("--after", default=100, show_default=True, help="--predictor-after.")
@click.option("--live", type=click.Path(path_type=Path), help="Folder of the live runs.")
@click.option("--seeds", default=3, show_default=True, help="Of --live.")
@click.option("--budget", default=150, show_default=True, help="Of --live.")
def main(
    run: Path | None,
    out: Path,
    orders: int,
    rival: int,
    after: int,
    live: Path | None,
    seeds: int,
    budget: int,
) -> None:
    """Write the tables of a recorded run, or make live ones."""
    if live is not None:
        found = search(live, range(seeds), budget)
        found.to_csv(out / "predictor-live.csv", index=False, lineterminator="\n")
        text = found.to_markdown(index=False, floatfmt=".4g")
        (out / "predictor-live.md").write_text(text + "\n", encoding="utf-8")
        click.echo(text)
    if run is not None:
        replay(open_run(run), out, orders, rival, after)


def replay(run: Run, out: Path, orders: int, rival: int, after: int) -> None:
    """Write the tables."""
    recorded = [(trial, outcome) for trial, outcome, _ in run.memory().trained()]
    recorded = [entry for entry in recorded if entry[1].error is None]
    epochs, score = epochs_of(run), run.task.score
    rules, by_epoch = [], []
    for order in range(orders):
        if order:
            shuffled = np.random.default_rng(order).permutation(len(recorded))
            again = [recorded[position] for position in shuffled]
        else:
            again = recorded
        for name, stopper in stoppers(rival, after, epochs, score):
            told = list(train_again(again, epochs, stopper))
            rules.append({"rule": name, "order": order, **figures(again, told, after, epochs)})
            click.echo(f"order {order}: {name}", err=True)
        by_epoch.append(predictions([outcome for _, outcome in again], after, epochs))
    write(pd.DataFrame(rules).drop(columns="order"), "rule", out / "predictor")
    write(pd.concat(by_epoch), "epochs seen", out / "predictor-epochs")


def stoppers(rival: int, after: int, epochs: int, score: Score) -> Iterable[tuple[str, Stopper]]:
    """What is compared, by name."""
    for delta in (0.9, 0.95, 0.99):
        options = PredictorOptions(delta=delta, rival=rival, predictor_after=after)
        yield f"predictor, delta {delta}", Predictor.from_options(options, epochs, score)
    for factor in (2, 3):
        yield f"halving, factor {factor}", Halving(factor, 1, epochs)


def train_again(recorded: Sequence[Recorded], epochs: int, stopper: Stopper) -> Iterable[Outcome]:
    """What would have come of the networks, with one worker."""
    for trial, outcome in recorded:
        rule = stopper.rule(trial)
        told = outcome
        # one that never left chance is not looked at, as in the training loop
        for seen in range(1, epochs) if rule and len(outcome.curve) == epochs else ():
            curve = outcome.curve[:seen]
            verdict = rule(Progress(outcome.metrics, epochs, curve))
            if verdict:
                metrics = {**outcome.metrics, **verdict.metrics}
                told = Outcome(metrics, outcome.curve if verdict.goes_on else curve)
                break
        stopper.tell(trial, told)
        yield told


def figures(
    recorded: Sequence[Recorded], told: Sequence[Outcome], after: int, epochs: int
) -> dict[str, float]:
    """A row of the first table, in percent but for the correlation."""
    final = pd.Series([max(outcome.curve) for _, outcome in recorded])
    rewards = pd.Series([outcome.metrics.get("predicted", max(outcome.curve)) for outcome in told])
    full = pd.Series([len(outcome.curve) for _, outcome in recorded])
    spent = pd.Series([len(outcome.curve) for outcome in told])
    stopped = spent < full
    rival = pd.Series([outcome.metrics.get("rival", np.nan) for outcome in told])
    judged = rival.notna()
    ranking = final.sort_values(ascending=False, kind="stable").index
    return {
        "epochs saved": 100 * (1 - spent.sum() / full.sum()),
        "saved later": 100 * (1 - spent[after:].sum() / full[after:].sum()),
        "best 5 % stopped": 100 * stopped[ranking[: round(TOP * len(final))]].mean(),
        "best 5 stopped": 100 * stopped[ranking[:BEST]].mean(),
        "wrong": 100 * (final[judged] > rival[judged]).mean() if judged.any() else np.nan,
        "rank correlation": rewards.corr(final, method="spearman"),
    }


def predictions(outcomes: Sequence[Outcome], after: int, epochs: int) -> pd.DataFrame:
    """The rows of the second table: fitted to the first networks, tried on the others."""
    full = [outcome for outcome in outcomes if len(outcome.curve) == epochs]
    final = pd.Series([max(outcome.curve) for outcome in full[after:]])
    rows = []
    for seen, regressor in fit(full[:after], epochs).items():
        best = pd.Series([max(outcome.curve[:seen]) for outcome in full[after:]])
        predicted = pd.Series(
            [
                regressor.predict(features(outcome.curve[:seen], outcome.metrics))
                for outcome in full[after:]
            ]
        )
        predicted = predicted.clip(lower=best, upper=1.0)
        rows.append(
            {
                "epochs seen": seen,
                "rank correlation": predicted.corr(final, method="spearman"),
                "of the best so far": best.corr(final, method="spearman"),
                "error": 100 * np.sqrt(((predicted - final) ** 2).mean()),
                "cross-validated": 100 * regressor.deviation,
            }
        )
    return pd.DataFrame(rows)


def epochs_of(run: Run) -> int:
    """How many a training takes in full."""
    epochs: int = run.config.values()["epochs"]
    return epochs


def write(rows: pd.DataFrame, key: str, path: Path) -> None:
    """Write means and standard deviations over the orders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    groups = rows.groupby(key, sort=False)
    means, deviations = groups.mean(), groups.std(ddof=1)
    both = means.join(deviations.add_suffix(", deviation"))
    both.to_csv(path.with_suffix(".csv"), float_format="%.4f", lineterminator="\n")
    table = pd.DataFrame(index=means.index)
    for name in means:
        form = "{:.3f}" if "correlation" in name or "best so far" in name else "{:.1f}"
        table[name] = [
            "" if np.isnan(mean) else f"{form} ± {form}".format(mean, deviation)
            for mean, deviation in zip(means[name], deviations[name], strict=True)
        ]
    text = table.to_markdown()
    path.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    click.echo(text)


def search(folder: Path, seeds: Iterable[int], budget: int) -> pd.DataFrame:
    """Live searches of digits, one after the other, each in a process of its own."""
    modes = {"in full": [], "predictor": ["--predictor", "--predictor-after", "40"]}
    rows = []
    for seed in seeds:
        for mode, options in {**modes, "halving": ["--halving"]}.items():
            name = f"{mode.replace(' ', '-')}-{seed}"
            if (folder / name).exists():
                command = ["resume", str(folder / name)]
            else:
                place = ["--name", name, "--results-dir", str(folder), "--keep", "0"]
                command = ["run", "--seed", str(seed), *place, "--device", "cpu", *options]
            command += ["--budget", str(budget), "--quiet"]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            subprocess.run([sys.executable, "-m", "metaqnn", *command], env=environment, check=True)
            run = open_run(folder / name)
            trials = run.memory().frame().query("first")
            savings = Savings.of(trials, epochs_of(run))
            stopped = "predicted" in trials
            measured = trials["predicted"].isna() if stopped else trials["first"]
            rows.append(
                {
                    "search": mode,
                    "seed": seed,
                    "seconds of training": trials["seconds"].sum(),
                    "epochs": savings.epochs - savings.saved,
                    "stopped": savings.stopped,
                    "spared": savings.spared,
                    "wrong": savings.wrong,
                    "best": trials.loc[measured, "reward"].max(),
                    "mean of the best 5": trials.loc[measured, "reward"].nlargest(BEST).mean(),
                }
            )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
