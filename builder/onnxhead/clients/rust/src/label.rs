use std::fmt;

use serde::Deserialize;

/// The name of a class, of the type that it had when the head was trained.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Label {
    /// A string.
    Text(String),
    /// A boolean.
    Boolean(bool),
    /// An integer, from -2^53 to 2^53.
    Integer(i64),
    /// A finite number that is written with a decimal point, also where it is whole.
    Decimal(f64),
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(formatter),
            Self::Boolean(boolean) => boolean.fmt(formatter),
            Self::Integer(integer) => integer.fmt(formatter),
            // as Debug has it, 1.0 stays another label than 1
            Self::Decimal(decimal) => fmt::Debug::fmt(decimal, formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Label;

    #[test]
    fn every_type_is_read_and_shown_as_it_was_written() {
        for (json, label) in [
            (r#""naïve 🦀""#, Label::Text("naïve 🦀".into())),
            ("true", Label::Boolean(true)),
            ("-9007199254740992", Label::Integer(-(1 << 53))),
            ("1.0", Label::Decimal(1.0)),
            ("0.1", Label::Decimal(0.1)),
        ] {
            assert_eq!(serde_json::from_str::<Label>(json).unwrap(), label);
            assert_eq!(label.to_string(), json.trim_matches('"'));
        }
    }
}
