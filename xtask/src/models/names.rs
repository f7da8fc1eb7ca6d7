//! How names of the service model become names in Rust.

/// `VolumeSizeInGB` → `volume_size_in_gb`, with Rust's keywords escaped.
pub fn field(wire: &str) -> String {
    let name = snake_case(wire);
    if is_keyword(&name) {
        format!("r#{name}")
    } else {
        name
    }
}

/// What serde's `rename_all = "PascalCase"` makes of a field's name.
pub fn pascal_case(field: &str) -> String {
    field
        .trim_start_matches("r#")
        .split('_')
        .map(capitalized)
        .collect()
}

/// `ml.m5.large` → `MlM5Large`, `GZIP` → `Gzip`, `X86_64` → `X86_64`.
pub fn variant(wire: &str) -> String {
    let mut name = String::new();
    for word in wire.split(|c: char| !c.is_ascii_alphanumeric()) {
        // Without the underscore `p3.2xlarge` and `p32.xlarge` would be one.
        let ends_in_digit = name.ends_with(|c: char| c.is_ascii_digit());
        if ends_in_digit && word.starts_with(|c: char| c.is_ascii_digit()) {
            name.push('_');
        }
        name.push_str(&capitalized(&calmed(word)));
    }
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, 'V');
    }
    if name == "Self" {
        name.push('_');
    }
    name
}

fn snake_case(wire: &str) -> String {
    let letters: Vec<char> = wire.chars().collect();
    let mut name = String::new();
    for (at, letter) in letters.iter().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            name.push('_');
            continue;
        }
        if letter.is_ascii_uppercase() && starts_word(&letters, at) {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Whether the capital at a place begins a word: after a small letter or a
/// digit, or as the last capital of several (`MLJob` → `ml_job`).
fn starts_word(letters: &[char], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|at| letters[at]) else {
        return false;
    };
    let next_is_small = letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
    before.is_ascii_lowercase()
        || before.is_ascii_digit()
        || (before.is_ascii_uppercase() && next_is_small)
}

/// A word in capitals only, in small letters; any other word as it is.
fn calmed(word: &str) -> String {
    if word.chars().any(|c| c.is_ascii_lowercase()) {
        word.to_owned()
    } else {
        word.to_ascii_lowercase()
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => String::new(),
    }
}

fn is_keyword(name: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do",
        "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in",
        "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
        "return", "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe",
        "unsized", "use", "virtual", "where", "while", "yield",
    ];
    KEYWORDS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_snake_case() {
        for (wire, expected) in [
            ("TrainingJobName", "training_job_name"),
            ("S3Uri", "s3_uri"),
            ("S3", "s3"),
            ("VolumeSizeInGB", "volume_size_in_gb"),
            ("AutoMLJobArn", "auto_ml_job_arn"),
            ("EnableSageMakerMetrics", "enable_sage_maker_metrics"),
            ("Type", "r#type"),
            ("Match", "r#match"),
            ("key", "key"),
            ("Self_", "self_"),
        ] {
            assert_eq!(field(wire), expected, "{wire}");
        }
    }

    #[test]
    fn serde_finds_most_wire_names_by_itself() {
        for (field, expected) in [
            ("s3_uri", "S3Uri"),
            ("r#type", "Type"),
            ("volume_size_in_gb", "VolumeSizeInGb"),
        ] {
            assert_eq!(pascal_case(field), expected, "{field}");
        }
    }

    #[test]
    fn variants_are_camel_case() {
        for (wire, expected) in [
            ("ml.m5.large", "MlM5Large"),
            ("ml.p3.2xlarge", "MlP3_2xlarge"),
            ("ml.p4d.24xlarge", "MlP4d24xlarge"),
            ("GZIP", "Gzip"),
            ("InProgress", "InProgress"),
            ("X86_64", "X86_64"),
            ("x86_win64", "X86Win64"),
            ("AWS::SageMaker::TrainingJob", "AwsSageMakerTrainingJob"),
            ("S3Prefix", "S3Prefix"),
            ("TENSORFLOW", "Tensorflow"),
            ("32bit", "V32bit"),
            ("self", "Self_"),
        ] {
            assert_eq!(variant(wire), expected, "{wire}");
        }
    }
}
