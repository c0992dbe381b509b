//! Running other programs: one place for the working directory, PATH and the environment of every child.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt::Display,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

/// Every fallible step of xtask ends in one sentence for the person at the terminal.
pub type Result<T> = std::result::Result<T, String>;

/// The repository's root (the parent of this package).
pub fn root() -> PathBuf {
    // At run time first: with a shared target folder the program may have been compiled from another checkout.
    let here = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let here = Path::new(&here);
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo puts what it builds; our tools and virtual environments stand beside it, so `cargo clean` removes them too.
pub fn target_dir() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Says what happens next. Progress lines start with `==`, so that they stand out from the output of the tools.
pub fn say(line: impl Display) {
    println!("== {line}");
    // A closed pipe is no reason to stop.
    let _ = std::io::stdout().flush();
}

/// Every program called `name` in the folders of `path`, first match first.
pub fn which_all(name: &str, path: &OsStr) -> Vec<PathBuf> {
    // npm's programs are scripts on Windows.
    let suffixes: &[&str] = if cfg!(windows) { &[".exe", ".cmd"] } else { &[""] };
    let programs = env::split_paths(path).flat_map(|dir| suffixes.iter().map(move |s| dir.join(format!("{name}{s}"))));
    programs.filter(|p| p.is_file()).collect()
}

/// The first `name` on the PATH this process was started with.
pub fn which(name: &str) -> Option<PathBuf> {
    which_all(name, &env::var_os("PATH").unwrap_or_default()).into_iter().next()
}

/// A command that runs in the repository's root.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that started us, so that `cargo +toolchain xtask` stays with its toolchain.
pub fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// `program args`, as a person would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program.file_stem().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

/// Runs to the end with the terminal's own input and output; an error names the command that failed.
pub fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` failed ({status})")),
        Err(e) => Err(format!("`{line}` could not be started: {e}")),
    }
}

/// Standard output of a short command, trimmed; `None` when it fails or does not exist.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs to the end, copies every line of both outputs to ours as it comes and hands each to `line` as well.
/// Returns whether the command succeeded.
pub fn tee(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    let name = shown(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("`{name}` could not be started: {e}"))?;
    let (sender, receiver) = std::sync::mpsc::channel::<String>();
    let mut readers = Vec::new();
    if let Some(out) = child.stdout.take() {
        let sender = sender.clone();
        readers.push(thread::spawn(move || forward(out, |text| drop(sender.send(text)))));
    }
    if let Some(err) = child.stderr.take() {
        readers.push(thread::spawn(move || forward(err, |text| drop(sender.send(text)))));
    } else {
        drop(sender);
    }
    for text in receiver {
        println!("{text}");
        line(&text);
    }
    for reader in readers {
        // A reader only ends early if the pipe broke; the exit status below tells that story.
        let _ = reader.join();
    }
    let status = child.wait().map_err(|e| format!("`{name}` could not be waited for: {e}"))?;
    Ok(status.success())
}

fn forward(stream: impl std::io::Read, send: impl Fn(String)) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    // Bytes, not `lines()`: a tool that prints half a UTF-8 character must not end the run.
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(n) if n > 0) {
        send(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned());
        bytes.clear();
    }
}
