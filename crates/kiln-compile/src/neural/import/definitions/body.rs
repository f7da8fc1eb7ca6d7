//! The nodes of a definition while it is written down. Each operation's sizes follow
//! from its inputs', so that nothing has to be inferred again.

use std::collections::HashMap;

use kiln_graph::model::{Element, Graph, Node, Tensor, TensorType, Type};

/// A tensor within a definition.
#[derive(Debug, Clone)]
pub(super) struct Term {
    pub name: String,
    pub element: Element,
    pub dims: Vec<usize>,
}

pub(super) struct Body<'t> {
    types: &'t HashMap<String, TensorType>,
    prefix: String,
    nodes: Vec<Node>,
    constants: Vec<(String, Tensor)>,
    terms: Vec<Term>,
}

impl<'t> Body<'t> {
    pub(super) fn new(types: &'t HashMap<String, TensorType>, prefix: String) -> Self {
        let (nodes, constants, terms) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            types,
            prefix,
            nodes,
            constants,
            terms,
        }
    }

    /// Puts what was written down at the end of a graph.
    pub(super) fn move_into(self, graph: &mut Graph) {
        graph.nodes.extend(self.nodes);
        graph.initializers.extend(self.constants);
        let types = self.terms.into_iter();
        graph
            .types
            .extend(types.map(|term| (term.name, Type::tensor(term.element, &term.dims))));
    }

    /// An input of the node that is defined; none if it is left out or its sizes are not known.
    pub(super) fn input(&self, node: &Node, place: usize) -> Option<Term> {
        let name = node.input(place)?.to_owned();
        let ty = self.types.get(&name)?;
        Some(Term {
            name,
            element: ty.element,
            dims: ty.known()?,
        })
    }

    /// An input that may be left out; none if it is there but its sizes are not known.
    pub(super) fn optional(&self, node: &Node, place: usize) -> Option<Option<Term>> {
        match node.input(place) {
            None => Some(None),
            Some(_) => self.input(node, place).map(Some),
        }
    }

    /// Makes a tensor an output of the node that is defined, if the output is wanted.
    pub(super) fn output(&mut self, node: &Node, place: usize, term: &Term) {
        if let Some(name) = node.output(place) {
            self.nodes
                .push(Node::new("Identity", &[&term.name], &[name]));
        }
    }

    fn next(&self) -> String {
        format!(
            "{}.{}",
            self.prefix,
            self.nodes.len() + self.constants.len()
        )
    }

    fn push(&mut self, node: Node, inputs: &[&Term], element: Element, dims: Vec<usize>) -> Term {
        let name = self.next();
        let inputs = inputs.iter().map(|term| term.name.clone()).collect();
        self.nodes.push(Node {
            inputs,
            outputs: vec![name.clone()],
            ..node
        });
        let term = Term {
            name,
            element,
            dims,
        };
        self.terms.push(term.clone());
        term
    }

    pub(super) fn constant(&mut self, tensor: Tensor) -> Term {
        let name = self.next();
        let (element, dims) = (tensor.element(), tensor.dims().to_vec());
        self.constants.push((name.clone(), tensor));
        Term {
            name,
            element,
            dims,
        }
    }

    /// Sizes or axes.
    fn integers(&mut self, values: &[usize]) -> Term {
        let values: Vec<_> = values.iter().map(|value| *value as i64).collect();
        self.constant(Tensor::vector(&values))
    }

    /// Numbers of a floating-point type.
    pub(super) fn numbers(
        &mut self,
        values: &[f32],
        dims: Vec<usize>,
        element: Element,
    ) -> Option<Term> {
        let plain = Tensor::of(&dims, values).ok()?;
        let plain = self.constant(plain);
        Some(self.cast(&plain, element))
    }

    pub(super) fn number(&mut self, value: f32, element: Element) -> Term {
        let plain = self.constant(Tensor::scalar(value));
        self.cast(&plain, element)
    }

    /// A whole number of a type that indices have.
    pub(super) fn integer(&mut self, value: i64, element: Element) -> Option<Term> {
        match element {
            Element::I64 => Some(self.constant(Tensor::scalar(value))),
            Element::I32 => Some(self.constant(Tensor::scalar(i32::try_from(value).ok()?))),
            _ => None,
        }
    }

    pub(super) fn cast(&mut self, term: &Term, element: Element) -> Term {
        if term.element == element {
            return term.clone();
        }
        let to = element.to_onnx() as i64;
        self.push(
            operator("Cast").with("to", to),
            &[term],
            element,
            term.dims.clone(),
        )
    }

    pub(super) fn unary(&mut self, name: &str, term: &Term) -> Term {
        self.push(operator(name), &[term], term.element, term.dims.clone())
    }

    /// `Softmax` or its logarithm.
    pub(super) fn softmax(&mut self, name: &str, term: &Term, axis: i64) -> Term {
        let node = operator(name).with("axis", axis);
        self.push(node, &[term], term.element, term.dims.clone())
    }

    /// An operation on each two elements.
    pub(super) fn binary(&mut self, name: &str, left: &Term, right: &Term) -> Option<Term> {
        let dims = broadcast(&left.dims, &right.dims)?;
        Some(self.push(operator(name), &[left, right], left.element, dims))
    }

    /// The second where a condition holds, and the third elsewhere.
    pub(super) fn select(&mut self, condition: &Term, yes: &Term, no: &Term) -> Option<Term> {
        let dims = broadcast(&broadcast(&condition.dims, &yes.dims)?, &no.dims)?;
        Some(self.push(operator("Where"), &[condition, yes, no], yes.element, dims))
    }

    pub(super) fn equal(&mut self, left: &Term, right: &Term) -> Option<Term> {
        let dims = broadcast(&left.dims, &right.dims)?;
        Some(self.push(operator("Equal"), &[left, right], Element::Bool, dims))
    }

    pub(super) fn product(&mut self, left: &Term, right: &Term) -> Option<Term> {
        let ([outer @ .., rows, inner], [batch @ .., inner_too, columns]) =
            (left.dims.as_slice(), right.dims.as_slice())
        else {
            return None;
        };
        let mut dims = broadcast(outer, batch)?;
        dims.extend([*rows, *columns]);
        (inner == inner_too)
            .then(|| self.push(operator("MatMul"), &[left, right], left.element, dims))
    }

    pub(super) fn reshape(&mut self, term: &Term, dims: &[usize]) -> Option<Term> {
        let same = term.dims.iter().product::<usize>() == dims.iter().product::<usize>();
        let sizes = self.integers(dims);
        same.then(|| {
            self.push(
                operator("Reshape"),
                &[term, &sizes],
                term.element,
                dims.to_vec(),
            )
        })
    }

    pub(super) fn transpose(&mut self, term: &Term, order: &[usize]) -> Option<Term> {
        let dims = order.iter().map(|axis| term.dims.get(*axis).copied());
        let dims = dims.collect::<Option<_>>()?;
        let order: Vec<_> = order.iter().map(|axis| *axis as i64).collect();
        Some(self.push(
            operator("Transpose").with("perm", order),
            &[term],
            term.element,
            dims,
        ))
    }

    pub(super) fn expand(&mut self, term: &Term, dims: &[usize]) -> Option<Term> {
        let dims = broadcast(&term.dims, dims)?;
        let sizes = self.integers(&dims);
        Some(self.push(operator("Expand"), &[term, &sizes], term.element, dims))
    }

    pub(super) fn concat(&mut self, terms: &[&Term], axis: usize) -> Option<Term> {
        let mut dims = terms.first()?.dims.clone();
        *dims.get_mut(axis)? = terms
            .iter()
            .map(|term| term.dims.get(axis))
            .sum::<Option<_>>()?;
        let node = operator("Concat").with("axis", axis as i64);
        Some(self.push(node, terms, terms.first()?.element, dims))
    }

    /// Each so-manieth slice along an axis, from one place up to another.
    pub(super) fn slice(
        &mut self,
        term: &Term,
        axis: usize,
        from: usize,
        to: usize,
        step: usize,
    ) -> Option<Term> {
        let mut dims = term.dims.clone();
        let size = dims.get_mut(axis)?;
        let sound = from <= to && to <= *size;
        *size = to.checked_sub(from)?.div_ceil(step);
        let numbers = [from, to, axis, step].map(|number| self.integers(&[number]));
        let [from, to, axis, step] = &numbers;
        sound.then(|| {
            self.push(
                operator("Slice"),
                &[term, from, to, axis, step],
                term.element,
                dims,
            )
        })
    }

    /// The slices of a table that indices name.
    pub(super) fn gather(&mut self, table: &Term, indices: &Term) -> Option<Term> {
        let mut dims = indices.dims.clone();
        dims.extend(table.dims.get(1..)?);
        Some(self.push(
            operator("Gather").with("axis", 0),
            &[table, indices],
            table.element,
            dims,
        ))
    }

    /// Of the numbers along the second axis, those at the places that indices name.
    pub(super) fn pick(&mut self, term: &Term, indices: &Term) -> Option<Term> {
        let (batch, rest) = indices.dims.split_first()?;
        let mut single = vec![*batch, 1];
        single.extend(rest);
        let column = self.reshape(indices, &single)?;
        let node = operator("GatherElements").with("axis", 1);
        let picked = self.push(node, &[term, &column], term.element, single);
        self.reshape(&picked, &indices.dims)
    }

    /// A reduction of all numbers to one.
    pub(super) fn total(&mut self, name: &str, term: &Term) -> Term {
        let node = operator(name).with("keepdims", 0);
        self.push(node, &[term], term.element, Vec::new())
    }

    /// The mean over the last axes, which stay with size 1.
    pub(super) fn mean_from(&mut self, term: &Term, axis: usize) -> Term {
        let mut dims = term.dims.clone();
        let reduced: Vec<_> = (axis..dims.len()).collect();
        reduced.iter().for_each(|axis| dims[*axis] = 1);
        let axes = self.integers(&reduced);
        let node = operator("ReduceMean").with("keepdims", 1);
        self.push(node, &[term, &axes], term.element, dims)
    }
}

