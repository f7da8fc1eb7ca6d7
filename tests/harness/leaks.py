"""What jobs leave on the machine once they have ended: nothing.

Looked at from outside, through /proc and the tables of mounts and control groups.
What belongs to jobs that still run is no leak, so the server is asked for those,
but only when there is anything at all.
"""

import json
import os
import re
import signal
import time
from pathlib import Path

from harness import processes

# An agent reports the end of its job first, and clears up then.
PATIENCE = 60.0
POLL = 0.05
CGROUPS = Path("/sys/fs/cgroup")


def processes_of(data_dir: Path) -> dict[int, str]:
    """The agents, shims and container processes below a data directory, and the
    instance that each works for."""
    instance = re.compile(re.escape(str(data_dir)) + r"/instances/([^/\s\0]+)")
    ours = _link("/proc/self/ns/mnt")
    found = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        place = f"/proc/{pid}"
        traces = _read(f"{place}/cmdline") + "\n" + _link(f"{place}/cwd")
        # A container shows itself by what is mounted in it, and in it alone.
        if _link(f"{place}/ns/mnt") not in ("", ours):
            traces += "\n" + _read(f"{place}/mountinfo")
        if match := instance.search(traces):
            found[pid] = match.group(1)
    return found


def mounts_of(data_dir: Path) -> list[str]:
    """Where something is mounted below a data directory."""
    table = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in table if line.split()[4].startswith(f"{data_dir}/")]


def empty_groups() -> set[str]:
    """The control groups of containers that have no process in any hierarchy.

    Groups with processes are found by their processes, which say whose they are.
    """
    groups: dict[str, list[Path]] = {}
    for path in [*CGROUPS.glob("kiln-*"), *CGROUPS.glob("*/kiln-*")]:
        groups.setdefault(path.name, []).append(path)
    return {
        name
        for name, paths in groups.items()
        if not any(_read(path / "cgroup.procs").strip() for path in paths)
    }


def left_by_ended_jobs(server, groups_before: set[str], known: set[str]) -> list[str]:
    """What is still there of a running server's ended jobs after a while, in sentences
    other than those that are known."""
    until = time.monotonic() + PATIENCE
    while left := [one for one in _left(server, groups_before) if one not in known]:
        if time.monotonic() > until:
            break
        time.sleep(POLL)
    return left


def end_every_job(server) -> None:
    """Stops all jobs, and those that do not listen by the loss of their agents."""
    sagemaker = server.client("sagemaker")
    stops = [
        (sagemaker.stop_training_job, {"TrainingJobName": job}) for job in _open_jobs(sagemaker)
    ]
    stops += [
        (sagemaker.stop_compilation_job, {"CompilationJobName": job})
        for job in _open_compilations(sagemaker)
    ]
    stops += [
        (sagemaker.stop_optimization_job, {"OptimizationJobName": job})
        for job in _open_optimizations(sagemaker)
    ]
    for stop, job in stops:
        try:
            stop(**job)
        except sagemaker.exceptions.ClientError:
            pass  # It has ended meanwhile.
    for agent in processes.agents_of(str(server.data_dir)):
        try:
            os.kill(agent, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _left(server, groups_before: set[str]) -> list[str]:
    data_dir = server.data_dir
    instances = data_dir / "instances"
    directories = set(os.listdir(instances)) if instances.exists() else set()
    working, mounts = processes_of(data_dir), mounts_of(data_dir)
    groups = empty_groups() - groups_before
    if not (directories or working or mounts or groups):
        return []
    sagemaker = server.client("sagemaker")
    busy = {
        "compilation": bool(_open_compilations(sagemaker)),
        "optimization": bool(_open_optimizations(sagemaker)),
    }
    running = _instances_of(directories, instances, _open_jobs(sagemaker), busy)
    lines = processes.command_lines()
    said = [f"the directory of the instance {name}" for name in directories - running]
    said += [
        f"the process {pid} of the instance {instance} ({lines.get(pid)!r})"
        for pid, instance in working.items()
        if instance not in running
    ]
    said += [
        f"the mount {mount}" for mount in mounts if not any(f"/{one}/" in mount for one in running)
    ]
    said += [
        f"the empty control group {group}"
        for group in groups
        if group.removeprefix("kiln-") not in running
    ]
    return said


def _open_jobs(sagemaker) -> set[str]:
    """The jobs that have not ended."""
    pages = [
        page
        for status in ("InProgress", "Stopping")
        for page in sagemaker.get_paginator("list_training_jobs").paginate(StatusEquals=status)
    ]
    return {job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]}


def _open_compilations(sagemaker) -> set[str]:
    """The compilation jobs that have not ended."""
    pages = [
        page
        for status in ("STARTING", "INPROGRESS", "STOPPING")
        for page in sagemaker.get_paginator("list_compilation_jobs").paginate(StatusEquals=status)
    ]
    return {job["CompilationJobName"] for page in pages for job in page["CompilationJobSummaries"]}


def _open_optimizations(sagemaker) -> set[str]:
    """The optimization jobs that have not ended."""
    pages = [
        page
        for status in ("STARTING", "INPROGRESS", "STOPPING")
        for page in sagemaker.get_paginator("list_optimization_jobs").paginate(StatusEquals=status)
    ]
    return {
        job["OptimizationJobName"] for page in pages for job in page["OptimizationJobSummaries"]
    }


def _instances_of(
    directories: set[str], instances: Path, jobs: set[str], busy: dict[str, bool]
) -> set[str]:
    """Those of the instances that work for one of these jobs; those of the kinds whose
    plans name no job, if any of the kind is open."""
    found = set()
    for name in directories:
        text = _read(instances / name / "plan.json")
        if not text:
            continue
        plan = json.loads(text)
        if plan["kind"] in busy:
            works = busy[plan["kind"]]
        else:
            works = plan["environment"]["TRAINING_JOB_NAME"] in jobs
        if works:
            found.add(name)
    return found


def _read(path) -> str:
    """The text of a file of the kernel's, or nothing when it is gone."""
    try:
        return Path(path).read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
