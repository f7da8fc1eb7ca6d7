//! Fuzz targets for the headers that the S3 takes apart by itself.

use crate::{ranges, tags};

#[test]
fn copy_ranges() {
    bolero::check!()
        .with_type::<(String, u64, u64, u64)>()
        .for_each(|(text, first, last, size)| {
            for header in [text.clone(), format!("bytes={first}-{last}")] {
                if let Ok(range) = ranges::copy_range(Some(&header), *size) {
                    assert!(range.start < range.end && range.end <= *size, "{header}");
                }
            }
        });
}

#[test]
fn tag_headers() {
    bolero::check!().with_type::<String>().for_each(|header| {
        if let Ok(tags) = tags::from_header(Some(header)) {
            assert!(tags.len() <= 10 && !tags.contains_key(""), "{header}");
        }
    });
}
