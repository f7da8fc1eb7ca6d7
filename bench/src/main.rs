//! Kiln against its peers, in one run, as ratios.

fn main() {}
