//! What the store can say of an expression by its indexes, before any record is read.

use kiln_store::ListQuery;

use super::expression::{Condition, Filter};

/// Narrows a query to jobs that may meet a condition. Answers whether those it leaves all
/// do, so that their records need not be looked at.
pub fn narrow(query: &mut ListQuery, condition: &Condition) -> bool {
    match condition {
        Condition::All(conditions) => {
            // Every condition narrows further, whatever came before.
            let inexact = conditions.iter().filter(|one| !narrow(query, one));
            inexact.count() == 0
        }
        Condition::Any(conditions) => match conditions.as_slice() {
            [only] => narrow(query, only),
            _ => false,
        },
        Condition::Filter(filter) => narrow_by(query, filter),
        Condition::Nested(..) => false,
    }
}

fn narrow_by(query: &mut ListQuery, filter: &Filter) -> bool {
    if let (Some(key), Some(value)) = (filter.property.tag(), filter.text()) {
        query.tags.push((key.to_owned(), value.to_owned()));
        return true;
    }
    match filter.property.name.as_str() {
        "TrainingJobStatus" => settle(&mut query.status, filter.text()),
        "TrainingJobName" => {
            // The store takes no notice of the case of letters, and a search does.
            settle(&mut query.name_contains, filter.part());
            settle(&mut query.name, filter.text())
        }
        "CreationTime" => bound(
            (&mut query.created_after, &mut query.created_before),
            filter,
        ),
        "LastModifiedTime" => bound(
            (&mut query.modified_after, &mut query.modified_before),
            filter,
        ),
        _ => false,
    }
}

/// A column can be asked for one text only.
fn settle(asked: &mut Option<String>, text: Option<&str>) -> bool {
    match text {
        Some(text) if asked.is_none() => {
            *asked = Some(text.to_owned());
            true
        }
        _ => false,
    }
}

fn bound((after, before): (&mut Option<i64>, &mut Option<i64>), filter: &Filter) -> bool {
    let Some((first, last)) = filter.range() else {
        return false;
    };
    *after = (*after).max(first);
    *before = match (*before, last) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    true
}
