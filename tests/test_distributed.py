"""Distributed training with the launchers that jobs use in the cloud: MPI, and PyTorch's own."""

import json
import os

import pytest

from harness.frameworks import CREATION, PYTORCH, SKLEARN, framework, script_mode
from harness.jobs import Jobs, completed, s3_channel

RANKS = 2  # processes on each host
# The toolkit waits for half a minute at the end of every MPI job, and there may
# be room for one such job at a time only.
MPI = CREATION + 120

ALLREDUCE = """
import json, os
from mpi4py import MPI
world = MPI.COMM_WORLD
rank = world.Get_rank()
told = {
    "rank": rank,
    "size": world.Get_size(),
    "host": MPI.Get_processor_name(),
    # The toolkit passes this one on by /etc/environment only.
    "job": os.environ.get("TRAINING_JOB_NAME"),
}
total = world.allreduce(rank + 1)
everyone = world.gather(told)
if rank == 0:
    with open(os.environ["SM_MODEL_DIR"] + "/model.json", "w") as file:
        json.dump({"sum": total, "everyone": everyone}, file)
"""

DDP = """
import json, os, socket, torch
import torch.distributed as dist
rank, world = WHO
torch.manual_seed(rank)
dist.init_process_group("gloo", rank=rank, world_size=world)
total = torch.tensor([rank + 1.0])
dist.all_reduce(total)
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(torch.full((4, 2), float(rank + 1))).sum().backward()
optimizer.step()
weights = [None] * world
dist.all_gather_object(weights, model.module.weight.flatten().tolist())
hosts = [None] * world
dist.all_gather_object(hosts, socket.gethostname())
if rank == 0:
    with open(os.environ["SM_MODEL_DIR"] + "/model.json", "w") as file:
        json.dump({"sum": total.item(), "hosts": hosts, "weights": weights}, file)
dist.destroy_process_group()
"""
# Who a process is: as the script finds it out itself, and as torchrun says it.
BY_HOSTS = (
    "(lambda hosts: (hosts.index(os.environ['SM_CURRENT_HOST']), len(hosts)))"
    "(json.loads(os.environ['SM_HOSTS']))"
)
BY_LAUNCHER = "int(os.environ['RANK']), int(os.environ['WORLD_SIZE'])"


def hosts(count: int) -> dict:
    """Resources of so many hosts."""
    return {"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1}


def saved(jobs: Jobs, job: dict) -> dict:
    """What the first process has left as the model."""
    return json.loads(jobs.model(job)["model.json"])


def mpi_job(jobs: Jobs, script: str, count: int, **more) -> str:
    """A job as `distribution={"mpi": {...}}` of the SDK makes it."""
    distribution = {
        "sagemaker_mpi_enabled": True,
        "sagemaker_mpi_num_of_processes_per_host": RANKS,
        "sagemaker_mpi_custom_mpi_options": "",
    }
    sources = script_mode(jobs, {"train.py": script}, "train.py", **distribution)
    if more.get("EnableNetworkIsolation"):
        # As the SDK does: what reaches nobody gets its sources by a channel.
        uri = json.loads(sources["sagemaker_submit_directory"])
        inside = "/opt/ml/input/data/code/sourcedir.tar.gz"
        sources["sagemaker_submit_directory"] = json.dumps(inside)
        more["InputDataConfig"] = [s3_channel("code", uri)]
    return framework(jobs, SKLEARN, sources, ResourceConfig=hosts(count), **more)


def test_mpi_runs_its_processes_on_all_hosts(jobs):
    sizes = (2, 4)
    names = [mpi_job(jobs, ALLREDUCE, count) for count in sizes]
    for count, name in zip(sizes, names):
        model = saved(jobs, completed(jobs.wait(name, MPI)))
        processes = count * RANKS
        assert model["sum"] == sum(range(1, processes + 1))
        assert model["everyone"] == [
            {"rank": rank, "size": processes, "host": f"algo-{rank // RANKS + 1}", "job": name}
            for rank in range(processes)
        ]


def test_mpi_works_among_hosts_that_reach_nobody_else_and_fails_as_one(jobs):
    script = ALLREDUCE + "if rank == 3: raise ValueError('no good')\nworld.barrier()\n"
    name = mpi_job(jobs, script, 2, EnableNetworkIsolation=True)
    job = jobs.wait(name, MPI)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ExecuteUserScriptError:")
    assert any("ValueError: no good" in line for line in jobs.lines(name))


def test_images_keep_their_own_secure_shell(jobs):
    script = "ls -d /root/.ssh /etc/ssh /etc/pam.d 2> /dev/null; echo looked"
    job = completed(jobs.run(script, ResourceConfig=hosts(2)))
    assert jobs.lines(job["TrainingJobName"]) == ["looked", "looked"]


def torch_job(jobs: Jobs, who: str, **hyperparameters) -> dict:
    """What a job of two hosts that trains with gloo has saved."""
    script = DDP.replace("WHO", who)
    sources = script_mode(jobs, {"train.py": script}, "train.py", **hyperparameters)
    name = framework(
        jobs,
        PYTORCH,
        sources,
        ResourceConfig=hosts(2),
        Environment={"GLOO_SOCKET_IFNAME": "eth0"},
    )
    within = int(os.environ.get("KILN_TORCH_SECONDS", str(CREATION)))
    return saved(jobs, completed(jobs.wait(name, within)))


@pytest.mark.torch
@pytest.mark.parametrize(
    "who, hyperparameters",
    [(BY_HOSTS, {}), (BY_LAUNCHER, {"sagemaker_torch_distributed_enabled": True})],
    ids=["script", "torchrun"],
)
def test_pytorch_trains_on_two_hosts(jobs, who, hyperparameters):
    model = torch_job(jobs, who, **hyperparameters)
    assert model["sum"] == 3.0
    assert model["hosts"] == ["algo-1", "algo-2"]
    first, second = model["weights"]
    assert first == second
