//! The kiln binary: commands, configuration, composition.

fn main() {}
