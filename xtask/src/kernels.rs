//! `cargo xtask kernels`: what an AMD card would make of the kernels. A package of its own, so that nothing else waits for its crates.

use crate::sh::{self, Result};
use std::process::ExitCode;

pub fn run(args: &[String]) -> Result<ExitCode> {
    let mut cargo = sh::cargo();
    cargo.args(["run", "--quiet", "--package", "reslab-kernels", "--"]).args(args);
    sh::run(&mut cargo)?;
    Ok(ExitCode::SUCCESS)
}
