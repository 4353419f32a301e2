"""The contract of executors, over all of them; and what the options that choose them mean."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import tomllib
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import safetensors.numpy
import torch

from metaqnn import device
from metaqnn.config import RunConfig
from metaqnn.data.options import DataOptions
from metaqnn.errors import MetaqnnError, SearchStopped
from metaqnn.evaluators.base import FunctionEvaluator, Job, attempt
from metaqnn.executors import slots
from metaqnn.executors.base import EXECUTORS, WorkerLost
from metaqnn.executors.in_process import InProcess
from metaqnn.executors.processes import Processes
from metaqnn.executors.ray import Ray
from metaqnn.networks.notation import read
from state_space import random_walk
from tests import ROOT
from tests.helpers import calls
from tests.helpers.commands import FAST, refused
from tests.helpers.parts import evaluator_of
from tests.helpers.spaces import make_space

TIMEOUT = {"processes": 2.0, "ray": 6.0}
"""Ray needs a second or two to see that a worker is dead."""

ONE_THREAD = {"OMP_NUM_THREADS": "1"}

DISTRIBUTED = ["processes", pytest.param("ray", marks=pytest.mark.slow)]


def make(name, timeout=None):
    if name == "in-process":
        return InProcess()
    if name == "processes":
        return Processes([ONE_THREAD] * 2, timeout)
    # the workers of a cluster find only what is installed on their machine
    os.environ["PYTHONPATH"] = str(ROOT)
    return Ray(workers=2, timeout=timeout)


def descendants():
    """Processes that this one, or one of those, has started, but for Python's own tracker."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "resource_tracker" not in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            pass  # it has ended
    return found


@pytest.fixture(scope="module")
def shared():
    """Executors that several tests use, by name."""
    made = {}
    yield made
    for executor in made.values():
        executor.shutdown()


@pytest.fixture(params=["in-process", *DISTRIBUTED])
def executor(request, shared):
    return shared.get(request.param) or shared.setdefault(
        request.param, make(request.param, TIMEOUT.get(request.param))
    )


@pytest.fixture(params=DISTRIBUTED)
def distributed(request, shared):
    return shared.get(request.param) or shared.setdefault(
        request.param, make(request.param, TIMEOUT.get(request.param))
    )


@pytest.fixture
def alone(shared):
    """No other executor is there: a process can be in one Ray cluster only."""
    while shared:
        shared.popitem()[1].shutdown()


def test_every_executor_is_tried():
    tried = ["in-process", *(getattr(name, "values", [name])[0] for name in DISTRIBUTED)]
    assert tried == list(EXECUTORS)


def test_a_call_has_its_result(executor):
    futures = [executor.submit(calls.add, number, second=1) for number in range(50)]
    left = set(futures)
    while left:
        done = executor.wait(left)
        assert done and all(future.done() for future in done)
        left -= done
    assert [future.result() for future in futures] == list(range(1, 51))


def test_a_call_raises_what_it_raised(executor):
    with pytest.raises(KeyError, match="name"):
        executor.submit(calls.fail, KeyError("name")).result()
    with pytest.raises(Exception, match="this and that"):
        executor.submit(calls.fail_unpicklably).result()


def test_a_result_may_be_large(executor):
    assert len(executor.submit(calls.megabytes, 64).result()) == 2**26


def test_a_result_that_cannot_be_sent_is_an_error(distributed):
    with pytest.raises(Exception, match="pickle"):
        distributed.submit(calls.answer_unpicklably).result()


class Unsendable(FunctionEvaluator):
    """Cannot be pickled, or not be made again from its pickle."""

    def __reduce__(self):
        """Something that is wrong."""
        return self.function, ("not", "there")


@pytest.mark.parametrize(
    "evaluator", [FunctionEvaluator(threading.Lock()), Unsendable(threading.Lock())]
)
def test_what_cannot_be_pickled_is_told_in_one_line(distributed, evaluator):
    with pytest.raises(MetaqnnError) as error:
        distributed.submit(attempt, evaluator, None).result(timeout=60)
    assert "\n" not in str(error.value)
    for part in ("lock", "define it at the top level of a module", "workers=1"):
        assert part in str(error.value)


def test_what_a_worker_cannot_make_again_is_told_in_one_line(distributed):
    with pytest.raises(MetaqnnError, match="the first argument must be callable"):
        distributed.submit(attempt, Unsendable(partial), None).result(timeout=60)


class PickledSlowly:
    """Notes how many threads pickle at once."""

    now, most = 0, 0

    def __reduce__(self):
        """Take some time."""
        type(self).now += 1
        type(self).most = max(self.most, self.now)
        time.sleep(0.05)  # another thread has the time to begin
        type(self).now -= 1
        return int, (7,)


