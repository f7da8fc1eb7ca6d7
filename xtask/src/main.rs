//! The project's own chores: `cargo xtask models`, `cargo xtask test`, `cargo xtask bench`.

fn main() {}
