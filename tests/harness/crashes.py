"""Who can die, and what must be true of a job whatever has died."""

import itertools
import os
import signal
from dataclasses import dataclass

from harness import leaks, processes
from harness.server import Server

TERMINAL = ("Completed", "Failed", "Stopped", "MaxRuntimeExceeded", "MaxWaitTimeExceeded")


@dataclass(frozen=True)
class Victim:
    """Those who die at one instant."""

    name: str
    server: bool = False
    agents: bool = False
    work: bool = False

    def strike(self, server: Server) -> None:
        """kill -9 to all of them. They are stopped before, so that none sees the
        end of another."""
        agents = set(processes.agents_of(str(server.data_dir)))
        doomed = {server.process.pid} if self.server else set()
        if self.agents:
            doomed |= agents
        if self.work:
            doomed |= set(leaks.processes_of(server.data_dir)) - agents
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in doomed:
                _send(pid, number)
        if self.server:
            server.process.wait()


SERVER = Victim("server", server=True)
AGENT = Victim("agent", agents=True)
BOTH = Victim("both", server=True, agents=True)
# The shims and the containers' processes, which agents look after.
WORK = Victim("work", work=True)
# All that lives of a data directory.
MACHINE = Victim("machine", server=True, agents=True, work=True)


def has_one_end(job: dict) -> None:
    """Asserts that the transitions follow each other without a gap and end once."""
    changes = job["SecondaryStatusTransitions"]
    statuses = [change["Status"] for change in changes]
    for one, two in itertools.pairwise(changes):
        assert one["EndTime"] == two["StartTime"], changes
        assert one["Status"] != two["Status"], changes
    assert all(change["StartTime"] <= change["EndTime"] for change in changes), changes
    last = changes[-1]
    assert [status for status in statuses if status in TERMINAL] == [last["Status"]], statuses
    assert last["StartTime"] == last["EndTime"] == job["TrainingEndTime"], changes
    assert job["SecondaryStatus"] == last["Status"]


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
