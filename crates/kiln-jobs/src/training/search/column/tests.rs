//! What is written comes back, and what was not written is refused.

use std::collections::BTreeMap;

use kiln_model::api::Operator;
use proptest::prelude::*;

use super::*;
use crate::training::search::comparison::{Comparison, Relation};
use crate::training::search::property::Property;
use crate::training::search::scalar::read_number;

/// What jobs have, by their places.
type Jobs = BTreeMap<u16, Vec<(u16, Owned)>>;

#[derive(Debug, Clone, PartialEq)]
enum Owned {
    Text(String),
    Number(f64),
    Boolean(bool),
    Object,
}

impl Owned {
    fn of(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Text(text) => Self::Text(text.to_owned()),
            Scalar::Numeral(text, number) => {
                assert_eq!(read_number(text), Some(number));
                Self::Text(text.to_owned())
            }
            Scalar::Number(number) => Self::Number(number),
            Scalar::Boolean(value) => Self::Boolean(value),
            Scalar::Object => Self::Object,
        }
    }

    fn scalar(&self) -> Scalar<'_> {
        match self {
            Self::Text(text) => Scalar::Text(text),
            Self::Number(number) => Scalar::Number(*number),
            Self::Boolean(value) => Scalar::Boolean(*value),
            Self::Object => Scalar::Object,
        }
    }
}

fn text() -> impl Strategy<Value = Owned> {
    ".{0,5}".prop_map(Owned::Text)
}

fn numeral() -> impl Strategy<Value = Owned> {
    "-?[0-9]{1,3}(\\.[0-9])?".prop_map(Owned::Text)
}

fn number() -> impl Strategy<Value = Owned> {
    (-3..3_i32).prop_map(|number| Owned::Number(f64::from(number) / 2.0))
}

fn any_scalar() -> impl Strategy<Value = Owned> {
    let boolean = any::<bool>().prop_map(Owned::Boolean);
    prop_oneof![text(), numeral(), number(), boolean, Just(Owned::Object)]
}

fn jobs(value: impl Strategy<Value = Vec<(u16, Owned)>>) -> impl Strategy<Value = Jobs> {
    prop::collection::btree_map(0..1024_u16, value, 0..300)
}

fn columns() -> impl Strategy<Value = Jobs> {
    fn single(value: impl Strategy<Value = Owned>) -> impl Strategy<Value = Jobs> {
        jobs(value.prop_map(|value| vec![(0, value)]))
    }
    prop_oneof![
        single(text()),
        single(numeral()),
        single(number()),
        single(any_scalar()),
        jobs(prop::collection::vec((0..3_u16, any_scalar()), 1..4)),
    ]
}

fn write(jobs: &Jobs) -> Vec<u8> {
    let mut writer = ColumnWriter::default();
    for (place, values) in jobs {
        for (object, value) in values {
            let scalar = value.scalar();
            let object = *object;
            writer.push(*place, Item { object, scalar });
        }
    }
    writer.finish()
}

proptest! {
    #[test]
    fn what_is_written_is_read(jobs in columns(), without in 0..1024_u16) {
        let bytes = write(&jobs);
        let column = Column::read(&bytes).unwrap();
        let mut among = Selection::NONE;
        (0..1024).filter(|place| *place != without).for_each(|place| among.insert(place));
        let mut read = Jobs::new();
        let owned = |items: &[Item<'_>]| {
            items.iter().map(|item| (item.object, Owned::of(item.scalar))).collect::<Vec<_>>()
        };
        column.each(&among, owned, |place, items| {
            read.insert(place, items.clone());
        }).unwrap();
        let mut expected = jobs.clone();
        expected.remove(&without);
        prop_assert_eq!(read, expected);
        prop_assert_eq!(column.jobs().places().collect::<Vec<_>>(), jobs.keys().copied().collect::<Vec<_>>());
    }

    #[test]
    fn those_pass_whose_values_do(jobs in columns(), from in 0..700_u16) {
        let bytes = write(&jobs);
        let column = Column::read(&bytes).unwrap();
        let mut among = Selection::NONE;
        (from..1024).for_each(|place| among.insert(place));
        let parameter = Property::named("HyperParameters.x").unwrap();
        let numeral = |operator| Test::of(&parameter, Some(operator), Some("3")).unwrap();
        for test in [
            numeral(Operator::GreaterThan),
            numeral(Operator::NotEquals),
            Test::Is(Comparison::Contains("11".to_owned())),
            Test::Is(Comparison::Contains(String::new())),
            Test::Is(Comparison::OneOf(vec!["2".to_owned(), String::new()])),
            Test::Exists,
            Test::Absent,
            Test::Is(Comparison::Text("1".to_owned())),
            Test::Is(Comparison::Contains("1".to_owned())),
            Test::IsNot(Comparison::Number(Relation::Less, 0.5)),
        ] {
            let passing = column.passing(&test, &among).unwrap();
            let expected = (from..1024).filter(|place| {
                let values = jobs.get(place).into_iter().flatten();
                test.holds(values.map(|(_, value)| value.scalar()))
            });
            prop_assert_eq!(passing.places().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn any_bytes_are_a_column_or_damaged(
        jobs in columns(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = write(&jobs);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(length.index(bytes.len() * 2));
        if let Ok(column) = Column::read(&bytes) {
            let everybody = column.jobs().clone();
            let _ = column.each(&everybody, <[Item<'_>]>::len, |_, _| {});
            let _ = column.passing(&Test::Is(Comparison::Text(String::new())), &everybody);
        }
    }
}

#[test]
fn a_value_that_many_have_is_kept_once() {
    let many = (0..1000).map(|place| (place, vec![(0, Owned::Text("the same".to_owned()))]));
    let column = write(&many.collect());
    assert!(column.len() < 200, "{}", column.len());
}
