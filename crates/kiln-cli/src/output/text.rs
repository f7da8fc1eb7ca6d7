//! The text form: lines of fields with tabs between them, objects within objects
//! on lines of their own that begin with a name.

use std::collections::BTreeSet;

use crate::python;
use crate::value::{Members, Value};

/// Writes a value as text.
pub(super) fn write(out: &mut String, value: &Value) {
    write_value(out, value, None, None);
}

fn write_value(
    out: &mut String,
    value: &Value,
    name: Option<&str>,
    scalar_names: Option<&BTreeSet<&str>>,
) {
    match value {
        Value::Map(members) => write_map(out, members, name, scalar_names),
        Value::List(items) => write_list(out, items, name),
        scalar => line(out, None, &[python::text(scalar)]),
    }
}

fn write_list(out: &mut String, items: &[Value], name: Option<&str>) {
    if items.iter().any(|item| matches!(item, Value::Map(_))) {
        let names = scalar_names(items);
        for item in items {
            write_value(out, item, name, Some(&names));
        }
        return;
    }
    let (scalars, others): (Vec<&Value>, Vec<&Value>) =
        items.iter().partition(|item| item.is_scalar());
    if !scalars.is_empty() {
        write_scalars(out, &scalars, name);
    }
    for other in others {
        write_value(out, other, name, None);
    }
}

fn write_scalars(out: &mut String, items: &[&Value], name: Option<&str>) {
    let texts: Vec<String> = items.iter().map(|item| python::text(item)).collect();
    match name {
        Some(_) => texts.into_iter().for_each(|text| line(out, name, &[text])),
        None => line(out, None, &texts),
    }
}

fn write_map(
    out: &mut String,
    members: &Members,
    name: Option<&str>,
    scalar_names: Option<&BTreeSet<&str>>,
) {
    let mut sorted: Vec<(&str, &Value)> = members.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    let scalars: Vec<String> = match scalar_names {
        // All items of a list have the same fields, some of them empty.
        Some(names) => names
            .iter()
            .map(|name| members.get(name).map_or_else(String::new, python::text))
            .collect(),
        None => sorted
            .iter()
            .filter(|(_, value)| value.is_scalar())
            .map(|(_, value)| python::text(value))
            .collect(),
    };
    if !scalars.is_empty() {
        line(out, name, &scalars);
    }
    let is_other = |name: &str, value: &Value| match scalar_names {
        Some(names) => !names.contains(name),
        None => !value.is_scalar(),
    };
    for (name, value) in sorted {
        if is_other(name, value) {
            write_value(out, value, Some(name), None);
        }
    }
}

fn scalar_names(items: &[Value]) -> BTreeSet<&str> {
    let members = items.iter().filter_map(Value::as_map);
    let entries = members.flat_map(Members::iter);
    let scalars = entries.filter(|(_, value)| value.is_scalar());
    scalars.map(|(name, _)| name).collect()
}

fn line(out: &mut String, name: Option<&str>, fields: &[String]) {
    if let Some(name) = name {
        out.push_str(&name.to_uppercase());
        out.push('\t');
    }
    out.push_str(&fields.join("\t"));
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn values_are_laid_out_as_the_aws_cli_does() {
        for (value, expected) in [
            ("\"a\"", "a\n"),
            ("null", "None\n"),
            ("[1, 2.5, true]", "1\t2.5\tTrue\n"),
            ("[]", ""),
            ("{}", ""),
            (
                r#"{"b": 1, "a": "x", "c": ["p", "q"]}"#,
                "x\t1\nC\tp\nC\tq\n",
            ),
            (
                r#"{"Jobs": [{"N": "a", "T": {"k": 1}}, {"M": 2}]}"#,
                "JOBS\t\ta\nT\t1\nJOBS\t2\t\n",
            ),
            ("[[1, 2], [3, [4]]]", "1\t2\n3\n4\n"),
        ] {
            let mut out = String::new();
            write(&mut out, &json::parse(value).unwrap());
            assert_eq!(out, expected, "{value}");
        }
    }
}