def test_an_object_is_not_pickled_by_two_threads_at_once():
    """CPython 3.11 may crash of it: see `metaqnn.executors.worker`."""
    pool = make("processes")
    try:
        futures = [pool.submit(calls.add, PickledSlowly(), 1) for _ in range(8)]
        assert [future.result() for future in futures] == [8] * 8
    finally:
        pool.shutdown()
    assert PickledSlowly.most == 1


def test_waiting_for_hundreds_takes_milliseconds(distributed):
    blocked = [distributed.submit(calls.sleep, 0.4) for _ in range(2)]
    waiting = [distributed.submit(calls.add, 1, 1) for _ in range(500)]
    start = time.process_time()
    assert distributed.wait([*blocked, *waiting])
    assert time.process_time() - start < 0.2
    assert all(future.result() == 2 for future in waiting)


def test_slots_are_full_and_never_more_than_full(distributed, tmp_path):
    assert distributed.slots == 2
    futures = [distributed.submit(calls.overlap, tmp_path) for _ in range(6)]
    assert max(future.result() for future in futures) == 2


def test_a_call_whose_worker_dies_is_made_once_more(distributed, tmp_path):
    assert distributed.submit(calls.die, tmp_path / "once", 1).result() == 2
    with pytest.raises(WorkerLost, match=r"^its worker died \(.*\), twice$"):
        distributed.submit(calls.die, tmp_path / "twice", 2).result()
    assert (tmp_path / "twice").read_text() == "xx"
    assert distributed.submit(calls.add, 1, 2).result() == 3


@pytest.mark.slow
def test_a_call_that_takes_too_long_is_made_once_more(distributed, tmp_path):
    timeout = TIMEOUT["ray" if isinstance(distributed, Ray) else "processes"]
    overdue = f"it took longer than {timeout:g} s"
    start = time.monotonic()
    with pytest.raises(WorkerLost, match=f"^{overdue}, twice$"):
        distributed.submit(calls.sleep, 600).result()
    assert 2 * timeout <= time.monotonic() - start < 200  # Ray takes its time on a busy machine
    with pytest.raises(WorkerLost, match=f"^its worker died .*, then {overdue}$"):
        distributed.submit(calls.die_or_sleep, tmp_path / "both").result()


@pytest.mark.parametrize("name", DISTRIBUTED)
def test_shutdown_ends_all_at_once_and_leaves_no_process(alone, name, tmp_path):
    before = set(descendants())
    made = make(name)
    running = [made.submit(calls.sleep, 600, tmp_path / str(number)) for number in range(2)]
    waiting = made.submit(calls.sleep, 600)
    while not all((tmp_path / str(number)).exists() for number in range(2)):
        time.sleep(0.05)
    assert set(descendants()) - before
    start = time.monotonic()
    made.shutdown()
    assert time.monotonic() - start < 15
    assert waiting.cancelled()
    _, alive = psutil.wait_procs(set(descendants()) - before, timeout=5)
    assert not alive
    assert all(future.done() for future in running)


def tensors(weights):
    """By name; the file's own header has no fixed order."""
    return {name: value.tobytes() for name, value in safetensors.numpy.load(weights).items()}


@pytest.mark.slow
def test_the_same_job_has_the_same_outcome_everywhere(alone):
    space = make_space("digits")
    rng = np.random.default_rng(1)
    jobs = [Job(space.architecture(random_walk(space, rng)), seed, -1.0) for seed in range(3)]
    found = {}
    for name in EXECUTORS:
        options = {"executor": name, "threads": 1, "epochs": 2, "device": "cpu"}
        evaluator = evaluator_of(space, **options)
        made = make(name)
        outcomes = [made.submit(attempt, evaluator, job) for job in jobs]
        found[name] = [
            (outcome.curve, tensors(outcome.weights), outcome.error)
            for outcome in (future.result() for future in outcomes)
        ]
        made.shutdown()
    assert all(len(curve) == 2 and weights for curve, weights, _ in found["in-process"])
    assert found["processes"] == found["in-process"] == found["ray"]


