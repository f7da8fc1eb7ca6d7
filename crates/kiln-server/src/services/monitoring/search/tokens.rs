//! The words that names are made of: `CPUUtilization` is `cpu` and `utilization`,
//! `algo-1` is `algo` and `1`.

/// The words of a text, written small.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut words = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        if begins_word(before, *letter, letters.get(at + 1)) {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn begins_word(before: Option<&char>, letter: char, after: Option<&char>) -> bool {
    let Some(before) = before else { return false };
    let ends_capitals = before.is_uppercase()
        && letter.is_uppercase()
        && after.is_some_and(|after| after.is_lowercase());
    !before.is_alphanumeric()
        || (before.is_numeric() != letter.is_numeric())
        || (before.is_lowercase() && letter.is_uppercase())
        || ends_capitals
}

/// Whether the words follow each other somewhere among those of the text.
pub(super) fn are_among(words: &[String], text: &str) -> bool {
    words.is_empty() || tokens(text).windows(words.len()).any(|some| some == words)
}
