"""What PyTorch saved: TorchScript, or an exported program, with its inputs.

Reading such a file may run what is in it: this belongs in a sandbox.
"""

import torch

from exchange import Misfit, NotLoaded, Order, Port, Refused, last_words, meet

try:
    # Its operators may be in the model.
    import torchvision  # noqa: F401
except ImportError:
    pass

# What coremltools calls the framework, and the axis of an image's channels.
SOURCE = "pytorch"
CHANNELS = 1
MISMATCH = (
    "Invalid model or input-shape mismatch. Make sure that inputs are lexically ordered and of "
    "the correct dimensionality. "
)


def load(order: Order):
    """The model, which can be called with a list of tensors."""
    return Script(order.model) if order.format == "torchscript" else Program(order.model)


class Script:
    """A TorchScript module."""

    def __init__(self, path: str):
        try:
            self.module = load_script(path).eval()
        except Exception as error:
            raise NotLoaded(last_words(error)) from error

    def ports(self, order: Order) -> list:
        """The inputs, whose shapes the file has only where inputs were kept at tracing."""
        values = list(self.module.forward.graph.inputs())[1:]
        names = [argument.name for argument in self.module.forward.schema.arguments[1:]]
        ports = [port(name, value.type()) for name, value in zip(names, values)]
        if not order.inputs:
            unknown = [name for name, known in zip(names, ports) if known is None]
            if unknown:
                raise Refused(
                    f"DataInputConfig is needed, since the model does not say what shape its "
                    f"input '{unknown[0]}' has."
                )
            return ports
        given = in_order(order, names)
        known = [known or Port(name, None, None) for name, known in zip(names, ports)]
        return [told(order, one, port) for one, port in zip(given, known)]

    def __call__(self, tensors: list) -> list:
        return flat(self.module(*tensors))

    def for_core_ml(self, ports: list):
        """What coremltools converts, its names of the inputs, and the names of the outputs."""
        return self.module, [port.name for port in ports], []


def load_script(path: str):
    try:
        return torch.jit.load(path, map_location="cpu", _restore_shapes=True)
    except RuntimeError:
        # The inputs that were kept are of no use; the module may be.
        return torch.jit.load(path, map_location="cpu")


def port(name: str, kind):
    """An input that was kept at tracing."""
    sizes = kind.sizes() if isinstance(kind, torch._C.TensorType) else None
    if sizes is None or kind.dtype() is None:
        return None
    return Port(name, list(sizes), dtype_name(kind.dtype()))


def told(order: Order, given: dict, port: Port) -> Port:
    """An input as it was described; of its type the model knows more."""
    dtype = given["dtype"] or order.dtype or port.dtype or "float32"
    return Port(given["name"] or port.name, None, dtype).as_given(given["shape"], given)


class Program:
    """A program of `torch.export`."""

    def __init__(self, path: str):
        try:
            self.program = torch.export.load(path)
        except Exception as error:
            raise NotLoaded(last_words(error)) from error
        signature = self.program.graph_signature
        kinds = torch.export.graph_signature.InputKind
        self.arguments = [
            spec.arg for spec in signature.input_specs if spec.kind == kinds.USER_INPUT
        ]
        values = {
            node.name: node.meta["val"]
            for node in self.program.graph.nodes
            if node.op == "placeholder" and isinstance(node.meta.get("val"), torch.Tensor)
        }
        self.tensors = {
            argument.name: values[argument.name]
            for argument in self.arguments
            if argument.name in values
        }

    def ports(self, order: Order) -> list:
        ports = [
            Port(name, [self.size(size) for size in value.shape], dtype_name(value.dtype))
            for name, value in self.tensors.items()
        ]
        if not order.inputs:
            return ports
        given = in_order(order, [port.name for port in ports])
        ports = [
            Port(one["name"] or port.name, port.shape, port.dtype)
            for one, port in zip(given, ports)
        ]
        met = [meet(one["shape"], port.shape) for one, port in zip(given, ports)]
        # An exported program takes no other types than it was exported with.
        for one, port in zip(given, ports):
            if one["dtype"] is None and order.dtype not in (None, port.dtype):
                raise Refused(
                    f"CompilerOptions has the dtype {order.dtype}, but its input '{port.name}' "
                    f"was exported as {port.dtype}."
                )
        types = [one["dtype"] in (None, port.dtype) for one, port in zip(given, ports)]
        if None in met or not all(types):
            raise Misfit(ports)
        return [port.as_given(shape, one) for port, shape, one in zip(ports, met, given)]

    def size(self, size):
        if isinstance(size, int):
            return size
        bounds = self.program.range_constraints.get(size.node.expr)
        if bounds is None:
            return None
        most = int(bounds.upper) if bounds.upper.is_Integer and bounds.upper < 2**40 else None
        return [max(1, int(bounds.lower)), most]

    def __call__(self, tensors: list) -> list:
        arguments, named = self.given(tensors)
        return flat(self.program.module()(*arguments, **named))

    def for_core_ml(self, ports: list):
        """What coremltools converts, its names of the inputs, and the names of the outputs."""
        return self.program.run_decompositions({}), [port.name for port in ports], []

    def given(self, tensors: list):
        """The arguments as the program takes them, with its constants between them."""
        tensors = dict(zip(self.tensors, tensors))
        leaves = [
            tensors[argument.name] if argument.name in tensors else argument.value
            for argument in self.arguments
        ]
        return torch.utils._pytree.tree_unflatten(leaves, self.program.call_spec.in_spec)


def in_order(order: Order, names: list) -> list:
    """What was said of each of the model's inputs: by its names, or in lexical order."""
    given = order.inputs
    if len(given) != len(names):
        raise Refused(f"{MISMATCH}DataInputConfig has {len(given)} inputs, the model {len(names)}.")
    by_name = {one["name"]: one for one in given}
    if None in by_name:
        return given
    if set(by_name) == set(names):
        return [by_name[name] for name in names]
    return sorted(given, key=lambda one: one["name"])


def flat(answer) -> list:
    """The tensors of an answer, however they are nested."""
    leaves = torch.utils._pytree.tree_leaves(answer)
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]


def dtype_name(dtype) -> str:
    return str(dtype).removeprefix("torch.")
