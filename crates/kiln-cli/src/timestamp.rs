//! Instants as people and services write them.

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use crate::python;
use crate::value::Value;

/// An instant, given as seconds since 1970 or as text.
pub(crate) fn parse(value: &Value) -> Option<OffsetDateTime> {
    match value {
        Value::Integer(seconds) => from_seconds(*seconds as f64),
        Value::Float(seconds) => from_seconds(*seconds),
        Value::Text(text) => {
            let text = text.trim();
            text.parse()
                .ok()
                .map_or_else(|| from_text(text), from_seconds)
        }
        _ => None,
    }
}

/// The instant in the form of ISO 8601, in local time, as Python writes it.
pub(crate) fn iso8601(value: &Value) -> Option<String> {
    let time = parse(value)?;
    let time = time.to_offset(local_offset(time));
    let micros = match time.microsecond() {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    };
    let (hours, minutes, _) = time.offset().as_hms();
    let sign = if time.offset().is_negative() {
        '-'
    } else {
        '+'
    };
    Some(format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{micros}{sign}{:02}:{:02}",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        hours.unsigned_abs(),
        minutes.unsigned_abs()
    ))
}

fn from_seconds(seconds: f64) -> Option<OffsetDateTime> {
    // To the microsecond, which is what Python keeps.
    let micros = (seconds * 1e6).round_ties_even();
    // Far beyond what any calendar holds, and not a number, are no instants.
    if !micros.is_finite() || micros.abs() > 1e18 {
        return None;
    }
    OffsetDateTime::from_unix_timestamp_nanos(micros as i128 * 1000).ok()
}

type Form = &'static [BorrowedFormatItem<'static>];

/// What `date` prints, in UTC.
const INSTANTS: [Form; 2] = [
    format_description!(
        "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] UTC \
         [year]"
    ),
    format_description!(
        "[weekday repr:short] [day] [month repr:short] [year] [hour repr:12]:[minute]:[second] \
         [period] UTC"
    ),
];
/// Days; of numbers with the year at the end, the month comes first.
const DAYS: [Form; 4] = [
    format_description!("[month repr:short] [day padding:none] [year]"),
    format_description!("[month repr:short] [day padding:none], [year]"),
    format_description!("[day padding:none] [month repr:short] [year]"),
    format_description!("[month padding:none]/[day padding:none]/[year]"),
];

/// An instant as text, which is in UTC unless it says otherwise.
fn from_text(text: &str) -> Option<OffsetDateTime> {
    let known = OffsetDateTime::parse(text, &Rfc2822).ok();
    known
        .or_else(|| from_numbers(text))
        .or_else(|| from_words(text))
}

fn from_numbers(text: &str) -> Option<OffsetDateTime> {
    let split = text.find(['T', ' ']);
    let (date, rest) = match split {
        Some(place) => (&text[..place], text[place + 1..].trim()),
        None => (text, ""),
    };
    let date = date_from(date)?;
    let (clock, offset) = split_offset(rest)?;
    let written = PrimitiveDateTime::new(date, clock_from(clock)?);
    Some(written.assume_offset(offset.unwrap_or(UtcOffset::UTC)))
}

/// An instant as `date` prints it, or a day with its month's name.
fn from_words(text: &str) -> Option<OffsetDateTime> {
    let mut instants = INSTANTS.iter();
    let found = instants.find_map(|form| PrimitiveDateTime::parse(text, form).ok());
    let day = |form: &Form| Date::parse(text, form).ok();
    let found = found.or_else(|| Some(DAYS.iter().find_map(day)?.midnight()));
    found.map(PrimitiveDateTime::assume_utc)
}

/// `2026-01-31`, `2026/01/31`, `20260131`.
fn date_from(text: &str) -> Option<Date> {
    let parts: Vec<&str> = text.split(['-', '/']).collect();
    let (year, month, day) = match parts[..] {
        [year, month, day] if year.len() == 4 => (year, month, day),
        [whole] if whole.len() == 8 && whole.is_ascii() => (&whole[..4], &whole[4..6], &whole[6..]),
        _ => return None,
    };
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
}

