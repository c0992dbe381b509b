//! What an AMD card would make of the kernels, without one: `cargo xtask kernels`.
//!
//! Mesa's RADV compiles for cards that are not there. Every kernel goes through naga as wgpu would have it and through RADV; printed
//! are registers, spills, and the shares of the peak that its inner loop allows. With `--net` the grids of a real recording and these
//! figures give the time that the convolutions of a pass would take (src/model.rs).

mod compile;
mod isa;
mod model;
mod net;
mod vulkan;

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use compile::{Job, Report};
use reslab::gpu::{KernelSource, Precision};

const FAMILIES: [&str; 4] = ["navi21", "gfx1100", "vega10", "polaris10"];

const HELP: &str = "\
cargo xtask kernels [WORD..] [--family NAME].. [--f16] [--trusted]
    every kernel whose name contains a WORD, for navi21, gfx1100, vega10 and polaris10 (or the families named)
cargo xtask kernels --net NAME [--batch N] [--size N] [--train] [--units N]..
    the convolutions of a pass (with --train of a training step), modelled for cards with 20, 36, 80 and 144 units
--json prints the compiler's figures as JSON
Needs Mesa's RADV (Debian: apt-get install mesa-vulkan-drivers); --net a Vulkan adapter, too (the same package).";

/// A network to model.
#[derive(Default)]
struct Net {
    name: String,
    batch: usize,
    size: Option<usize>,
    train: bool,
    units: Vec<u64>,
}

#[derive(Default)]
struct Arguments {
    words: Vec<String>,
    families: Vec<String>,
    f16: bool,
    trusted: bool,
    json: bool,
    net: Net,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some("--help" | "-h") => {
            println!("{HELP}");
            Ok(())
        }
        Some("--compile") => compile_here(&args[1..]),
        _ => parse(args).and_then(run),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: Vec<String>) -> Result<Arguments, String> {
    let mut found = Arguments { net: Net { batch: 1, ..Net::default() }, ..Arguments::default() };
    let mut rest = args.into_iter();
    while let Some(arg) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{arg} needs a value"));
        let number = |text: String| text.parse::<usize>().map_err(|_| format!("`{text}` is no number"));
        match arg.as_str() {
            "--family" => found.families.push(value()?),
            "--f16" => found.f16 = true,
            "--trusted" => found.trusted = true,
            "--json" => found.json = true,
            "--net" => found.net.name = value()?,
            "--batch" => found.net.batch = number(value()?)?.max(1),
            "--size" => found.net.size = Some(number(value()?)?),
            "--units" => found.net.units.push(number(value()?)?.max(1) as u64),
            "--train" => found.net.train = true,
            _ if arg.starts_with('-') => return Err(format!("there is no option `{arg}`\n{HELP}")),
            _ => found.words.push(arg),
        }
    }
    if found.families.is_empty() {
        found.families = FAMILIES.map(String::from).to_vec();
    }
    if found.net.units.is_empty() {
        found.net.units = vec![20, 36, 80, 144];
    }
    Ok(found)
}

fn run(args: Arguments) -> Result<(), String> {
    if !args.net.name.is_empty() {
        return net::print(&args.net, !args.trusted);
    }
    let precision = if args.f16 { Precision::F16 } else { Precision::F32 };
    let wanted = |name: &str| args.words.is_empty() || args.words.iter().any(|word| name.contains(word.as_str()));
    let jobs: Vec<Job> = reslab::ops::SHADERS
        .iter()
        .filter(|shader| wanted(shader.name))
        .map(|&shader| Job::from(&KernelSource { shader, precision, constants: Vec::new() }))
        .collect();
    for family in &args.families {
        let reports = compile_for(family, &jobs, !args.trusted)?;
        if args.json {
            println!("{}", serde_json::to_string(&reports).map_err(|e| e.to_string())?);
            continue;
        }
        println!("\n{family}");
        println!(
            "{:<28} {:>9} {:>7} {:>7} {:>7} {:>6} {:>12} | {:>5} {:>6} {:>6} {:>6} {:>6}",
            "kernel",
            "registers",
            "spilled",
            "scratch",
            "shared",
            "waves",
            "instructions",
            "MACs",
            "vector",
            "slots",
            "shared",
            "cycles"
        );
        for report in &reports {
            let inner = report.inner.as_ref().map_or(String::new(), |inner| {
                let percent = |share: f64| format!("{:.0}%", 100.0 * share);
                let shared = if inner.memory > 0.0 { percent(inner.shared_bound) } else { "-".into() };
                let [vector, slots] = [inner.vector_bound, inner.slot_bound].map(percent);
                format!(" | {:>5} {vector:>6} {slots:>6} {shared:>6} {:>6.0}", inner.macs, inner.alone)
            });
            println!(
                "{:<28} {:>9} {:>7} {:>7} {:>7} {:>6} {:>12}{inner}",
                report.name, report.registers, report.spilled, report.scratch, report.shared, report.waves, report.instructions
            );
        }
    }
    if !args.json {
        println!(
            "\nvector, slots, shared: shares of the f32 peak that the inner loop allows, by issue slots of the vector unit, by those of"
        );
        println!(
            "all instructions (machines with one kind of slot), by workgroup memory; cycles: of a turn, for a wave that is alone (model)"
        );
    }
    Ok(())
}

/// The driver reads the family from the environment once, so that each has a process of its own.
fn compile_for(family: &str, jobs: &[Job], checks: bool) -> Result<Vec<Report>, String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut child = Command::new(this)
        .args(["--compile", family, if checks { "checked" } else { "trusted" }])
        .env("RADV_FORCE_FAMILY", family)
        .env("VK_LOADER_DRIVERS_SELECT", "*radeon*")
        .env("VK_ICD_FILENAMES", radv()?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let text = serde_json::to_vec(jobs).map_err(|e| e.to_string())?;
    let input = child.stdin.take();
    let writer = std::thread::spawn(move || input.map_or(Ok(()), |mut input| input.write_all(&text)));
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    let written = writer.join().map_err(|_| "the writer of jobs stopped".to_string())?;
    if !output.status.success() {
        return Err(format!("nothing was compiled for {family}"));
    }
    written.map_err(|e| e.to_string())?;
    serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())
}

/// The file by which the Vulkan loader finds RADV.
fn radv() -> Result<std::path::PathBuf, String> {
    let named = std::env::var_os("RADV_ICD").map(std::path::PathBuf::from);
    let usual = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"].map(std::path::PathBuf::from);
    let is_radv =
        |path: &std::path::PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("radeon_icd"));
    let found = usual.iter().filter_map(|dir| dir.read_dir().ok()).flatten().flatten().map(|entry| entry.path()).find(is_radv);
    named.or(found).ok_or_else(|| "Mesa's RADV is not installed (Debian: apt-get install mesa-vulkan-drivers)".into())
}

fn compile_here(args: &[String]) -> Result<(), String> {
    let [family, checks] = args else { return Err("--compile FAMILY checked|trusted".into()) };
    let jobs: Vec<Job> = serde_json::from_reader(std::io::stdin().lock()).map_err(|e| e.to_string())?;
    let reports = compile::all(&jobs, family, checks == "checked")?;
    println!("{}", serde_json::to_string(&reports).map_err(|e| e.to_string())?);
    Ok(())
}
