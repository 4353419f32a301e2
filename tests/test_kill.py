"""Real searches with four workers, and all that can happen to them: kills, a full disk, readers."""

import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from click.testing import CliRunner

from metaqnn.cli import main
from replay import Memory

pytestmark = pytest.mark.slow

TINY = ["--epochs", "1", "--train-limit", "200", "--device", "cpu"]
MARK = "METAQNN_TEST_FOLDER"


@pytest.fixture
def metaqnn(tmp_path):
    """Start a command in the test's folder; at the end no process is left of any."""

    def start(*arguments, **options):
        return subprocess.Popen(
            [sys.executable, "-m", "metaqnn", *arguments],
            cwd=tmp_path,
            env={**os.environ, MARK: str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    yield start
    left = wait_for_end(tmp_path)
    for process in left:
        process.kill()  # lest they take the time of all tests that follow
    assert not left


def processes(folder):
    """All that were started in the test, by whomever, and run still."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder):
                found.append(process)
        except psutil.Error:
            pass  # it has ended, or is somebody else's
    return found


def wait_for_end(folder, seconds=5):
    """The processes that are left after so many seconds."""
    _, left = psutil.wait_procs(processes(folder), timeout=seconds)
    return left


def workers(driver):
    found = []
    for child in psutil.Process(driver.pid).children():
        with suppress(psutil.Error):  # it has just ended
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def finished(folder):
    """What came of each finished trial, by its number."""
    path = folder / "results" / "r" / "memory.sqlite"
    if not path.exists():
        return {}
    memory = Memory.open(path)
    trials = memory.frame()
    memory.close()
    done = trials[trials["finished"].astype(bool)]
    return {
        number: (walk, reward, str(seconds), str(error))
        for number, walk, reward, seconds, error in zip(
            done["number"],
            done["walk"],
            done["reward"],
            done.get("seconds", done["reward"]),
            done["error"],
            strict=True,
        )
    }


def wait_for(folder, number, process):
    """Until so many trials have finished."""
    deadline = time.monotonic() + 120
    while len(finished(folder)) < number:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)


def check_whole(folder, budget):
    """The budget's distinct networks have finished, each with one outcome."""
    outcomes = {}
    for walk, _, seconds, error in finished(folder).values():
        outcomes.setdefault(walk, set()).add((seconds, error))
    assert len(outcomes) == budget
    assert all(len(found) == 1 for found in outcomes.values())


def test_workers_killed_at_random_cost_no_network_and_ctrl_c_leaves_none(metaqnn, tmp_path):
    generator = random.Random(1)
    driver = metaqnn(
        *("run", "--name", "r", *TINY, "--workers", "4", "--budget", "5000", "--quiet"),
        # else a background job, in which SIGINT is ignored, hands that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(tmp_path, 4, driver)
    for number in range(30):
        time.sleep(generator.uniform(0, 1))
        # on a slow machine all would be killed before they have trained anything, again and again
        wait_for(tmp_path, len(finished(tmp_path)) + 1, driver)
        generator.choice(workers(driver)).kill()
        if number == 15:
            second = metaqnn("resume", "results/r")
            _, errors = second.communicate(timeout=60)
            assert second.returncode != 0
            assert errors.startswith("Error: another process is working on")
            assert len(errors.splitlines()) == 1
    before = finished(tmp_path)
    wait_for(tmp_path, len(before) + 8, driver)
    driver.send_signal(signal.SIGINT)
    _, errors = driver.communicate(timeout=20)
    assert driver.returncode == 130
    assert errors.startswith("stopped after ") and len(errors.splitlines()) == 1
    assert not wait_for_end(tmp_path, 1)
    before = finished(tmp_path)
    budget = len({walk for walk, *_ in before.values()}) + 8
    driver = metaqnn("resume", "results/r", "--budget", str(budget), "--quiet")
    assert driver.communicate(timeout=120) == ("", "")
    assert driver.returncode == 0
    assert before.items() <= finished(tmp_path).items()
    check_whole(tmp_path, budget)
    lost = [error for *_, error in before.values() if error not in ("None", "nan")]
    assert all("its worker died (signal 9), twice" in error for error in lost)
    assert len(lost) <= len(before) / 4


def test_a_driver_killed_ten_times_loses_nothing_and_leaves_no_worker(metaqnn, tmp_path):
    generator = random.Random(2)
    budget = 60
    driver = metaqnn(
        "run", "--name", "r", *TINY, "--workers", "4", "--budget", str(budget), "--quiet"
    )
    known = {}
    for number in range(10):
        if number % 2 == 0 and len(known) < budget - 20:
            wait_for(tmp_path, len(known) + 1, driver)
        time.sleep(generator.uniform(0, 3))
        driver.kill()
        driver.communicate()
        assert driver.returncode in (-signal.SIGKILL, 0)
        assert not wait_for_end(tmp_path)
        now = finished(tmp_path)
        assert known.items() <= now.items()
        known = now
        driver = metaqnn("resume", "results/r", "--quiet")
    assert driver.communicate(timeout=180) == ("", "")
    assert driver.returncode == 0
    assert known.items() <= finished(tmp_path).items()
    check_whole(tmp_path, budget)


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(metaqnn, tmp_path):
    driver = metaqnn(
        *("run", "--name", "r", *TINY, "--workers", "4", "--budget", "5000", "--quiet"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)),
    )
    _, errors = driver.communicate(timeout=120)
    assert driver.returncode == 1
    assert errors.startswith("Error: ") and len(errors.splitlines()) == 1
    known = finished(tmp_path)
    assert known
    budget = len({walk for walk, *_ in known.values()}) + 4
    driver = metaqnn("resume", "results/r", "--budget", str(budget), "--quiet")
    assert driver.communicate(timeout=120) == ("", "")
    assert known.items() <= finished(tmp_path).items()
    check_whole(tmp_path, budget)


def test_a_folder_that_cannot_be_written_is_one_line(metaqnn, tmp_path):
    Path(tmp_path, "results").write_text("a file, no folder")
    driver = metaqnn("run", *TINY, "--workers", "4", "--budget", "1")
    _, errors = driver.communicate(timeout=60)
    assert driver.returncode == 2
    assert errors.startswith("Error: results/digits-1 cannot be made: ")
    assert len(errors.splitlines()) == 1


def test_readers_read_while_a_search_writes_a_thousand_times(metaqnn, tmp_path):
    driver = metaqnn(
        *("run", "--name", "r", "--agent", "random", "--workers", "4", "--budget", "500"),
        *("--evaluator", "bandit", "--space", "lei-xiong", "--quiet"),
    )
    while not (tmp_path / "results" / "r").exists():
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.05)
    reads = 0
    while driver.poll() is None:
        known = finished(tmp_path)
        result = CliRunner().invoke(main, ["top-k", str(tmp_path / "results" / "r")])
        assert result.exit_code == 0 or not known, result.output
        reads += 1
    assert driver.communicate() == ("", "")
    assert reads >= 5
    check_whole(tmp_path, 500)


def test_no_memory_grows(metaqnn, tmp_path):
    driver = metaqnn("run", "--name", "r", *TINY, "--workers", "2", "--budget", "600", "--quiet")
    sizes = []
    for number in (120, 500):
        while len(finished(tmp_path)) < number:
            assert driver.poll() is None
            time.sleep(0.1)
        there = [psutil.Process(driver.pid), *workers(driver)]
        sizes.append({process.pid: process.memory_info().rss / 2**20 for process in there})
    assert driver.communicate(timeout=120) == ("", "")
    early, late = sizes
    assert early.keys() == late.keys() and len(late) == 3
    for pid, size in late.items():
        assert size < early[pid] + 40, (early, late)


def test_a_ray_cluster_that_loses_a_node_ends_the_search_with_all_networks(metaqnn, tmp_path):
    ray = Path(sys.executable).with_name("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"

    def start_node(*arguments):
        return subprocess.Popen(
            [ray, "start", *arguments, "--num-cpus", "2", "--block", "--disable-usage-stats"],
            env={**os.environ, MARK: str(tmp_path), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill_node(node):
        for process in [*psutil.Process(node.pid).children(recursive=True), node]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        node.wait()

    # a path for sockets must be short
    with TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        port = address.partition(":")[2]
        options = ["--port", port, "--include-dashboard", "false", "--temp-dir", folder]
        nodes = [start_node("--head", *options)]
        try:
            wait_for_port(int(port))
            nodes.append(start_node("--address", address))
            driver = metaqnn(
                *("run", "--name", "r", *TINY, "--executor", "ray", "--ray-address", address),
                *("--workers", "4", "--budget", "60", "--quiet"),
            )
            wait_for(tmp_path, 8, driver)
            assert nodes_alive(address, folder) == 2
            kill_node(nodes.pop())
            _, errors = driver.communicate(timeout=180)  # Ray may announce there that a node died
            assert (driver.returncode, errors) == (0, "")
            deadline = time.monotonic() + 60  # the cluster takes its time to miss a node
            while nodes_alive(address, folder) > 1:
                assert time.monotonic() < deadline
        finally:
            for node in nodes:
                kill_node(node)
    check_whole(tmp_path, 60)
    assert not [error for *_, error in finished(tmp_path).values() if error not in ("None", "nan")]


def nodes_alive(address, folder):
    """How many nodes a cluster has, as it sees it itself."""
    code = (
        "import sys, ray; ray.init(sys.argv[1], log_to_driver=False, _temp_dir=sys.argv[2]);"
        "print('alive:', sum(node['Alive'] for node in ray.nodes()), flush=True)"
    )
    answer = subprocess.check_output(
        [sys.executable, "-c", code, address, folder], text=True, stderr=subprocess.DEVNULL
    )
    return int(re.search(r"alive: (\d+)", answer)[1])  # Ray may say something too


def wait_for_port(port, seconds=60):
    """Until somebody listens there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    raise AssertionError(f"nobody listens at {port}")
