"""The environment's `train` command: runs the user's script through the
SageMaker training toolkit, or the built-in algorithm where there is no script."""

import importlib.util
import json
import os
import shutil
import sys

HYPERPARAMETERS = "/opt/ml/input/config/hyperparameters.json"

# The toolkit imports its multi-machine launchers at start, and with them an SSH
# client, which costs more than all the rest of it. Few jobs use them.
RARELY_USED = ("mpi", "smdataparallel")

# What the toolkit calls for MPI; they are the machine's own.
MPI_PROGRAMS = ("mpirun", "/usr/sbin/sshd")


def main():
    """Runs `python -m kiln_environment.launch [ALGORITHM]`."""
    # `-m` has put the working directory first; nothing of it is meant here.
    sys.path.pop(0)
    note = os.environ.get("KILN_ENVIRONMENT_NOTE")
    if note:
        print(note, flush=True)
    advice = advice_on_mpi(hyperparameters())
    if advice:
        print(advice, flush=True)
    algorithm = sys.argv[1] if len(sys.argv) > 1 else None
    if algorithm == "xgboost" and not names_a_script():
        from kiln_environment.xgboost import training

        sys.exit(training.main())
    run_toolkit()


def names_a_script():
    """Whether the job brings a program of its own."""
    if os.environ.get("SAGEMAKER_PROGRAM"):
        return True
    return "sagemaker_program" in hyperparameters()


def hyperparameters():
    """The job's hyperparameters, as text."""
    try:
        with open(HYPERPARAMETERS, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def advice_on_mpi(hyperparameters):
    """What a job that wants MPI lacks on this machine, if anything."""
    if hyperparameters.get("sagemaker_mpi_enabled") != "true":
        return None
    missing = [program for program in MPI_PROGRAMS if not shutil.which(program)]
    if not missing:
        return None
    return (
        f"Kiln: this job wants MPI, and this machine has no {' and no '.join(missing)}. "
        "Install Open MPI 4 and the OpenSSH server (Debian: openmpi-bin, openssh-server)."
    )


def run_toolkit():
    """Hands over to the toolkit, which never returns."""
    import sagemaker_training

    for name in RARELY_USED:
        setattr(sagemaker_training, name, import_on_first_use(f"sagemaker_training.{name}"))
    from sagemaker_training import trainer

    trainer.train()


def import_on_first_use(name):
    """The module `name`, whose code runs when it is first touched."""
    spec = importlib.util.find_spec(name)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
