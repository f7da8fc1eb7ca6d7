//! Fuzz targets for the reader: whatever the bytes, it answers.

use super::read;

const CFG: &[u8] = include_bytes!("../../tests/data/darknet/everything/model.cfg");
const WEIGHTS: &[u8] = include_bytes!("../../tests/data/darknet/everything/model.weights");

#[test]
fn any_cfg() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = read(bytes, bytes::Bytes::from_static(WEIGHTS), None);
    });
}

#[test]
fn a_damaged_cfg() {
    assert!(read(CFG, bytes::Bytes::from_static(WEIGHTS), None).is_ok());
    bolero::check!()
        .with_type::<(u16, Vec<u8>)>()
        .for_each(|(at, other)| {
            let mut cfg = CFG.to_vec();
            let at = usize::from(*at) % cfg.len();
            let end = (at + other.len()).min(cfg.len());
            cfg.splice(at..end, other.iter().copied());
            let _ = read(&cfg, bytes::Bytes::from_static(WEIGHTS), None);
        });
}

#[test]
fn any_weights() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = read(CFG, bytes.to_vec().into(), None);
    });
}
