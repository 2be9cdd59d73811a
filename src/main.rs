//! The `attending` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    attending::cli::main()
}
