//! Files whose names tell how many there are, as `model-00001-of-00003.safetensors` does.

use crate::OptimizeError;

/// Refuses files of which some are missing by what the names of the others say.
pub(super) fn refuse_missing(names: &[String]) -> Result<(), OptimizeError> {
    for name in names {
        let Some((stem, number, count)) = numbered(name) else {
            continue;
        };
        let width = number.len();
        let Ok(count) = count.parse::<u32>() else {
            continue;
        };
        // As many names as there are files are looked for at most, and one more.
        for wanted in (1..=count).take(names.len() + 1) {
            let wanted = format!("{stem}-{wanted:0width$}-of-{count:0width$}.safetensors");
            if !names.contains(&wanted) {
                return Err(OptimizeError::Model(format!(
                    "there is {name}, but not {wanted}"
                )));
            }
        }
    }
    Ok(())
}

/// The parts of such a name: what all have in common, the number and the count.
fn numbered(name: &str) -> Option<(&str, &str, &str)> {
    let (rest, count) = name.strip_suffix(".safetensors")?.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = digits(number) && digits(count) && number.len() == count.len();
    fits.then_some((stem, number, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_part_is_named() {
        let cases: [(&[&str], Option<&str>); 6] = [
            (&["model.safetensors", "x-of-y.safetensors"], None),
            (
                &["model-1-of-2.safetensors", "model-2-of-2.safetensors"],
                None,
            ),
            (
                &["model-1-of-2.safetensors"],
                Some("there is model-1-of-2.safetensors, but not model-2-of-2.safetensors"),
            ),
            (
                &["model-00007-of-99999.safetensors"],
                Some(
                    "there is model-00007-of-99999.safetensors, but not model-00001-of-99999.safetensors",
                ),
            ),
            (&["model-01-of-2.safetensors"], None),
            (&["model-0-of-99999999999999999999.safetensors"], None),
        ];
        for (names, expected) in cases {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let said = refuse_missing(&names).err().map(|error| error.to_string());
            assert_eq!(said, expected.map(|said| format!("ClientError: {said}")));
        }
    }
}
