"""Records what a TorchScript module does to its inputs, as a program.

Old modules compute sizes with tensors, of which the exporters cannot tell the
results. Here they are numbers, since the module runs: what does not depend on the
inputs' elements becomes a constant. A module that decides by them is refused.
"""

import operator

import torch
from torch.utils._python_dispatch import TorchDispatchMode

ATEN = torch.ops.aten
# What makes a number or a decision of a tensor's elements.
DECISIONS = (ATEN._local_scalar_dense.default, ATEN.is_nonzero.default, ATEN.equal.default)


class Recorder(TorchDispatchMode):
    """Writes each operation on something recorded into a graph."""

    def __init__(self, tensors: list):
        super().__init__()
        self.graph = torch.fx.Graph()
        self.root = torch.nn.Module()
        self.nodes = {}
        self.constants = {}
        # A tensor that is gone would leave its identity to another.
        self.kept = []
        for place, tensor in enumerate(tensors):
            self.record(tensor, self.graph.placeholder(f"input{place}"))

    def record(self, tensor, node) -> None:
        self.nodes[id(tensor)] = node
        self.kept.append(tensor)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        answer = function(*args, **kwargs)
        given = torch.utils._pytree.tree_leaves((args, kwargs))
        if not any(id(value) in self.nodes for value in given):
            return answer
        if function in DECISIONS:
            raise RuntimeError(f"{function} decides by what the inputs are")
        if function._schema.is_mutable and id(args[0]) not in self.nodes:
            raise RuntimeError(f"{function} writes into a tensor of the module")
        as_nodes = torch.utils._pytree.tree_map(self.node, (args, kwargs))
        node = self.graph.call_function(function, *as_nodes)
        if isinstance(answer, torch.Tensor):
            self.record(answer, node)
        elif isinstance(answer, (tuple, list)):
            for place, value in enumerate(answer):
                taken = (node, place)
                self.record(value, self.graph.call_function(operator.getitem, taken))
        return answer

    def node(self, value):
        """What stands for a value in the graph; for other tensors it is a constant."""
        if not isinstance(value, torch.Tensor):
            return value
        if id(value) in self.nodes:
            return self.nodes[id(value)]
        if id(value) not in self.constants:
            name = f"constant{len(self.constants)}"
            self.root.register_buffer(name, value.detach().clone())
            self.constants[id(value)] = name
            self.kept.append(value)
        return self.graph.get_attr(self.constants[id(value)])


def recorded(call, tensors: list):
    """A program that does what `call` does to these tensors."""
    with torch.no_grad(), torch.jit.optimized_execution(False), Recorder(tensors) as recorder:
        outputs = call(tensors)
    recorder.graph.output(tuple(recorder.node(output) for output in outputs))
    module = torch.fx.GraphModule(recorder.root, recorder.graph)
    return torch.export.export(module, tuple(tensors))