class TestProcesses:
    """What only local processes can show."""

    def test_a_worker_is_pinned_to_its_slot_for_good(self, tmp_path):
        made = Processes([{"SLOT": "a"}, {"SLOT": "b"}])
        try:
            seen = set()
            for number in range(10):
                folder = tmp_path / str(number)
                folder.mkdir()
                futures = [made.submit(calls.meet, folder, "SLOT") for _ in range(2)]
                met = {future.result() for future in futures}
                assert {slot for slot, _ in met} == {"a", "b"}
                seen |= met
            assert len(seen) == 2
            assert "SLOT" not in os.environ
        finally:
            made.shutdown()

    @pytest.mark.slow
    def test_a_successor_has_the_same_environment(self, tmp_path):
        made = Processes([{"SLOT": "a", "OMP_NUM_THREADS": "1"}])
        try:
            first = made.submit(calls.worker).result()
            assert made.submit(calls.die, tmp_path / "x", 1).result() == 2
            assert made.submit(calls.worker).result() != first
            assert made.submit(calls.variable, "SLOT").result() == "a"
            assert made.submit(calls.threads).result() == 1
        finally:
            made.shutdown()

    @pytest.mark.slow
    def test_a_worker_that_died_idle_costs_no_call_an_attempt(self, tmp_path):
        made = Processes([{}])
        try:
            for number in range(3):
                os.kill(made.submit(calls.worker).result(), signal.SIGKILL)
                assert made.submit(calls.die, tmp_path / str(number), 1).result() == 2
        finally:
            made.shutdown()

    @pytest.mark.slow
    def test_a_worker_killed_while_it_sends_is_no_reason_to_hang(self):
        made = Processes([{}])
        try:
            worker = psutil.Process(made.submit(calls.worker).result())
            future = made.submit(calls.megabytes, 500)
            code = (
                "import os, signal, sys\n"
                "def sent(): return int(open(f'/proc/{sys.argv[1]}/io').read().split()[3])\n"
                "while sent() < 10_000_000: pass\n"
                "os.kill(int(sys.argv[1]), signal.SIGKILL)"
            )
            subprocess.run([sys.executable, "-c", code, str(worker.pid)], check=True)
            assert len(future.result(timeout=60)) == 500 * 2**20
        finally:
            made.shutdown()

    def test_a_worker_that_cannot_start_ends_the_search(self, monkeypatch):
        monkeypatch.setattr(slots, "MOST_STARTS", 2)
        made = Processes([{"PYTHONHOME": "/nowhere"}])
        try:
            with pytest.raises(SearchStopped, match="2 workers in a row ended before they began"):
                made.submit(calls.worker).result(timeout=60)
        finally:
            made.shutdown()

    def test_ctrl_c_in_the_terminal_ends_no_worker(self):
        made = Processes([{}])
        try:
            first = made.submit(calls.worker).result()
            os.kill(first, signal.SIGINT)
            assert made.submit(calls.worker).result() == first
        finally:
            made.shutdown()

    @pytest.mark.slow
    def test_a_worker_ends_with_a_driver_that_is_killed(self, tmp_path):
        code = (
            "import pathlib, sys, time; sys.path.insert(0, sys.argv[1])\n"
            "from tests.helpers import calls\n"
            "from metaqnn.executors.processes import Processes\n"
            "if __name__ == '__main__':\n"
            "    made = Processes([{}] * 2)\n"
            "    for n in '01': made.submit(calls.sleep, 600, pathlib.Path(sys.argv[2], n))\n"
            "    time.sleep(600)\n"
        )
        script = tmp_path / "driver.py"
        script.write_text(code)
        driver = psutil.Popen([sys.executable, str(script), str(ROOT), str(tmp_path)])
        marks = [tmp_path / "0", tmp_path / "1"]
        while not all(mark.exists() and mark.read_text() for mark in marks):
            time.sleep(0.05)
        workers = driver.children(recursive=True)
        assert {int(mark.read_text()) for mark in marks} <= {worker.pid for worker in workers}
        driver.kill()
        driver.wait()
        _, alive = psutil.wait_procs(workers, timeout=5)
        assert not alive

    def test_threads_that_start_workers_leave_the_environment_as_it_was(self):
        before = dict(os.environ)
        made = Processes([{"A": str(slot), "HOME": "/"} for slot in range(2)])
        futures = [made.submit(calls.variable, "A") for _ in range(4)]
        assert {future.result() for future in futures} <= {"0", "1"}
        made.shutdown()
        assert dict(os.environ) == before
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert threading.active_count() < 20


