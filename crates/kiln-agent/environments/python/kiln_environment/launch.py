"""The environment's `train` command: runs the user's script through the
SageMaker training toolkit, or the built-in algorithm where there is no script."""

import importlib.util
import json
import os
import sys

HYPERPARAMETERS = "/opt/ml/input/config/hyperparameters.json"

# The toolkit imports its multi-machine launchers at start, and with them an SSH
# client, which costs more than all the rest of it. Few jobs use them.
RARELY_USED = ("mpi", "smdataparallel")


def main():
    """Runs `python -m kiln_environment.launch [ALGORITHM]`."""
    # `-m` has put the working directory first; nothing of it is meant here.
    sys.path.pop(0)
    note = os.environ.get("KILN_ENVIRONMENT_NOTE")
    if note:
        print(note, flush=True)
    algorithm = sys.argv[1] if len(sys.argv) > 1 else None
    if algorithm == "xgboost" and not names_a_script():
        from kiln_environment.xgboost import training

        sys.exit(training.main())
    run_toolkit()


def names_a_script():
    """Whether the job brings a program of its own."""
    if os.environ.get("SAGEMAKER_PROGRAM"):
        return True
    try:
        with open(HYPERPARAMETERS, encoding="utf-8") as file:
            return "sagemaker_program" in json.load(file)
    except FileNotFoundError:
        return False


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
