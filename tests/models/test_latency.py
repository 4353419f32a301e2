"""How long networks take is measured."""

import torch

from metaqnn.models import latency
from metaqnn.models.formats import export
from metaqnn.models.latency import median_latency
from metaqnn.models.model import Facts
from metaqnn.networks.build import Network
from metaqnn.networks.notation import read


def exported(text, tmp_path):
    """The ONNX file of a network with random weights, which reads 16x16 images."""
    network = Network(read(text), (3, 16, 16), torch.Generator().manual_seed(0)).eval()
    names = tuple(map(str, range(10)))
    export(network, Facts(text, (3, 16, 16), names, (0.0,) * 3, (1.0,) * 3), tmp_path / "n.onnx")
    return (tmp_path / "n.onnx").read_bytes()


def test_a_network_of_a_hundred_times_the_work_takes_longer(tmp_path, monkeypatch):
    monkeypatch.setattr(latency, "MEASURED", 0.02)
    small = median_latency(exported("[C(4,3,1), SM(10)]", tmp_path), (3, 16, 16))
    large = median_latency(exported("[C(64,3,1), C(64,3,1), SM(10)]", tmp_path), (3, 16, 16))
    assert 0 < small < large < 1


def test_the_median_leaves_out_what_a_busy_machine_does_now_and_then(tmp_path, monkeypatch):
    """A clock on which every third run takes ten seconds, the others 2 ms."""
    clock, calls = [0.0], [0]

    def tell():
        calls[0] += 1
        clock[0] += 0.0 if calls[0] % 2 else (10.0 if calls[0] % 6 == 0 else 0.002)
        return clock[0]

    monkeypatch.setattr(latency, "perf_counter", tell)
    model = exported("[C(4,3,1), SM(10)]", tmp_path)
    assert abs(median_latency(model, (3, 16, 16)) - 0.002) < 1e-9
