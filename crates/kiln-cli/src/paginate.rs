//! Lists that come in pages: asking for all of them, or for so many items.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::failure::Failure;
use crate::flags::Parsed;
use crate::json;
use crate::value::{Members, Value};

const TOKEN: &str = "NextToken";
const LIMIT: &str = "MaxResults";
const TRUNCATED: &str = "boto_truncate_amount";

/// The member that holds the items of an operation that answers in pages.
pub(crate) fn result_key(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "ListTrainingJobs" => "TrainingJobSummaries",
        "ListCompilationJobs" => "CompilationJobSummaries",
        "ListOptimizationJobs" => "OptimizationJobSummaries",
        "ListModels" => "Models",
        "ListTags" => "Tags",
        "Search" => "Results",
        _ => return None,
    })
}

/// The members of an operation's first page that belong to the whole.
fn whole_keys(operation: &str) -> &'static [&'static str] {
    match operation {
        "Search" => &["TotalHits"],
        _ => &[],
    }
}

/// What is asked of the pages.
#[derive(Debug, Default)]
pub(crate) struct Paging {
    starting_token: Option<String>,
    page_size: Option<i128>,
    max_items: Option<i128>,
}

impl Paging {
    /// Reads the options. None means that just one page is wanted.
    pub(crate) fn read(
        operation: &str,
        parsed: &Parsed,
        paginate: bool,
    ) -> Result<Option<Self>, Failure> {
        if result_key(operation).is_none() {
            return Ok(None);
        }
        let by_hand = ["--next-token", "--max-results"];
        if !paginate || by_hand.iter().any(|name| parsed.words(name).is_some()) {
            let paging = ["--starting-token", "--page-size", "--max-items"];
            let set = |name: &&str| {
                parsed
                    .word(name)
                    .is_some_and(|word| !matches!(word, "" | "0"))
            };
            let used: Vec<&str> = paging.into_iter().filter(set).collect();
            if used.is_empty() {
                return Ok(None);
            }
            return Err(Failure::Parameter(format!(
                "Error during pagination: Cannot specify --no-paginate along with pagination \
                 arguments: {}",
                used.join(", ")
            )));
        }
        // That these are numbers was checked when they were read.
        let number = |name: &str| parsed.word(name)?.trim().parse().ok();
        Ok(Some(Self {
            starting_token: parsed.word("--starting-token").map(str::to_owned),
            page_size: number("--page-size"),
            max_items: number("--max-items"),
        }))
    }

    /// Whether so few items are asked for that it cannot be meant.
    pub(crate) fn is_odd(&self) -> bool {
        self.max_items.is_some_and(|items| items <= 0)
    }
}

/// All that was asked for, page by page.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) key: &'static str,
    /// The pages as they came, but for items that were not asked for.
    pub(crate) pages: Vec<Members>,
    /// What belongs to the whole.
    pub(crate) whole: Members,
    /// Where a later invocation goes on.
    pub(crate) resume: Option<String>,
}

impl Pages {
    /// The pages as one answer.
    pub(crate) fn joined(self) -> Members {
        let mut items: Option<Vec<Value>> = None;
        for mut page in self.pages {
            if let Some(Value::List(page)) = page.remove(self.key) {
                items.get_or_insert_default().extend(page);
            }
        }
        let mut joined = Members::default();
        if let Some(items) = items {
            joined.set(self.key, Value::List(items));
        }
        for (name, value) in self.whole.0 {
            joined.set(name, value);
        }
        if let Some(token) = self.resume {
            joined.set(TOKEN, Value::Text(token));
        }
        joined
    }
}

/// Asks for pages until there are no more, or enough.
pub(crate) fn pages(
    operation: &str,
    mut request: Members,
    paging: &Paging,
    mut call: impl FnMut(Members) -> Result<Members, Failure>,
) -> Result<Pages, Failure> {
    let key = result_key(operation).unwrap_or_default();
    let mut pages = Pages {
        key,
        pages: Vec::new(),
        whole: Members::default(),
        resume: None,
    };
    let start = paging.starting_token.as_deref().map(starting).transpose()?;
    let (mut token, skip) = start.unwrap_or_default();
    if paging.starting_token.is_some() {
        inject(&mut request, token.as_deref());
    }
    if let Some(size) = paging.page_size {
        request.set(LIMIT, Value::Integer(size));
    }
    let (mut seen, mut first) = (0, true);
    loop {
        let mut page = call(request.clone())?;
        let mut items = page.remove(key);
        let skipped = if first { skip } else { 0 };
        if first {
            first = false;
            if paging.starting_token.is_some() {
                items = Some(without_first(items, skipped));
            }
            for name in whole_keys(operation) {
                let value = page.get(name).cloned().unwrap_or(Value::Null);
                pages.whole.set(*name, value);
            }
        }
        let count = length(items.as_ref());
        let beyond = paging
            .max_items
            .map_or(0, |most| (seen + count).saturating_sub(most));
        if beyond > 0 {
            let kept = count.saturating_sub(beyond);
            page.set(key, first_items(items, kept));
            pages.pages.push(page);
            pages.resume = Some(resume_token(
                token.as_deref(),
                Some(kept.saturating_add(skipped)),
            ));
            return Ok(pages);
        }
        let next = page.get(TOKEN).and_then(Value::as_text);
        let next = next.filter(|next| !next.is_empty()).map(str::to_owned);
        if let Some(items) = items {
            page.set(key, items);
        }
        pages.pages.push(page);
        seen += count;
        let Some(next) = next else { return Ok(pages) };
        if paging.max_items == Some(seen) {
            pages.resume = Some(resume_token(Some(&next), None));
            return Ok(pages);
        }
        if token.as_ref() == Some(&next) && pages.pages.len() > 1 {
            return Err(Failure::General(format!(
                "Error during pagination: The same next token was received twice: {{'{TOKEN}': {}}}",
                crate::python::quoted(&next)
            )));
        }
        inject(&mut request, Some(&next));
        token = Some(next);
    }
}

