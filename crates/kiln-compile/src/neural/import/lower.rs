//! From a network to a program: each node becomes one `torch.operator`, which the
//! compiler knows by ONNX's name for it.

use std::collections::HashMap;

use kiln_graph::model::{Attribute, Graph, Model, Node, Tensor, TensorType, Type};
use kiln_graph::onnx::NodePlace;

use super::module::{Attr, ENTRY, Id, Module, Operation, Region, quoted};
use super::{ImportError, constants, types};

/// The type of what is left out.
const NONE: &str = "!torch.none";

pub(super) fn lower(model: &Model) -> Result<Module, ImportError> {
    let mut lowering = Lowering {
        module: Module::default(),
        scopes: Vec::new(),
        none: None,
    };
    let function = lowering.function(model)?;
    lowering.module.body.operations.push(function);
    Ok(lowering.module)
}

struct Lowering<'m> {
    module: Module,
    /// The graphs around a node, the outermost first.
    scopes: Vec<Scope<'m>>,
    /// What stands for what is left out, once something was.
    none: Option<Id>,
}

/// A graph, its values so far and its operations so far.
struct Scope<'m> {
    graph: &'m Graph,
    values: HashMap<&'m str, Id>,
    region: Region,
}

impl<'m> Lowering<'m> {
    fn function(&mut self, model: &'m Model) -> Result<Operation, ImportError> {
        let mut region = self.region(&model.graph, "func.return")?;
        if let Some(none) = self.none {
            // Every region of the function sees it when it stands first.
            let constant = Operation {
                name: "torch.constant.none",
                results: vec![none],
                ..Operation::default()
            };
            region.operations.insert(0, constant);
        }
        let outputs = region.operations.last().map(|last| last.operands.clone());
        let signature = self
            .module
            .signature(&region.arguments, &outputs.unwrap_or_default());
        let mut attributes = vec![
            ("sym_name".to_owned(), text(quoted(ENTRY.as_bytes()))),
            ("function_type".to_owned(), text(signature)),
        ];
        attributes.extend(provenance(model));
        Ok(Operation {
            name: "func.func",
            attributes,
            regions: vec![region],
            location: model.graph.name.clone(),
            ..Operation::default()
        })
    }

    fn region(&mut self, graph: &'m Graph, end: &'static str) -> Result<Region, ImportError> {
        let (values, region) = (HashMap::new(), Region::default());
        self.scopes.push(Scope {
            graph,
            values,
            region,
        });
        let filled = self.fill(graph, end);
        let scope = self.scopes.pop();
        filled.map(|()| scope.map(|scope| scope.region).unwrap_or_default())
    }

    fn fill(&mut self, graph: &'m Graph, end: &'static str) -> Result<(), ImportError> {
        for input in &graph.inputs {
            let ty = input
                .ty
                .as_ref()
                .ok_or_else(|| ImportError::Type(input.name.clone()))?;
            let id = self.define(&input.name, ty)?;
            self.scope().region.arguments.push(id);
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            let operation = self.operation(index, node)?;
            self.scope().region.operations.push(operation);
        }
        let outputs = graph.outputs.iter().map(|output| self.used(&output.name));
        let operands = outputs.collect::<Result<_, _>>()?;
        let end = Operation {
            name: end,
            operands,
            ..Operation::default()
        };
        self.scope().region.operations.push(end);
        Ok(())
    }

    fn operation(&mut self, index: usize, node: &'m Node) -> Result<Operation, ImportError> {
        let place = NodePlace::new(index, node);
        let inputs = node.inputs.iter().map(|name| self.used(name));
        let operands = inputs.collect::<Result<_, _>>()?;
        let mut attributes = vec![operator(&node.operator)];
        let mut regions = Vec::new();
        for (name, attribute) in &node.attributes {
            if let Attribute::Graph(graph) = attribute {
                regions.push(self.region(graph, "torch.operator_terminator")?);
                continue;
            }
            let written = constants::attribute(&mut self.module, attribute);
            let written = written.ok_or_else(|| ImportError::Attribute {
                place: place.clone(),
                name: name.clone(),
                kind: attribute.kind(),
            })?;
            attributes.push((format!("torch.onnx.{name}"), written));
        }
        let outputs = node.outputs.iter().map(|name| self.output(node, name));
        Ok(Operation {
            name: "torch.operator",
            operands,
            results: outputs.collect::<Result<_, _>>()?,
            attributes,
            regions,
            location: place.to_string(),
        })
    }