class TestOptions:
    """What the options mean."""

    def test_gpus_are_shared_out_and_called_as_the_machine_calls_them(self, monkeypatch):
        monkeypatch.setattr(device, "_gpus", lambda: 2)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5")
        assert device.visible_gpus("auto") == device.visible_gpus("cuda") == ["3", "GPU-5"]
        assert device.visible_gpus("cuda:1") == ["GPU-5"]
        assert device.visible_gpus("cpu") == []

        def pins(**options):
            config = RunConfig.from_flat({"executor": "processes", **options})
            made = Processes.from_options(config.parts["executor"], config.run.device)
            made.shutdown()
            return [place._variables.get("CUDA_VISIBLE_DEVICES") for place in made._places]

        assert pins() == ["3", "GPU-5"]
        assert pins(slots_per_gpu=2) == ["3", "GPU-5", "3", "GPU-5"]
        assert pins(workers=1, slots_per_gpu=2) == ["3"]
        assert pins(workers=2, slots_per_gpu=2, device="cuda:1") == ["GPU-5", "GPU-5"]
        assert pins(device="cpu", workers=3) == [None] * 3
        with pytest.raises(MetaqnnError, match=r"^workers is 5, but there is room for 4: GPUs"):
            pins(workers=5, slots_per_gpu=2)
        space = make_space("digits")
        evaluator = evaluator_of(space, executor="processes", device="cuda:1")
        assert evaluator.place.device == "cuda:0"

    def test_workers_or_a_timeout_choose_processes(self):
        chosen = [{}, {"workers": 1}, {"workers": 2}, {"network-timeout": 5.0}]
        names = [RunConfig.from_flat(options).run.executor for options in chosen]
        assert names == ["in-process", "in-process", "processes", "processes"]

    @pytest.mark.parametrize(
        ("options", "parts"),
        [
            (["--executor", "in-process", "--workers", "4"], ["workers is 4", "--executor"]),
            (["--executor", "in-process", "--network-timeout", "9"], ["network-timeout is 9.0"]),
            (
                ["--executor", "processes", "--ray-address", "auto"],
                ["ray-address is an option of the executor ray"],
            ),
            (["--executor", "proceses"], ["no executor 'proceses'", "processes"]),
            (["--executor", "ray", "--device", "cuda:1"], ["device is 'cuda:1'", "auto"]),
            (["--workers", "0"], ["workers is 0"]),
        ],
    )
    def test_options_that_make_no_sense_are_refused(self, invoke, options, parts):
        refused(invoke("run", *FAST, *options), *parts)
        assert not Path("results").exists()

    def test_without_ray_one_line_says_how_to_install_it(self, invoke, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        refused(invoke("run", *FAST, "--executor", "ray"), "pip install 'metaqnn[ray]'")
        assert not Path("results").exists()

    def test_resume_changes_where_a_run_goes_on(self, invoke):
        def run(command, *options):
            result = invoke(command, *options, "--quiet")
            assert result.exit_code == 0, result.output
            config = tomllib.loads(Path("results/r/config.toml").read_text())
            return config["executor"], config.get("workers"), config.get("network-timeout")

        nothing = ["--name", "r", "--budget", "0"]
        assert run("run", *nothing) == ("in-process", None, None)
        resume = ["resume", "results/r"]
        assert run(*resume, "--workers", "2", "--network-timeout", "9") == ("processes", 2, 9.0)
        assert run(*resume, "--threads", "1") == ("processes", 2, 9.0)
        assert run(*resume, "--executor", "in-process") == ("in-process", None, None)

    def test_a_network_has_its_threads_and_the_process_those_of_before(self, monkeypatch):
        from metaqnn.training import job

        seen = []
        monkeypatch.setattr(job, "train", lambda *job, **options: seen.append(threads()))
        monkeypatch.setattr("metaqnn.training.threads.fastest_threads", lambda *_: 5)
        threads = torch.get_num_threads
        before = threads()
        torch.set_num_threads(3)
        try:
            for options in ({"threads": 2}, {}, {"dataset": "mnist"}):
                evaluator = evaluator_of(make_space("digits"), device="cpu", **options)
                digits = replace(evaluator, images=DataOptions())
                digits(Job(read("[SM(10)]"), 1))
                assert threads() == 3
        finally:
            torch.set_num_threads(before)
        assert seen == [2, 1, 5]

    def test_an_evaluator_travels_with_its_images(self, monkeypatch):
        space = make_space("digits")
        evaluator = evaluator_of(space, epochs=1, device="cpu", threads=1)
        assert len(pickle.dumps(evaluator)) < 10_000
        packed = pickle.loads(pickle.dumps(evaluator.with_data()))
        job = Job(space.architecture(("SM(10)",)), 1)
        whole = evaluator(job)
        from metaqnn.training import job as jobs

        jobs._split_on_device.cache_clear()
        monkeypatch.setattr(jobs, "load_split", None)  # there are no files
        assert packed(job).curve == whole.curve
        jobs._split_on_device.cache_clear()
