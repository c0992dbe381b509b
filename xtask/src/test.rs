//! `cargo xtask test`: every check there is, one phase after the other, and one closing line.
//!
//! A phase that fails does not stop the others. What a phase needs and cannot have (a browser, a GPU driver, Node) is a
//! failure of that phase with the reason, never a silent skip.

use crate::{
    report::{self, Tally},
    sh::{self, Result, say},
    tools,
};
use std::{net::TcpListener, process::Command, process::ExitCode, time::Instant};

const WASM: &str = "wasm32-unknown-unknown";

/// The test program that is made for the browser: tests/browser.
const BROWSER_TESTS: [&str; 2] = ["--test", "browser"];

/// What was asked for on the command line.
#[derive(Debug, Default)]
struct Options {
    phases: Vec<&'static Phase>,
    /// Passed on to the runner of the one phase named.
    rest: Vec<String>,
    no_build: bool,
}

#[derive(Debug)]
struct Phase {
    name: &'static str,
    what: &'static str,
    run: fn(&Options) -> Result<Tally>,
}

/// In the order of how soon they tell something.
static PHASES: [Phase; 5] = [
    Phase { name: "fmt", what: "formatting", run: fmt },
    Phase { name: "clippy", what: "lints for the command line and for the page", run: clippy },
    Phase { name: "native", what: "unit tests, shaders, GPU tests on this machine's Vulkan adapter", run: native },
    Phase { name: "wasm", what: "tests in headless Chromium with WebGPU", run: wasm },
    Phase { name: "e2e", what: "the page: a release build, driven by Playwright", run: e2e },
];

/// What takes hours or needs Python; only run when it is named.
static LONG: Phase = Phase {
    name: "long",
    what: "a million damaged files a reader; PyTorch, Keras and ONNX Runtime beside us; the page for hours; a hundred killed tabs; licences",
    run: long,
};

pub fn run(args: &[String]) -> Result<ExitCode> {
    let options = parse(args)?;
    let start = Instant::now();
    let mut total = Tally::default();
    let mut table = Vec::new();
    for (i, phase) in options.phases.iter().enumerate() {
        say(format!("[{}/{}] {}: {}", i + 1, options.phases.len(), phase.name, phase.what));
        let begin = Instant::now();
        let tally = (phase.run)(&options).unwrap_or_else(|message| {
            println!("error: {message}");
            Tally::check(false)
        });
        let skipped = if tally.skipped > 0 { format!(", {} skipped", tally.skipped) } else { String::new() };
        let line = format!("{:<6} {tally}{skipped} in {:.0} s", phase.name, begin.elapsed().as_secs_f64());
        say(&line);
        table.push(line);
        total.add(tally);
    }
    say(format!("all phases, {:.0} s", start.elapsed().as_secs_f64()));
    for line in table {
        say(line);
    }
    println!("{total}");
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let (own, rest) = match args.iter().position(|a| a == "--") {
        Some(at) => (&args[..at], &args[at + 1..]),
        None => (args, &[][..]),
    };
    for arg in own {
        if arg == "--no-build" {
            options.no_build = true;
            continue;
        }
        let names = || PHASES.each_ref().map(|p| p.name).join(" ") + " long";
        let phase = PHASES.iter().chain([&LONG]).find(|p| p.name == arg);
        options.phases.push(phase.ok_or_else(|| format!("there is no phase `{arg}`; there are: {}", names()))?);
    }
    if options.phases.is_empty() {
        options.phases.extend(PHASES.iter());
    }
    rest.clone_into(&mut options.rest);
    if !options.rest.is_empty() && options.phases.len() != 1 {
        return Err("arguments after `--` need exactly one phase to go to".to_owned());
    }
    Ok(options)
}

fn fmt(_: &Options) -> Result<Tally> {
    tools::for_lints()?;
    let ok = sh::tee(sh::cargo().args(["fmt", "--all", "--check"]), |_| {})?;
    if !ok {
        say("to repair: cargo fmt --all");
    }
    Ok(Tally::check(ok))
}

fn clippy(options: &Options) -> Result<Tally> {
    tools::for_lints()?;
    tools::wasm_target()?;
    let mut native = sh::cargo();
    native.args(["clippy", "--workspace", "--all-targets", "--all-features"]);
    let mut page = sh::cargo();
    page.args(["clippy", "--target", WASM, "--features", "page", "--lib", "--bins"]).args(BROWSER_TESTS);
    let mut sum = Tally::default();
    for cargo in [&mut native, &mut page] {
        cargo.args(&options.rest).args(["--", "-D", "warnings"]);
        say(sh::shown(cargo));
        sum.add(Tally::check(sh::tee(cargo, |_| {})?));
    }
    Ok(sum)
}

fn native(options: &Options) -> Result<Tally> {
    tools::for_gpu()?;
    let mut cargo = sh::cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]).args(&options.rest);
    libtests(&mut cargo)
}

fn wasm(options: &Options) -> Result<Tally> {
    let tools = tools::for_pages()?;
    let browser = tools::for_browser()?;
    let mut cargo = sh::cargo();
    // Optimised, as the page is: the dependencies are then compiled once for both.
    cargo.args(["test", "--profile", "page", "--no-fail-fast", "--target", WASM]).args(BROWSER_TESTS).args(&options.rest);
    cargo
        .env("PATH", tools.path())
        .env("CHROMEDRIVER", &browser.driver)
        // Seconds for a whole test file; the first shader compile on a software adapter alone takes a few.
        .env("WASM_BINDGEN_TEST_TIMEOUT", "600");
    libtests(&mut cargo)
}

