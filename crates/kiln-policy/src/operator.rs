//! The names of condition operators, such as `ForAnyValue:StringLikeIfExists`,
//! taken apart.

/// What is compared, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Text,
    TextIgnoringCase,
    TextLike,
    Number(Order),
    Date(Order),
    Bool,
    Binary,
    Address,
    Arn,
    Null,
}

/// How a value of the request stands to one of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// How keys with several values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// As one value.
    Single,
    /// One of the request's values is enough.
    Any,
    /// All of the request's values must be right.
    All,
}

/// A condition operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) comparison: Comparison,
    pub(crate) negated: bool,
    pub(crate) quantifier: Quantifier,
    /// Whether a key that the request lacks is no hindrance.
    pub(crate) if_exists: bool,
}

impl Operator {
    /// The operator of a name; `None` for one that IAM does not know.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (quantifier, rest) = match name.split_once(':') {
            None => (Quantifier::Single, name),
            Some(("ForAnyValue", rest)) => (Quantifier::Any, rest),
            Some(("ForAllValues", rest)) => (Quantifier::All, rest),
            Some(_) => return None,
        };
        let (rest, if_exists) = match rest.strip_suffix("IfExists") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (comparison, negated) = comparison(rest)?;
        let null = comparison == Comparison::Null;
        if null && (if_exists || quantifier != Quantifier::Single) {
            return None;
        }
        Some(Self {
            comparison,
            negated,
            quantifier,
            if_exists,
        })
    }

    /// Whether its values have wildcards.
    pub(crate) fn has_wildcards(self) -> bool {
        matches!(self.comparison, Comparison::TextLike | Comparison::Arn)
    }
}

fn comparison(name: &str) -> Option<(Comparison, bool)> {
    use Comparison as C;
    Some(match name {
        "StringEquals" => (C::Text, false),
        "StringNotEquals" => (C::Text, true),
        "StringEqualsIgnoreCase" => (C::TextIgnoringCase, false),
        "StringNotEqualsIgnoreCase" => (C::TextIgnoringCase, true),
        "StringLike" => (C::TextLike, false),
        "StringNotLike" => (C::TextLike, true),
        "Bool" => (C::Bool, false),
        "BinaryEquals" => (C::Binary, false),
        "IpAddress" => (C::Address, false),
        "NotIpAddress" => (C::Address, true),
        // IAM makes no difference between the two.
        "ArnEquals" | "ArnLike" => (C::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (C::Arn, true),
        "Null" => (C::Null, false),
        other => {
            let (of, order) = match other.strip_prefix("Numeric") {
                Some(order) => (C::Number as fn(Order) -> C, order),
                None => (C::Date as fn(Order) -> C, other.strip_prefix("Date")?),
            };
            let (order, negated) = order_named(order)?;
            (of(order), negated)
        }
    })
}

fn order_named(name: &str) -> Option<(Order, bool)> {
    Some(match name {
        "Equals" => (Order::Equal, false),
        "NotEquals" => (Order::Equal, true),
        "LessThan" => (Order::Less, false),
        "LessThanEquals" => (Order::LessOrEqual, false),
        "GreaterThan" => (Order::Greater, false),
        "GreaterThanEquals" => (Order::GreaterOrEqual, false),
        _ => return None,
    })
}
