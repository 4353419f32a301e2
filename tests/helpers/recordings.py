"""What stands in for a CUDA graph: it calls the step, or fails as a graph may."""

from contextlib import nullcontext

import torch


class Replaying:
    """A recording that runs the step."""

    def __init__(self, step, generator):
        self.step, self.generator = step, generator
        self.replays, self.freed = 0, False

    def replay(self):
        self.replays += 1
        self.step()

    def reset(self):
        self.freed = True


class Twice(Replaying):
    """Updates twice."""

    def replay(self):
        self.step()
        self.step()


class Nothing(Replaying):
    """Does nothing."""

    def replay(self):
        pass


class Stale(Replaying):
    """Trains on one batch again and again."""

    def replay(self):
        (indices,) = self.step.args
        given = indices.clone()
        indices.copy_(torch.arange(len(indices)))
        self.step()
        indices.copy_(given)


class Recorder:
    """Makes recordings of a kind."""

    def __init__(self, kind):
        self.kind, self.made = kind, []

    def aside(self, device):
        return nullcontext()

    def record(self, step, generator):
        self.made.append(self.kind(step, generator))
        return self.made[-1]


def raising(error):
    def record(step, generator):
        try:
            raise error
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    return record
