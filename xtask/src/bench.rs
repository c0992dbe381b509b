//! `cargo xtask bench`: the command line's own benchmark, built for speed.

use crate::sh::{self, Result, say};
use std::process::ExitCode;

pub fn run(args: &[String]) -> Result<ExitCode> {
    let defaults = ["--arch", "resnet18", "--batch", "1", "--size", "224"].map(String::from);
    let args = if args.is_empty() { &defaults[..] } else { args };
    let mut cargo = sh::cargo();
    cargo.args(["run", "--profile", "bench", "--package", "reslab", "--", "bench"]).args(args);
    say(sh::shown(&cargo));
    say("in the browser: cargo xtask serve, then open /bench.html");
    sh::run(&mut cargo)?;
    Ok(ExitCode::SUCCESS)
}
