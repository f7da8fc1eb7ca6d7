//! Enums whose variants are fixed texts on the wire.

/// A text is not a value of the enum it should be one of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{value}' is not a value of {name}")]
pub struct UnknownValue {
    name: &'static str,
    value: String,
}

impl UnknownValue {
    pub(crate) fn new(name: &'static str, value: &str) -> Self {
        Self {
            name,
            value: value.to_owned(),
        }
    }
}

/// Declares a closed enum with its texts: `as_str`, `ALL`, `Display`, `FromStr`
/// and serde.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $wire:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $wire, "`.")] $variant,)+
        }

        impl $name {
            /// Every value, in the order of the model.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value as it is on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $wire,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::wire_enum::UnknownValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($wire => Ok(Self::$variant),)+
                    _ => Err($crate::wire_enum::UnknownValue::new(stringify!($name), text)),
                }
            }
        }

        $crate::text::serde_as_text!($name);
    };
}
pub(crate) use wire_enum;

#[cfg(test)]
mod tests {
    use crate::api::{TrainingInstanceType, TrainingJobStatus};

    #[test]
    fn every_value_reads_back() {
        for value in TrainingInstanceType::ALL {
            assert_eq!(value.as_str().parse(), Ok(*value));
            let json = serde_json::to_string(value).unwrap();
            assert_eq!(json, format!("\"{value}\""));
            assert_eq!(
                serde_json::from_str::<TrainingInstanceType>(&json).unwrap(),
                *value
            );
        }
    }

    #[test]
    fn an_unknown_value_is_named() {
        let error = "Sleeping".parse::<TrainingJobStatus>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "'Sleeping' is not a value of TrainingJobStatus"
        );
    }
}
