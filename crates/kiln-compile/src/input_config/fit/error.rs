//! Why a request and a model contradict each other.

/// Why a model has other inputs than the request says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// An input that the model does not have.
    #[error(
        "ClientError: InputConfiguration: The model has no input '{name}'. Its inputs are {inputs}"
    )]
    Unknown {
        /// What was given.
        name: String,
        /// What the model has.
        inputs: String,
    },

    /// An input of the model that the request leaves out.
    #[error(
        "ClientError: InputConfiguration: Input '{0}' of the model is missing in DataInputConfig"
    )]
    Missing(String),

    /// More or fewer inputs than the model has, in the list form.
    #[error(
        "ClientError: InputConfiguration: DataInputConfig lists {given} inputs, but the model has {inputs}"
    )]
    Count {
        /// How many were given.
        given: usize,
        /// What the model has.
        inputs: String,
    },

    /// The shape of an image, with its axes in another order.
    #[error(
        "ClientError: InputConfiguration: Input {name} has wrong shape in Input Shape dictionary. Input shapes should be provided in {layout} format."
    )]
    Layout {
        /// The input.
        name: String,
        /// The order that is right.
        layout: &'static str,
    },

    /// Another type of elements.
    #[error(
        "ClientError: InputConfiguration: Input {name} has wrong dtype in DataInputConfig. It is {given}, but the model's is {model}."
    )]
    Dtype {
        /// The input.
        name: String,
        /// What was given.
        given: &'static str,
        /// What the model has.
        model: &'static str,
    },

    /// Another shape.
    #[error(
        "ClientError: InputConfiguration: Input {name} has wrong shape in Input Shape dictionary. It is {given}, but the model's is {model}."
    )]
    Shape {
        /// The input.
        name: String,
        /// What was given.
        given: String,
        /// What the model has.
        model: String,
    },
}
