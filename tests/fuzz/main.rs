//! Every reader of files on damaged input: it comes back, with an answer or an error, and takes no more memory than four times the file
//! plus what its headers declare. `cargo test` tries a hundred inputs a reader and those kept in `tests/fixtures/fuzz`;
//! `RESLAB_FUZZ=1000000` (`cargo xtask test long`) as many as it says, `RESLAB_FUZZ_ONLY=NAME` one reader alone,
//! `RESLAB_FUZZ_FROM=INDEX` from an input on; `RESLAB_FUZZ_KEEP=COUNT` keeps the first ones below `target/`. Inputs follow from the
//! reader's name and their number.
#![cfg(not(target_arch = "wasm32"))]

mod mutate;
mod random;
mod readers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use random::Random;
use readers::Reader;

#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Inputs a reader where nobody asks for more.
const FEW: u64 = 100;
/// What tables of names, an error's sentence and a small net's layers take whatever the file is.
const ALLOWANCE: usize = 2 << 20;

/// What happened to one input.
struct Outcome {
    problem: Option<String>,
    time: Duration,
    /// Bytes beyond what lay there before.
    memory: usize,
}

fn tried(reader: &Reader, name: &str, input: &[u8]) -> Outcome {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let start = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| (reader.read)(name, input)));
    let time = start.elapsed();
    let memory = MEMORY.peak_usage().saturating_sub(before);
    let problem = match result {
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Some(format!(
                "a panic: {}",
                text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
            ))
        }
        Ok(declared) => {
            let allowed = (4 * input.len()).saturating_add(declared).saturating_add(ALLOWANCE);
            (memory > allowed)
                .then(|| format!("{memory} bytes of memory for a file of {}, whose headers declare {declared}", input.len()))
        }
    };
    Outcome { problem, time, memory }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// One test, since memory is counted for the whole process.
#[test]
fn no_input_panics_or_takes_more_memory_than_it_may() {
    kept_inputs_are_no_problem_any_more();
    let (count, from) = (number("RESLAB_FUZZ").unwrap_or(FEW), number("RESLAB_FUZZ_FROM").unwrap_or(0));
    let only = std::env::var("RESLAB_FUZZ_ONLY").ok();
    let mut problems = Vec::new();
    // A panic is counted; its trace for each of many would be no help.
    std::panic::set_hook(Box::new(|_| {}));
    for reader in readers::all().iter().filter(|reader| only.as_ref().is_none_or(|only| only == reader.name)) {
        let begin = Instant::now();
        let (mut slowest, mut largest) = ((Duration::ZERO, 0), (0, 0));
        for index in from..from + count {
            let mut random = Random::of(reader.name, index);
            let (name, seed) = &reader.seeds[(index % reader.seeds.len() as u64) as usize];
            let input = (reader.mutate)(&mut random, seed);
            let Outcome { problem, time, memory } = tried(reader, name, &input);
            slowest = slowest.max((time, index));
            largest = largest.max((memory, index));
            if number("RESLAB_FUZZ_KEEP").is_some_and(|count| index < from + count) {
                keep(reader.name, index, &input);
            }
            if let Some(problem) = problem
                && problems.len() < 50
            {
                let kept = keep(reader.name, index, &input);
                problems.push(format!("{}, input {index} (like `{name}`{kept}): {problem}", reader.name));
            }
        }
        eprintln!(
            "{:<12} {count} inputs in {:.1} s, slowest {:.0} ms (input {}), most memory {:.1} MB (input {})",
            reader.name,
            begin.elapsed().as_secs_f64(),
            slowest.0.as_secs_f64() * 1e3,
            slowest.1,
            largest.0 as f64 / 1e6,
            largest.1
        );
    }
    let _ = std::panic::take_hook();
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// Inputs that once were a problem, and a few of each kind that others may damage: `READER-NAME` in `tests/fixtures/fuzz`.
fn kept_inputs_are_no_problem_any_more() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (kind, name) = name.split_once('-').expect("READER-NAME");
        let readers = readers::all();
        let reader = readers.iter().find(|reader| reader.name == kind).unwrap_or_else(|| panic!("no reader `{kind}`"));
        let input = std::fs::read(&path).unwrap();
        (reader.read)(name, &input);
        count += 1;
    }
    assert!(count > 0);
}

/// Keeps an input below `target/`, for a look.
fn keep(reader: &str, index: u64, input: &[u8]) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    let path = folder.join(format!("{reader}-{index}"));
    match std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, input)) {
        Ok(()) => format!(", kept as {}", path.display()),
        Err(_) => String::new(),
    }
}
