"""Exports what PyTorch saved, TorchScript or an exported program, to ONNX.

Reading such a file may run what is in it: this belongs in a sandbox.
"""

import re
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

from exchange import Answer, Order, Port, Refused, last_words, run, sets
from onnx_check import finish, prove
from pytorch_models import MISMATCH, Script, flat, load
from pytorch_recorder import recorded

OPSET = 17
OPSET_OF_PROGRAMS = 18
MODEL = "model.onnx"


def export_script(module, ports: list, tensors: list, outputs: list) -> None:
    try:
        export_traced(module, ports, tensors, outputs)
    except Exception:
        if any(None in port.open() for port in ports):
            raise
        # The operators that a run comes to tell more than the module's code.
        try:
            program = recorded(lambda tensors: flat(module(*tensors)), tensors)
            export_program(program, ports, outputs)
            return
        except Exception as error:
            print(f"as a recorded program: {last_words(error)}")
        raise


def export_traced(module, ports: list, tensors: list, outputs: list) -> None:
    open_axes = {port.name: open_axes_of(port) for port in ports}
    torch.onnx.export(
        module,
        tuple(tensors),
        MODEL,
        input_names=[port.name for port in ports],
        output_names=outputs,
        dynamic_axes={name: axes for name, axes in open_axes.items() if axes} or None,
        opset_version=OPSET,
        dynamo=False,
    )


def open_axes_of(port: Port) -> dict:
    return {axis: f"{port.name}_{axis}" for axis, size in enumerate(port.open()) if size is None}


def export_program(program, ports: list, outputs: list) -> None:
    exported = torch.onnx.export(
        program,
        input_names=[port.name for port in ports],
        output_names=outputs,
        opset_version=OPSET_OF_PROGRAMS,
        dynamo=True,
        verbose=False,
    )
    exported.save(MODEL)


def export(order: Order) -> None:
    model = load(order)
    answer = Answer(f"PyTorch {torch.__version__.split('+')[0]}")
    answer.inputs = model.ports(order)
    tried = []
    with torch.no_grad():
        for inputs, is_sample in sets(order, answer.inputs):
            tried.append((inputs, answered(model, inputs)))
            answer.add(*tried[-1], is_sample)
        # It is exported with one set of inputs, and has to answer to another one.
        (last, _), (first, outputs) = tried[-1], tried[0]
        names = [f"output{place}" for place in range(len(outputs))]
        convert(model, answer.inputs, last, names)
    finish(MODEL, answer.inputs, names)
    prove(MODEL, first, outputs)
    answer.write(MODEL)


def answered(model, inputs: list) -> list:
    """The framework's own answers."""
    try:
        # Copies, since a module may write into what it is given, and answer with its own.
        tensors = [torch.from_numpy(array.copy()) for array in inputs]
        return [value.detach().numpy().copy() for value in model(tensors)]
    except Exception as error:
        raise Refused(MISMATCH + last_words(error)) from error


def convert(model, ports: list, inputs: list, outputs: list) -> None:
    try:
        if isinstance(model, Script):
            tensors = [torch.from_numpy(array.copy()) for array in inputs]
            export_script(model.module, ports, tensors, outputs)
        else:
            export_program(model.program, ports, outputs)
    except Exception as error:
        missing = sorted(set(re.findall(r"operator '([\w:.]+)'", str(error))))
        if missing:
            names = ", ".join(f"'{name}'" for name in missing)
            raise Refused(f"The following operators are not implemented: {{{names}}}") from error
        raise


run(export)
