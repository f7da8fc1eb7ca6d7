//! Fuzz targets for the readers: whatever the bytes, an ensemble that was read
//! can be evaluated and packed.

use super::{Ensemble, TreesError, pack, read_lightgbm, read_sklearn, read_xgboost};

fn evaluates(read: Result<Ensemble, TreesError>) {
    let Ok(ensemble) = read else { return };
    assert!(pack(&ensemble).is_ok());
    let features = ensemble.parts().features as usize;
    // Nothing bounds how many features a model may claim, save the row that
    // its user must then bring.
    if features <= 1 << 16 {
        for value in [f64::NAN, 0.0, -1e9] {
            let prediction = ensemble.predict(&vec![value; features]);
            assert_eq!(prediction.len(), ensemble.outputs());
        }
    }
}

/// A real model, with a part of it overwritten or cut off.
fn damaged(whole: &[u8], at: u16, other: &[u8], cut: bool) -> Vec<u8> {
    let mut damaged = whole.to_vec();
    let at = usize::from(at) % whole.len();
    let end = (at + other.len()).min(whole.len());
    damaged[at..end].copy_from_slice(&other[..end - at]);
    if cut {
        damaged.truncate(end);
    }
    damaged
}

fn check(whole: &[u8], read: fn(&[u8]) -> Result<Ensemble, TreesError>) {
    evaluates(read(whole));
    bolero::check!()
        .with_type::<(u16, Vec<u8>, bool)>()
        .for_each(|(at, other, cut)| evaluates(read(&damaged(whole, *at, other, *cut))));
}

#[test]
fn xgboost_of_any_bytes() {
    bolero::check!().for_each(|bytes: &[u8]| evaluates(read_xgboost(bytes)));
}

#[test]
fn xgboost_legacy() {
    let whole = include_bytes!("../../tests/data/xgboost-1.7.6/dart.model");
    check(whole, read_xgboost);
}

#[test]
fn xgboost_json() {
    let whole = include_bytes!("../../tests/data/xgboost-1.7.6/categories.json");
    check(whole, read_xgboost);
}

#[test]
fn xgboost_ubjson() {
    let whole = include_bytes!("../../tests/data/xgboost-3.2.0/vector-leaves.ubj");
    check(whole, read_xgboost);
}

#[test]
fn lightgbm() {
    let whole = include_bytes!("../../tests/data/lightgbm-4.6.0/categories.txt");
    check(whole, read_lightgbm);
}

#[test]
fn sklearn() {
    let whole = include_bytes!("../../tests/data/scikit-learn-1.9.1/histogram-classes.trees");
    check(whole, read_sklearn);
}
