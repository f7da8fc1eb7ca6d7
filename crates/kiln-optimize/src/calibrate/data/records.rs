//! One record of a file of JSON: a text, a conversation, or tokens.

use serde_json::{Map, Value};

/// What one sample is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text to be tokenized.
    Text(String),
    /// Tokens.
    Tokens(Vec<u32>),
}

/// Understands a record. What is wrong with it is the end of a sentence.
pub fn read(record: &Value) -> Result<Content, String> {
    let Some(record) = record.as_object() else {
        return Err("is not a JSON object".to_owned());
    };
    if let Some((name, tokens)) = first(record, &["input_ids", "tokens"]) {
        return tokens_of(tokens)
            .map(Content::Tokens)
            .ok_or_else(|| format!("has {name} that are not a list of token numbers"));
    }
    if let Some((name, text)) = first(record, &["text"]) {
        let text = text
            .as_str()
            .ok_or_else(|| format!("has a {name} that is not a text"))?;
        return Ok(Content::Text(text.to_owned()));
    }
    if let Some((name, messages)) = first(record, &["messages"]) {
        return conversation(messages).map(Content::Text).ok_or_else(|| {
            format!("has {name} that are not a list of objects with a text as content")
        });
    }
    if let Some((_, prompt)) = first(record, &["prompt"]) {
        let parts = [Some(prompt), record.get("completion")];
        let parts: Option<Vec<&str>> = parts.into_iter().flatten().map(Value::as_str).collect();
        let parts = parts.ok_or("has a prompt or a completion that is not a text")?;
        return Ok(Content::Text(parts.join("\n")));
    }
    Err("has neither text, messages, prompt, input_ids nor tokens".to_owned())
}

fn first<'a>(record: &'a Map<String, Value>, names: &[&'a str]) -> Option<(&'a str, &'a Value)> {
    names
        .iter()
        .find_map(|name| Some((*name, record.get(*name)?)))
}

/// Some keep a list of one list of tokens.
fn tokens_of(value: &Value) -> Option<Vec<u32>> {
    let list = match value.as_array()?.as_slice() {
        [Value::Array(inner)] => inner,
        list => list,
    };
    list.iter()
        .map(|token| u32::try_from(token.as_u64()?).ok())
        .collect()
}

fn conversation(messages: &Value) -> Option<String> {
    let contents = messages
        .as_array()?
        .iter()
        .map(|message| message.get("content")?.as_str());
    let contents: Option<Vec<&str>> = contents.collect();
    Some(contents?.join("\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_of_all_kinds_are_understood() {
        let text = |text: &str| Ok(Content::Text(text.to_owned()));
        let cases = [
            (json!({"text": "a"}), text("a")),
            (json!({"prompt": "a", "completion": "b"}), text("a\nb")),
            (json!({"prompt": "a"}), text("a")),
            (
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}),
                text("a\nb"),
            ),
            (
                json!({"input_ids": [1, 2], "text": "a"}),
                Ok(Content::Tokens(vec![1, 2])),
            ),
            (json!({"tokens": [[3]]}), Ok(Content::Tokens(vec![3]))),
            (
                json!({"tokens": [-1]}),
                Err("has tokens that are not a list of token numbers"),
            ),
            (json!({"text": 1}), Err("has a text that is not a text")),
            (
                json!({"messages": ["a"]}),
                Err("has messages that are not a list of objects with a text as content"),
            ),
            (json!([1]), Err("is not a JSON object")),
            (
                json!({"a": 1}),
                Err("has neither text, messages, prompt, input_ids nor tokens"),
            ),
        ];
        for (record, expected) in cases {
            assert_eq!(read(&record), expected.map_err(str::to_owned), "{record}");
        }
    }
}
