//! Fuzz targets for what this room reads that others wrote.

use crate::catalogue::Piece;
use crate::{augmented, local_path, manifest};

#[test]
fn manifest() {
    bolero::check!().for_each(|document: &[u8]| {
        let mut items = 0_usize;
        let outcome = manifest::read(document, |item| {
            let first = matches!(item, manifest::ManifestItem::Prefix(_));
            assert_eq!(first, items == 0, "a prefix, and then no other");
            items += 1;
            Ok(())
        });
        assert!(
            outcome.is_err() || items > 1,
            "an empty manifest is refused"
        );
    });
}

#[test]
fn augmented_line() {
    let attributes = ["v".to_owned(), "v-ref".to_owned()];
    bolero::check!()
        .with_type::<(String, String)>()
        .for_each(|(value, uri)| {
            for line in [
                value.clone(),
                format!("{{\"v\":{value},\"v-ref\":\"{uri}\"}}"),
                format!("{{\"v\":\"{value}\",\"v-ref\":{uri}}}"),
            ] {
                if let Ok(pieces) = augmented::parse_line(&line, &attributes) {
                    let as_asked = matches!(
                        &pieces[..],
                        [Piece::Text(_), Piece::Object { bucket, key }]
                            if !bucket.is_empty() && !key.is_empty()
                    );
                    assert!(as_asked, "{line}: {pieces:?}");
                }
            }
        });
}

#[test]
fn local_path_of_a_key() {
    bolero::check!()
        .with_type::<(String, String)>()
        .for_each(|(prefix, rest)| {
            let key = format!("{prefix}{rest}");
            if let Ok(Some(path)) = local_path(prefix, &key) {
                let stays = |part| matches!(part, std::path::Component::Normal(_));
                assert!(path.components().all(stays), "{key}");
            }
        });
}
