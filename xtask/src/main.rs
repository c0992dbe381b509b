//! `cargo xtask`: the two commands of the README (`serve`, `test`) and their helpers.
//!
//! It has no dependencies on purpose: it is the first thing a fresh clone compiles. Only what trunk calls has one (`split`).

mod bench;
mod golden;
mod kernels;
mod offline;
mod optimise;
mod report;
mod serve;
mod sh;
#[cfg(feature = "split")]
mod split;
mod test;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  serve [--port 8080] [--no-open] [--debug]   install what is missing, build, serve the page at http://127.0.0.1:8080
  test [PHASE...] [--no-build] [-- ARGS]      every check; phases: fmt clippy native wasm e2e (all when none is named)
                                              long, only when named: damaged files by the million, PyTorch beside us
                                              --no-build: e2e against the dist/ that is there
                                              ARGS go to the runner of the one phase named
  setup [--test]                              only install what serve (with --test: and test) needs
  bench [ARGS]                                time one network on this machine's GPU: reslab bench ARGS
  kernels [ARGS]                              what an AMD card would make of the kernels, without one (--help)
  golden [ARGS]                               recompute the reference values in tests/golden (Python, in a venv)
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.first().map(String::as_str) {
        Some("serve") => serve::run(&args[1..]),
        Some("test") => test::run(&args[1..]),
        Some("setup") => tools::setup(&args[1..]),
        Some("bench") => bench::run(&args[1..]),
        Some("golden") => golden::run(&args[1..]),
        Some("kernels") => kernels::run(&args[1..]),
        // Called by Trunk after a build (see Trunk.toml); not for people.
        Some("optimise") => optimise::run(),
        Some("-h" | "--help" | "help") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        None => Err(USAGE.to_owned()),
        Some(other) => Err(format!("there is no command `{other}`\n{USAGE}")),
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
