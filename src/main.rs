//! The `attending` command.
fn main() {}