fn inject(request: &mut Members, token: Option<&str>) {
    match token {
        Some(token) if token != "None" => request.set(TOKEN, Value::text(token)),
        _ => drop(request.remove(TOKEN)),
    }
}

fn length(items: Option<&Value>) -> i128 {
    match items {
        Some(Value::List(items)) => items.len() as i128,
        _ => 0,
    }
}

fn without_first(items: Option<Value>, skipped: i128) -> Value {
    match items {
        Some(Value::List(items)) => {
            let skipped = usize::try_from(skipped).unwrap_or_default();
            Value::List(items.into_iter().skip(skipped).collect())
        }
        _ => Value::Null,
    }
}

/// The first items; a number below zero leaves so many out at the end.
fn first_items(items: Option<Value>, kept: i128) -> Value {
    let Some(Value::List(mut items)) = items else {
        return Value::List(Vec::new());
    };
    let length = items.len() as i128;
    let kept = if kept < 0 {
        length.saturating_add(kept).max(0)
    } else {
        kept
    };
    items.truncate(usize::try_from(kept).unwrap_or_default());
    Value::List(items)
}

/// A token that says where to go on: the service's, and how many items of that
/// page are done with.
fn resume_token(token: Option<&str>, done: Option<i128>) -> String {
    let token = token.map_or_else(
        || "null".to_owned(),
        |token| json::compact(&Value::text(token)),
    );
    let done = done.map_or_else(String::new, |done| format!(", \"{TRUNCATED}\": {done}"));
    STANDARD.encode(format!("{{\"{TOKEN}\": {token}{done}}}"))
}

/// What a token says; one that this program has not made is the service's own.
fn starting(token: &str) -> Result<(Option<String>, i128), Failure> {
    let decoded = STANDARD.decode(token).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(Value::Map(members)) = text.and_then(|text| json::parse(&text).ok()) {
        let token = members.get(TOKEN).and_then(Value::as_text);
        let done = match members.get(TRUNCATED) {
            Some(Value::Integer(done)) => *done,
            _ => 0,
        };
        return Ok((token.map(str::to_owned), done));
    }
    let parts: Vec<&str> = token.split("___").collect();
    let (token, done) = match parts[..] {
        [before, count] => match count.parse() {
            Ok(done) => (before, done),
            Err(_) => (token, 0),
        },
        [_] => (token, 0),
        _ => return Err(Failure::General(format!("Bad starting token: {token}"))),
    };
    Ok(((token != "None").then(|| token.to_owned()), done))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service with the items 0 to 6, in pages of the size asked for, or three.
    fn serve(request: Members) -> Result<Members, Failure> {
        let number = |name: &str| match request.get(name) {
            Some(Value::Integer(number)) => Some(*number),
            Some(Value::Text(text)) => text.parse().ok(),
            _ => None,
        };
        let from = number(TOKEN).unwrap_or(0);
        let to = (from + number(LIMIT).unwrap_or(3)).min(7);
        let mut page = Members::default();
        page.set(
            "Tags",
            Value::List((from..to).map(Value::Integer).collect()),
        );
        if to < 7 {
            page.set(TOKEN, Value::Text(to.to_string()));
        }
        Ok(page)
    }

    fn ask(token: Option<String>, max_items: Option<i128>) -> (String, Option<String>) {
        let paging = Paging {
            starting_token: token,
            page_size: None,
            max_items,
        };
        let pages = pages("ListTags", Members::default(), &paging, serve).unwrap();
        let resume = pages.resume.clone();
        let joined = pages.joined();
        (json::compact(joined.get("Tags").unwrap()), resume)
    }

    #[test]
    fn pages_are_joined() {
        assert_eq!(ask(None, None), ("[0,1,2,3,4,5,6]".to_owned(), None));
    }

    #[test]
    fn a_later_invocation_goes_on_where_one_ended() {
        let (items, token) = ask(None, Some(2));
        assert_eq!(items, "[0,1]");
        let (items, token) = ask(token, Some(3));
        assert_eq!(items, "[2,3,4]");
        let (items, token) = ask(token, None);
        assert_eq!((items.as_str(), token), ("[5,6]", None));
        let (items, token) = ask(None, Some(3));
        assert_eq!(items, "[0,1,2]");
        assert_eq!(ask(token, Some(1)).0, "[3]");
    }

    #[test]
    fn the_services_own_tokens_are_taken() {
        assert_eq!(starting("3").unwrap(), (Some("3".to_owned()), 0));
        assert_eq!(starting("3___2").unwrap(), (Some("3".to_owned()), 2));
        assert_eq!(starting("None").unwrap(), (None, 0));
    }
}
