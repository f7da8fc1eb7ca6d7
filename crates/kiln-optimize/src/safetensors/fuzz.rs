//! Fuzz targets: whatever a file says, its tensors are disjoint, within the file, and as
//! large as their shapes need, or it is refused.

use std::fs;

use super::{Reader, header};

fn check(bytes: &[u8]) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("model.safetensors");
    fs::write(&path, bytes).unwrap();
    let Ok((reader, tensors)) = Reader::open(&path, 0) else {
        return;
    };
    let mut total = 0;
    for tensor in &tensors {
        assert_eq!(
            header::bytes(tensor.dtype, &tensor.shape),
            Some(tensor.bytes())
        );
        let mut content = vec![0; tensor.bytes() as usize];
        reader.read_at(tensor.range.start, &mut content).unwrap();
        total += tensor.bytes();
    }
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(8 + length + total, bytes.len() as u64);
}

fn sealed(json: &str, data: usize) -> Vec<u8> {
    let mut file = (json.len() as u64).to_le_bytes().to_vec();
    file.extend(json.as_bytes());
    file.resize(file.len() + data, 0);
    file
}

#[test]
fn any_bytes() {
    bolero::check!().for_each(|bytes: &[u8]| check(bytes));
}

#[test]
fn any_json() {
    bolero::check!()
        .with_type::<(String, u8)>()
        .for_each(|(json, data)| {
            check(&sealed(json, usize::from(*data)));
        });
}

#[test]
fn any_places() {
    bolero::check!()
        .with_type::<(Vec<(u8, u8, u8, u8)>, u8)>()
        .for_each(|(places, data)| {
            let tensors = places.iter().take(6).map(|(name, size, begin, end)| {
                format!(
                    r#""{}":{{"dtype":"U8","shape":[{}],"data_offsets":[{begin},{end}]}}"#,
                    name % 8,
                    size % 8
                )
            });
            let json = format!("{{{}}}", tensors.collect::<Vec<_>>().join(","));
            check(&sealed(&json, usize::from(*data)));
        });
}
