"""Runs node tests of the onnx package through the compiler, and says what came of each.

    python tests/onnx_nodes/run.py --compiler PROGRAM [--write] [FILE of names]

Without a file it runs all tests, which takes most of an hour; with `--write` the names of
those that pass become `passing.txt`. `reference.txt` has what ONNX Runtime 1.31.1 passes,
compared in the same way, and `sample.txt` what every run of the tests looks at.

PROGRAM is the example `onnx_nodes` of `kiln-compile`, and this Python has the packages of
`requirements.txt`. Both the compiler and the compiled models run in processes of their own,
since what some tests hold makes either crash.
"""

import argparse
import json
import os
import select
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path

import onnx

import cases

HERE = Path(__file__).parent
# Seconds for one model, far more than any needs.
PATIENCE = 120
# What the C library fills freed memory with where models run, so that what is taken from
# outside of a tensor is seen. It makes numbers that are neither small nor 0.
GARBAGE = os.environ.get("MALLOC_PERTURB_", "165")


class Service:
    """A process that answers each line with a line. A new one begins after one has died."""

    def __init__(self, command: list[str], environment: dict | None = None):
        self.command, self.environment, self.process = command, environment, None

    def ask(self, question: str) -> str:
        """The answer; what befell the process if there is none."""
        if self.process is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self.process = subprocess.Popen(
                self.command, **pipes, stderr=subprocess.DEVNULL, text=True, env=self.environment
            )
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        answer = self.process.stdout.readline().strip() if ready else ""
        if not answer:
            self.close()
            return "died" if ready else "took too long"
        return answer

    def close(self):
        """Ends the process."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def answer_lines():
    """The process that runs compiled models: each line is a test's name and a module."""
    import iree.runtime as runtime

    for line in sys.stdin:
        name, module = line.split()
        try:
            outcome = _run(runtime, cases.Case.load(name), Path(module))
        except Exception as error:  # whatever a test does, the next one is asked for
            outcome = f"cannot run: {error}"
        print(" ".join(outcome.split())[:300], flush=True)


def _run(runtime, case: cases.Case, module: Path) -> str:
    context = runtime.SystemContext(config=runtime.Config("local-sync"))
    context.add_vm_module(runtime.VmModule.copy_buffer(context.instance, module.read_bytes()))
    found = context.modules.module["main"](*case.inputs)
    found = found if isinstance(found, tuple) else (found,)
    arrays = [one.to_host() if isinstance(one, runtime.DeviceArray) else one for one in found]
    return cases.difference(arrays, case.answers) or "passes"


def outcome_of(name: str, folder: Path, compiler: Service, runner: Service) -> str:
    """`passes`, or what went wrong."""
    try:
        case = cases.Case.load(name)
    except Exception as error:  # a test of a kind that the package itself cannot read
        return f"cannot load: {error}"
    path = folder / "model.onnx"
    onnx.save(case.model, path)
    compiled = compiler.ask(str(path))
    if not compiled.startswith("ok "):
        return f"cannot compile: {compiled}"
    return runner.ask(f"{name} {compiled.removeprefix('ok ')}")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--compiler", help="the program that compiles models")
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options.add_argument("--write", action="store_true", help="write the list of what passes")
    options.add_argument("names", nargs="?", type=Path, help="a file of names, one on a line")
    options = options.parse_args()
    if options.serve:
        return answer_lines()
    names = options.names.read_text().split() if options.names else cases.names()
    packages = {"KILN_COMPILER_PACKAGES": sysconfig.get_path("purelib")}
    compiler = Service([options.compiler], packages)
    garbage = {**os.environ, "MALLOC_PERTURB_": GARBAGE}
    runner = Service([sys.executable, __file__, "--serve"], garbage)
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            outcomes[name] = outcome_of(name, Path(folder), compiler, runner)
            print(json.dumps([name, outcomes[name]]), flush=True)
    compiler.close()
    runner.close()
    passing = [name for name, outcome in outcomes.items() if outcome == "passes"]
    if options.write:
        (HERE / "passing.txt").write_text("\n".join(passing) + "\n")
    reference = (HERE / "reference.txt").read_text().split()
    of_reference = Counter(name in passing for name in reference if name in outcomes)
    print(f"{len(passing)} of {len(names)} pass; ", end="", file=sys.stderr)
    both = f"{of_reference[True]} of {of_reference.total()}"
    print(f"of those that pass in ONNX Runtime, {both}", file=sys.stderr)


if __name__ == "__main__":
    main()
