//! Trunk's post-build hook: makes the page's wasm smaller where wasm-opt is at hand.
//!
//! Trunk can call wasm-opt itself, but downloads one of its own choice when the version differs; a build must not do that.

use crate::{
    sh::{Result, command, run as run_command, say},
    tools,
};
use std::{env, fs, path::PathBuf, process::ExitCode};

/// The features rustc's wasm32 target and wasm-bindgen use; all of them are in every browser with WebGPU.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

pub fn run() -> Result<ExitCode> {
    if env::var("TRUNK_PROFILE").as_deref() != Ok("release") {
        return Ok(ExitCode::SUCCESS);
    }
    let dir = env::var_os("TRUNK_STAGING_DIR").map(PathBuf::from);
    let dir = dir.ok_or("optimise is called by trunk, which sets TRUNK_STAGING_DIR")?;
    let Some(wasm_opt) = tools::find_wasm_opt() else { return Ok(ExitCode::SUCCESS) };
    let entries = fs::read_dir(&dir).map_err(|e| format!("{} cannot be read: {e}", dir.display()))?;
    for file in entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "wasm")) {
        let size = |path| fs::metadata(path).map_or(0, |m| m.len());
        let smaller = file.with_extension("wasm.opt");
        let before = size(&file);
        let mut command = command(&wasm_opt);
        command.args(FEATURES).arg("-Oz").arg(&file).arg("-o").arg(&smaller);
        // An old wasm-opt that does not know a feature is no reason to have no page.
        if let Err(e) = run_command(&mut command) {
            say(format!("{e}: the page is left as the compiler made it"));
            let _ = fs::remove_file(&smaller);
            continue;
        }
        fs::rename(&smaller, &file).map_err(|e| format!("{} cannot be replaced: {e}", file.display()))?;
        say(format!("wasm-opt: {before} to {} bytes", size(&file)));
    }
    Ok(ExitCode::SUCCESS)
}
