//! The command line: the engine behind arguments, text tables and JSON.
//!
//! Answers go to stdout, everything else (progress, remarks, errors) to stderr, so that `--json` can be piped. The exit code
//! is 0 when all went well, 1 when something failed (said in one line beginning with `reslab:`), 2 for a wrong command line and
//! 130 when a run was stopped with Ctrl-C.

mod bench;
mod classify;
mod clock;
mod data;
mod eight;
mod eval;
mod export;
mod features;
mod hub;
mod inspect;
mod model;
mod models;
mod output;
mod pixels;
mod pull;
mod summary;
mod tables;
mod train;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::Error;
use crate::device::{Adapter, Device, DeviceKind, DeviceOptions};
use crate::engine::{Engine, PrecisionChoice};

/// Run ResNets on the GPU: the command line of ResLab.
#[derive(Debug, Parser)]
#[command(name = "reslab", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// What computes.
    #[arg(long, global = true, value_enum, default_value_t = DeviceArg::Auto, alias = "adapter")]
    device: DeviceArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DeviceArg {
    /// A graphics card, else the processor.
    #[value(alias = "fastest")]
    Auto,
    /// A graphics card, or an error.
    Gpu,
    /// The processor.
    Cpu,
    /// A software adapter (llvmpipe, WARP): slow, for tests.
    Software,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what pictures show.
    Classify(classify::Arguments),
    /// Measure accuracy on a folder of labelled pictures.
    Eval(eval::Arguments),
    /// Train or fine-tune a network on a folder of labelled pictures.
    Train(Box<train::Arguments>),
    /// Write what `train` with these arguments would do as a folder (--out) for PyTorch's torchrun on other machines.
    HandOff(Box<train::Arguments>),
    /// Describe a weights file.
    Inspect(inspect::Arguments),
    /// Describe a network without weights: layers, shapes, parameters, multiply-adds.
    Summary(summary::Arguments),
    /// Write a model as a file for other programs: safetensors, ONNX, TensorFlow.js, TensorFlow Lite.
    Export(export::Arguments),
    /// Write what layers make of pictures as a safetensors file.
    Features(features::Arguments),
    /// Measure speed and memory.
    Bench(bench::Arguments),
    /// Fetch a ResNet of the Hugging Face hub by its repository.
    Pull(pull::Arguments),
    /// List the models that can be used by name.
    Models(models::Arguments),
}

/// Element type of weights and activations on the GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PrecisionArg {
    /// f16 on a real GPU that has it, f32 elsewhere.
    Auto,
    /// 32-bit floats.
    F32,
    /// 16-bit floats in memory, sums in 32 bits.
    F16,
}

impl PrecisionArg {
    fn choice(self) -> PrecisionChoice {
        match self {
            Self::Auto => PrecisionChoice::Auto,
            Self::F32 => PrecisionChoice::F32,
            Self::F16 => PrecisionChoice::F16,
        }
    }
}

/// Why a command ends early.
#[derive(Debug)]
enum Stop {
    /// To be shown.
    Failed(Error),
    /// Shown already, where it happened.
    Reported,
    /// The user stopped it, and was told what was kept.
    Interrupted,
    /// Nobody reads our output any more (`reslab models | head -1`).
    PipeClosed,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Parses the process's arguments, does what they say and returns the exit code.
/// Starts again with XDG_RUNTIME_DIR where a server has none: Mesa's driver for processors says "error: XDG_RUNTIME_DIR is invalid" on
/// stderr as often as it is opened, and needs it for windows alone. A program may not change its own environment safely.
#[cfg(target_os = "linux")]
fn quiet_drivers() {
    use std::os::unix::process::CommandExt;
    const NAME: &str = "XDG_RUNTIME_DIR";
    if std::env::var_os(NAME).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        // It returns only where that failed: then there is a line too much on stderr.
        let _ = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(NAME, std::env::temp_dir()).exec();
    }
}

/// The command line: its exit code.
pub fn main() -> ExitCode {
    // Silent unless RUST_LOG asks: drivers and wgpu warn about things no user can change.
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("off")).init();
    let Cli { global, command } = Cli::parse();
    #[cfg(target_os = "linux")]
    quiet_drivers();
    let done = match command {
        Command::Classify(arguments) => classify::run(&global, &arguments),
        Command::Eval(arguments) => eval::run(&global, &arguments),
        Command::Train(arguments) => train::run(&global, &arguments),
        Command::HandOff(arguments) => train::handoff::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Summary(arguments) => summary::run(&arguments),
        Command::Export(arguments) => export::run(&global, &arguments),
        Command::Features(arguments) => features::run(&global, &arguments),
        Command::Pull(arguments) => pull::run(&arguments),
        Command::Bench(arguments) => bench::run(&global, &arguments),
        Command::Models(arguments) => models::run(&arguments),
    };
    match done {
        Ok(()) | Err(Stop::PipeClosed) => ExitCode::SUCCESS,
        Err(Stop::Reported) => ExitCode::FAILURE,
        Err(Stop::Interrupted) => ExitCode::from(train::INTERRUPTED),
        Err(Stop::Failed(error)) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

impl Global {
    fn device_options(&self) -> DeviceOptions {
        match self.device {
            DeviceArg::Auto => DeviceOptions::default(),
            DeviceArg::Gpu => DeviceOptions::of(DeviceKind::Gpu),
            DeviceArg::Cpu => DeviceOptions::of(DeviceKind::Cpu),
            DeviceArg::Software => DeviceOptions::software(),
        }
    }

    /// Opens the device with the element type asked for.
    fn open(&self, precision: PrecisionArg) -> Result<Engine, Error> {
        let mut engine = pollster::block_on(Engine::open(self.device_options())).map_err(advise)?;
        pollster::block_on(engine.set_precision(precision.choice(), &mut |_| ()))?;
        if precision == PrecisionArg::F16 && !engine.device().f16 {
            output::remark("this adapter has no 16-bit floats; f32 is used");
        }
        Ok(engine)
    }

    /// Opens the device alone.
    fn device(&self) -> Result<Device, Error> {
        pollster::block_on(Device::new(self.device_options())).map_err(advise)
    }
}

/// Says what to do where there is no adapter.
fn advise(error: Error) -> Error {
    match error {
        Error::NoAdapter(reason) => Error::NoAdapter(format!(
            "{reason}; install or update a Vulkan, Metal or DirectX 12 driver (on Debian without a GPU: mesa-vulkan-drivers)"
        )),
        other => other,
    }
}

/// `llvmpipe (LLVM 15.0.6, 256 bits), Vulkan, software adapter: slow`.
fn describe(adapter: &Adapter) -> String {
    let slow = if adapter.software { ", software adapter: slow" } else { "" };
    format!("{}, {}{slow}", adapter.name, adapter.backend)
}
