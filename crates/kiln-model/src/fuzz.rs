//! Fuzz targets for names and instants: what is read can be written and read
//! again.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use crate::{Arn, S3Uri, Timestamp};

fn reads_back<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().unwrap(), value, "{text}");
    }
}

#[test]
fn arns() {
    bolero::check!().with_type::<String>().for_each(|text| {
        reads_back::<Arn>(text);
        reads_back::<Arn>(&format!("arn:aws:sagemaker:us-east-1:123456789012:{text}"));
    });
}

#[test]
fn s3_uris() {
    bolero::check!().with_type::<String>().for_each(|text| {
        reads_back::<S3Uri>(text);
        reads_back::<S3Uri>(&format!("s3://bucket/{text}"));
    });
}

#[test]
fn timestamps() {
    bolero::check!()
        .with_type::<(String, f64, [u8; 6])>()
        .for_each(|(text, seconds, fields)| {
            reads_back::<Timestamp>(text);
            let [year, month, day, hour, minute, second] = fields;
            reads_back::<Timestamp>(&format!(
                "20{year:02}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z{text}"
            ));
            if let Ok(instant) = Timestamp::from_seconds(*seconds) {
                assert!((instant.seconds() - seconds).abs() < 0.001, "{seconds}");
            }
        });
}
