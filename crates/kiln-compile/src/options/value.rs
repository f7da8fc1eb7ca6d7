//! The values of options: each takes a literal, and answers with nothing where it
//! is none of the option's values.

use crate::literal::{Literal, Value};

/// API levels that there are, from the first that is supported on.
const ANDROID_PLATFORMS: std::ops::RangeInclusive<i64> = 21..=29;

pub(super) fn text(literal: &Literal) -> Option<String> {
    match &literal.value {
        Value::Text(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// One string or a list of them.
pub(super) fn texts(literal: &Literal) -> Option<Vec<String>> {
    match &literal.value {
        Value::List(elements) if !elements.is_empty() => elements.iter().map(text).collect(),
        _ => text(literal).map(|only| vec![only]),
    }
}

/// The name of a processor. It becomes part of a compiler's flag.
pub(super) fn processor(literal: &Literal) -> Option<String> {
    text(literal).filter(|name| is_llvm_name(name))
}

/// Features, in a list or in one string with commas between them.
pub(super) fn features(literal: &Literal) -> Option<Vec<String>> {
    let features: Vec<_> = texts(literal)?
        .iter()
        .flat_map(|features| features.split(','))
        .map(|feature| feature.trim().to_owned())
        .collect();
    let sound = |feature: &String| feature.strip_prefix(['+', '-']).is_some_and(is_llvm_name);
    features.iter().all(sound).then_some(features)
}

fn is_llvm_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.len() <= 40
        && name.bytes().all(sound)
}

/// 72 of `sm_72`. A letter behind it tells variants of one GPU apart.
pub(super) fn gpu_code(literal: &Literal) -> Option<u32> {
    let text = text(literal)?;
    let code = text.strip_prefix("sm_")?;
    let digits = code.strip_suffix(['a', 'f']).unwrap_or(code);
    let sound =
        (2..=3).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    sound.then(|| digits.parse().ok()).flatten()
}

/// A version of two to four numbers. One of two is also taken as a number.
pub(super) fn version(literal: &Literal) -> Option<String> {
    let version = match literal.value {
        Value::Float(version) => format!("{version:?}"),
        _ => text(literal)?,
    };
    let parts: Vec<_> = version.split('.').collect();
    let is_number = |part: &&str| {
        (1..=5).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit())
    };
    ((2..=4).contains(&parts.len()) && parts.iter().all(is_number)).then_some(version)
}

pub(super) fn android_platform(literal: &Literal) -> Option<u32> {
    let level = match &literal.value {
        Value::Integer(level) => *level,
        Value::Text(level) => level
            .strip_prefix("android-")
            .unwrap_or(level)
            .parse()
            .ok()?,
        _ => return None,
    };
    let supported = ANDROID_PLATFORMS.contains(&level);
    supported.then(|| u32::try_from(level).ok()).flatten()
}