/// Runs a command made of libtest (or wasm-bindgen-test) runners and adds up their closing lines.
fn libtests(cargo: &mut Command) -> Result<Tally> {
    counted(cargo, report::libtest)
}

fn counted(command: &mut Command, parse: fn(&str) -> Option<Tally>) -> Result<Tally> {
    say(sh::shown(command));
    let mut sum = Tally::default();
    let ok = sh::tee(command, |line| sum.add(parse(line).unwrap_or_default()))?;
    if !ok && sum.failed == 0 {
        println!("error: `{}` failed outside of its tests (see above)", sh::shown(command));
        sum.failed = 1;
    }
    if ok && sum.passed == 0 {
        println!("error: `{}` ran no test", sh::shown(command));
        sum.failed += 1;
    }
    Ok(sum)
}

fn e2e(options: &Options) -> Result<Tally> {
    end_to_end(options, &[])
}

/// The page, driven by Playwright with these variables.
fn end_to_end(options: &Options, variables: &[(&str, &str)]) -> Result<Tally> {
    let browser = tools::for_browser()?;
    let firefox = tools::for_firefox()?;
    let dir = tools::for_playwright()?;
    let tools = tools::for_pages()?;
    let mut sum = Tally::default();
    if !options.no_build {
        let mut trunk = tools.trunk();
        trunk.args(["build", "--release"]);
        say(sh::shown(&trunk));
        let begin = Instant::now();
        let built = sh::tee(&mut trunk, |_| {})?;
        say(format!("page built in {:.0} s", begin.elapsed().as_secs_f64()));
        sum.add(Tally::check(built));
        if !built {
            return Ok(sum);
        }
    } else if !sh::root().join("dist/index.html").is_file() {
        return Err("--no-build needs a dist/ that was built before".to_owned());
    }
    // The end-to-end tests export models with the command line; the native phase has built it already.
    let mut cli = sh::cargo();
    cli.args(["build", "--bin", "reslab"]);
    sh::run(&mut cli)?;
    let cli = sh::target_dir().join("debug").join(format!("reslab{}", std::env::consts::EXE_SUFFIX));
    // A port that is free now; the server of the tests takes it a moment later.
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).map_err(|e| e.to_string())?.port();
    let mut playwright = tools.command("node");
    playwright
        .current_dir(&dir)
        .args(["node_modules/@playwright/test/cli.js", "test"])
        .args(&options.rest)
        .env("CHROMIUM", &browser.chromium)
        .env("FIREFOX", &firefox)
        .env("RESLAB_BIN", &cli)
        .env("RESLAB_E2E_PORT", port.to_string())
        .envs(variables.iter().copied());
    sum.add(counted(&mut playwright, report::playwright)?);
    Ok(sum)
}

/// `RESLAB_FUZZ` is the number of inputs a reader, `RESLAB_KILLS` that of deaths of a tab.
fn long(options: &Options) -> Result<Tally> {
    let mut fuzz = sh::cargo();
    fuzz.args(["test", "--test", "fuzz"]).args(&options.rest).args(["--", "--nocapture"]);
    fuzz.env("RESLAB_FUZZ", std::env::var("RESLAB_FUZZ").unwrap_or_else(|_| "1000000".to_owned()));
    let mut sum = libtests(&mut fuzz)?;
    let mut cli = sh::cargo();
    cli.args(["build", "--bin", "reslab"]);
    sh::run(&mut cli)?;
    for passed in crate::golden::check_all()? {
        sum.add(Tally::check(passed));
    }
    // Words after `--` were for the damaged files.
    let page = Options { no_build: options.no_build, ..Options::default() };
    // The tab or the browser killed at as many moments of chance.
    let kills = std::env::var("RESLAB_KILLS").unwrap_or_else(|_| "100".to_owned());
    sum.add(end_to_end(&page, &[("RESLAB_LONG", "1"), ("RESLAB_KILLS", &kills)])?);
    let mut deny = sh::cargo();
    deny.args(["deny", "check", "licenses", "bans", "sources"]);
    say(sh::shown(&deny));
    let allowed = sh::tee(&mut deny, |_| {})?;
    if !allowed {
        say("if cargo does not know `deny`: cargo install cargo-deny --locked");
    }
    sum.add(Tally::check(allowed));
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn no_phase_means_all_of_them_in_order() {
        let options = parse(&[]).unwrap();
        assert_eq!(options.phases.iter().map(|p| p.name).collect::<Vec<_>>(), ["fmt", "clippy", "native", "wasm", "e2e"]);
        assert!(!options.no_build);
    }

    #[test]
    fn what_takes_hours_is_only_run_when_it_is_named() {
        assert_eq!(parse(&args("long")).unwrap().phases[0].name, "long");
    }

    #[test]
    fn one_phase_takes_arguments_for_its_runner() {
        let options = parse(&args("e2e --no-build -- -g drop")).unwrap();
        assert_eq!(options.phases.len(), 1);
        assert!(options.no_build);
        assert_eq!(options.rest, ["-g", "drop"]);
    }

    #[test]
    fn wrong_words_are_named() {
        assert!(parse(&args("natve")).unwrap_err().contains("natve"));
        assert!(parse(&args("fmt native -- -g x")).unwrap_err().contains("exactly one phase"));
        assert!(parse(&args("-- x")).is_err());
    }
}
