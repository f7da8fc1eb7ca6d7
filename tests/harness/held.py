"""Compilation and optimization jobs that stand still at a stage of their life, so that
something can happen to them there."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness import leaks, processes
from harness.compilations import Compilations
from harness.fault_proxy import Fault, holding
from harness.jobs import LINGER, PATIENCE, POLL
from harness.optimizations import COPY, Optimizations, by_image
from harness.server import Server
from harness.solo import SoloJobs

# Enough for the compiler to be seen at work.
MANY_TREES = 20_000


class Held:
    """Jobs of one kind that can be held up."""

    # How the keys end of an object that is read, and of one that is written.
    reads: str
    writes: str

    def __init__(self, solo: SoloJobs):
        self.solo = solo

    def begin(self, **more) -> str:
        """Creates a job that ends well, and returns its name."""
        raise NotImplementedError

    def work(self, **more):
        """While the block lasts, a job is at work."""
        raise NotImplementedError

    def download(self, **more):
        """While the block lasts, a job fetches its model."""
        return self.at(lambda one: one.reads(self.reads), Fault("stall", after=1), **more)

    def upload(self, **more):
        """While the block lasts, a job stores what it has made."""
        return self.at(lambda one: one.writes(self.writes), Fault("hold", after=1), **more)

    @contextmanager
    def at(self, request, fault: Fault, **more) -> Iterator[str]:
        """While the block lasts, a job makes this request of the store, which has this fault."""
        with holding(self.solo.server, request, fault) as wait:
            name = self.begin(**more)
            wait()
            yield name


class HeldCompilations(Held):
    """Compilations of trees."""

    reads, writes = ".tar.gz", "model-ml_c5.tar.gz"

    def __init__(self, compilations: Compilations):
        super().__init__(compilations)
        self.compilations = compilations

    def begin(self, **more) -> str:
        return self.compilations.compile(self.compilations.put_trees(), **more)

    @contextmanager
    def work(self, **more) -> Iterator[str]:
        """The compiler stands still in its container."""
        model = self.compilations.put_trees(MANY_TREES)
        name = self.compilations.compile(model, **more)
        self.compilations.wait(name, "INPROGRESS")
        _suspend_compiler(self.solo.server)
        yield name


class HeldOptimizations(Held):
    """Optimizations by an image, on a server that has that of `optimizer_image`."""

    reads = writes = "/config.json"

    def __init__(self, optimizations: Optimizations):
        super().__init__(optimizations)
        self.optimizations = optimizations

    def begin(self, **more) -> str:
        model = self.optimizations.put({"a.txt": b"a", "config.json": b"{}"})
        return self.optimizations.optimize(model, by_image(COPY), **more)

    @contextmanager
    def work(self, **more) -> Iterator[str]:
        """The image's command lingers."""
        model = self.optimizations.put({"config.json": b"{}"})
        step = by_image(f"{COPY}; echo working; {LINGER}")
        name = self.optimizations.optimize(model, step, **more)
        self.optimizations.wait_for_line(name, "working")
        yield name


def _suspend_compiler(server: Server, within: float = PATIENCE) -> None:
    until = time.monotonic() + within
    while time.monotonic() < until:
        lines = processes.command_lines()
        for pid in leaks.processes_of(server.data_dir):
            line = lines.get(pid, "")
            if " compile /opt/ml/input/task.json" in line and " agent " not in line:
                os.kill(pid, signal.SIGSTOP)
                return
        time.sleep(POLL)
    raise AssertionError("no compiler was seen")