/// `12:34:56.789`, `12:34`, `12`, `123456`, or nothing, which is midnight.
fn clock_from(text: &str) -> Option<Time> {
    if text.is_empty() {
        return Some(Time::MIDNIGHT);
    }
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let parts: Vec<&str> = whole.split(':').collect();
    let (hour, minute, second) = match parts[..] {
        [hour, minute, second] => (hour, minute, second),
        [hour, minute] => (hour, minute, "0"),
        [hour] if hour.len() == 2 => (hour, "0", "0"),
        [all] if all.len() == 6 && all.is_ascii() => (&all[..2], &all[2..4], &all[4..]),
        _ => return None,
    };
    let nanos = match fraction {
        "" => 0,
        digits if digits.len() <= 9 => format!("{digits:0<9}").parse().ok()?,
        _ => return None,
    };
    let number = |text: &str| text.parse::<u8>().ok();
    Time::from_hms_nano(number(hour)?, number(minute)?, number(second)?, nanos).ok()
}

/// The clock without its offset from UTC, and that offset if there is one.
fn split_offset(text: &str) -> Option<(&str, Option<UtcOffset>)> {
    let names = ["Z", "z", " UTC", " GMT"];
    if let Some(clock) = names.into_iter().find_map(|name| text.strip_suffix(name)) {
        return Some((clock, Some(UtcOffset::UTC)));
    }
    let Some(place) = text.rfind(['+', '-']) else {
        return Some((text, None));
    };
    let (clock, offset) = text.split_at(place);
    let digits = offset[1..].replace(':', "");
    let (hours, minutes) = match digits.len() {
        2 => (digits.as_str(), "0"),
        4 => digits.split_at(2),
        _ => return None,
    };
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes): (i8, i8) = (hours.parse().ok()?, minutes.parse().ok()?);
    let offset = UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()?;
    Some((clock.trim_end(), Some(offset)))
}

fn local_offset(time: OffsetDateTime) -> UtcOffset {
    UtcOffset::local_offset_at(time).unwrap_or(UtcOffset::UTC)
}

/// A timestamp of an answer in the form that the profile asks for.
///
/// # Errors
/// When the form has a name that is not known.
pub(crate) fn checked_form(name: Option<&str>) -> Result<bool, String> {
    match name {
        None | Some("wire" | "none") => Ok(false),
        Some("iso8601") => Ok(true),
        Some(other) => Err(format!(
            "Unknown cli_timestamp_format value: {}, valid values are \"none\", \"wire\" or \"iso8601\"",
            python::text(&Value::text(other))
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_in_many_forms() {
        let instants = [
            "2026-01-02T03:04:05Z",
            "2026-01-02 03:04:05+00:00",
            "2026-01-02T05:04:05+02:00",
            "20260102T030405Z",
            "1767323045",
            "1767323045.4",
            "Fri, 02 Jan 2026 03:04:05 GMT",
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05 UTC",
            "2026-01-02T03:04:05,7",
            "Fri Jan  2 03:04:05 UTC 2026",
            "Fri 02 Jan 2026 03:04:05 AM UTC",
        ];
        let days = [
            "2026-01-02",
            "2026/01/02",
            "Jan 2 2026",
            "Jan 2, 2026",
            "2 Jan 2026",
            "1/2/2026",
            "2026-01-02T00",
        ];
        let instants = instants.map(|text| (text, 1_767_323_045));
        let days = days.map(|text| (text, 1_767_312_000));
        for (text, expected) in instants.into_iter().chain(days) {
            let time = parse(&Value::text(text)).unwrap();
            assert_eq!(time.unix_timestamp(), expected, "{text}");
        }
        for text in [
            "2026-01",
            "Jan 2026",
            "yesterdayish",
            "",
            "2026-13-01",
            "2026-01-02T25:00:00Z",
            "1e300",
            "nan",
        ] {
            assert_eq!(parse(&Value::text(text)), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[0-9TZ:+\\-./ é]{0,24}") {
            let _ = parse(&Value::Text(text));
        }
    }
}