fn operator(name: &str) -> Node {
    Node::new(name, &[], &[])
}

/// The sizes of what an operation on each two elements gives.
fn broadcast(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
    let rank = left.len().max(right.len());
    let size = |dims: &[usize], axis: usize| match (axis + dims.len()).checked_sub(rank) {
        Some(own) => dims[own],
        None => 1,
    };
    let sizes = (0..rank).map(|axis| match (size(left, axis), size(right, axis)) {
        (1, size) | (size, 1) => Some(size),
        (one, other) => (one == other).then_some(one),
    });
    sizes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_broadcast_from_the_last() {
        assert_eq!(broadcast(&[2, 1, 4], &[3, 1]), Some(vec![2, 3, 4]));
        assert_eq!(broadcast(&[], &[5]), Some(vec![5]));
        assert_eq!(broadcast(&[2], &[3]), None);
        assert_eq!(broadcast(&[0], &[1]), Some(vec![0]));
    }

    #[test]
    fn slices_have_the_sizes_that_their_steps_leave() {
        let types = HashMap::new();
        let mut body = Body::new(&types, String::new());
        let term = body.constant(Tensor::of(&[1, 5], &[0.0_f32; 5]).unwrap());
        assert_eq!(body.slice(&term, 1, 1, 5, 2).unwrap().dims, [1, 2]);
        assert_eq!(body.slice(&term, 1, 0, 5, 2).unwrap().dims, [1, 3]);
        assert!(body.slice(&term, 1, 0, 6, 1).is_none());
        assert!(body.slice(&term, 2, 0, 1, 1).is_none());
    }
}
