"""Networks for digits an hour with two workers of one thread each, against one.

    python benchmarks/workers.py

The same networks, drawn from the space `digits` at random, three times in turn; once with the start
of the workers, and once when they are warm. The largest come first, lest a worker be idle at the
end while the other trains a large one: in a search there is always a next network.
"""

import time

import click
import numpy as np

from metaqnn.evaluators.base import Evaluator, Job, attempt
from metaqnn.executors.processes import Processes
from metaqnn.networks.cost import total_cost
from metaqnn.runs.assembly import make_evaluator
from metaqnn.runs.creation import plan_run
from state_space import random_walk


def measure(executor: Processes, evaluator: Evaluator, jobs: list[Job]) -> float:
    """Seconds until all networks are trained."""
    start = time.perf_counter()
    for future in [executor.submit(attempt, evaluator, job) for job in jobs]:
        outcome = future.result()
        assert outcome.error is None, outcome.error
    return time.perf_counter() - start


@click.command()
@click.option("--networks", default=40, show_default=True)
@click.option("--rounds", default=3, show_default=True)
def main(networks: int, rounds: int) -> None:
    """Print networks an hour, and the ratios."""
    run, _ = plan_run({"executor": "processes", "device": "cpu"})
    space = run.space()
    evaluator = make_evaluator(run, space)
    rng = np.random.default_rng(0)
    jobs = [Job(space.architecture(random_walk(space, rng)), seed) for seed in range(networks)]
    jobs.sort(key=lambda job: -total_cost(job.architecture, run.task.shape).multiply_adds)
    print("| round | start | 1 worker, networks/h | 2 workers, networks/h | ratio |")
    print("|---|---|---|---|---|")
    for number in range(1, rounds + 1):
        rates: dict[str, list[float]] = {"with": [], "without": []}
        for workers in (1, 2):
            executor = Processes([{"OMP_NUM_THREADS": "1"}] * workers)
            try:
                for start in rates:
                    rates[start].append(3600 * networks / measure(executor, evaluator, jobs))
            finally:
                executor.shutdown()
        for start, (one, two) in rates.items():
            print(f"| {number} | {start} | {one:,.0f} | {two:,.0f} | {two / one:.2f} |", flush=True)


if __name__ == "__main__":
    main()