    /// The value of a name; a constant comes into being where it is first used.
    fn used(&mut self, name: &'m str) -> Result<Id, ImportError> {
        if name.is_empty() {
            return Ok(self.left_out());
        }
        for depth in (0..self.scopes.len()).rev() {
            if let Some(id) = self.scopes[depth].values.get(name) {
                return Ok(*id);
            }
            if let Some(tensor) = self.scopes[depth].graph.initializers.get(name) {
                return self.constant(depth, name, tensor);
            }
        }
        Err(ImportError::Undefined(name.to_owned()))
    }

    fn left_out(&mut self) -> Id {
        *self
            .none
            .get_or_insert_with(|| self.module.value(NONE.to_owned()))
    }

    /// A constant of the graph at a depth. The operations there that come before the node
    /// that is being made stand around this node too, so that all who may use it see it.
    fn constant(
        &mut self,
        depth: usize,
        name: &'m str,
        tensor: &Tensor,
    ) -> Result<Id, ImportError> {
        let ty = TensorType::of(tensor).into();
        let id = self.module.value(written(name, &ty)?);
        let elements = constants::tensor(&mut self.module, tensor);
        let elements = elements.ok_or_else(|| unsupported(name, &ty))?;
        let scope = &mut self.scopes[depth];
        scope.values.insert(name, id);
        scope.region.operations.push(Operation {
            name: "torch.operator",
            results: vec![id],
            attributes: vec![
                operator("Constant"),
                ("torch.onnx.value".to_owned(), elements),
            ],
            location: name.to_owned(),
            ..Operation::default()
        });
        Ok(id)
    }

    fn output(&mut self, node: &Node, name: &'m str) -> Result<Id, ImportError> {
        if name.is_empty() {
            return Ok(self.module.value(NONE.to_owned()));
        }
        let known = self.scope().graph.type_of(name);
        let constant = || Some(TensorType::of(node.tensor("value")?).into());
        let ty = known.or_else(constant);
        self.define(name, &ty.ok_or_else(|| ImportError::Type(name.to_owned()))?)
    }

    fn define(&mut self, name: &'m str, ty: &Type) -> Result<Id, ImportError> {
        let id = self.module.value(written(name, ty)?);
        self.scope().values.insert(name, id);
        Ok(id)
    }

    /// The innermost graph.
    fn scope(&mut self) -> &mut Scope<'m> {
        let innermost = self.scopes.len() - 1;
        &mut self.scopes[innermost]
    }
}

fn written(name: &str, ty: &Type) -> Result<String, ImportError> {
    types::value(ty).ok_or_else(|| unsupported(name, ty))
}

fn unsupported(name: &str, ty: &Type) -> ImportError {
    let (name, ty) = (name.to_owned(), ty.to_string());
    ImportError::Unsupported { name, ty }
}

fn operator(name: &str) -> (String, Attr) {
    (
        "name".to_owned(),
        text(quoted(format!("onnx.{name}").as_bytes())),
    )
}

fn text(text: String) -> Attr {
    Attr::Text(text)
}

/// What the compiler asks of the model that the function comes from.
fn provenance(model: &Model) -> Vec<(String, Attr)> {
    let number = |value| text(constants::int(value));
    let others = model.opsets.iter().filter(|(domain, _)| !domain.is_empty());
    let others: Vec<_> = others
        .map(|(domain, version)| {
            format!(
                "{} = {}",
                quoted(domain.as_bytes()),
                constants::int(*version)
            )
        })
        .collect();
    let mut attributes = vec![
        (
            "torch.onnx_meta.ir_version".to_owned(),
            number(model.ir_version),
        ),
        (
            "torch.onnx_meta.producer_name".to_owned(),
            text(quoted(model.producer.as_bytes())),
        ),
        (
            "torch.onnx_meta.producer_version".to_owned(),
            text(quoted(model.producer_version.as_bytes())),
        ),
    ];
    if model.opset() != 0 {
        attributes.push((
            "torch.onnx_meta.opset_version".to_owned(),
            number(model.opset()),
        ));
    }
    if !others.is_empty() {
        let others = text(format!("{{{}}}", others.join(", ")));
        attributes.push(("torch.onnx_meta.opset_versions".to_owned(), others));
    }
    attributes
}
