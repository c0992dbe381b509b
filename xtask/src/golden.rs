//! `cargo xtask golden`: recomputes the reference values that tests/ compares with, in a virtual environment of its own, and
//! holds our ONNX files against them in ONNX Runtime.

use crate::sh::{self, Result, command, say, which};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The Python of a virtual environment with what the scripts need; makes it where it is missing or another one.
fn python() -> Result<PathBuf> {
    let requirements = scripts().join("requirements.txt");
    let venv = sh::target_dir().join("golden-venv");
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let stamp = venv.join("requirements.txt");
    let wanted = fs::read(&requirements).map_err(|e| format!("{} cannot be read: {e}", requirements.display()))?;
    if fs::read(&stamp).ok().as_ref() != Some(&wanted) {
        let system = which("python3")
            .or_else(|| which("python"))
            .ok_or("Python 3.11 or newer is needed (Debian: `sudo apt-get install -y python3 python3-venv`)")?;
        say(format!("making {} (once; it downloads PyTorch)", venv.display()));
        sh::run(command(system).args(["-m", "venv"]).arg(&venv))
            .map_err(|e| format!("{e}\non Debian venv is a package of its own: `sudo apt-get install -y python3-venv`"))?;
        sh::run(command(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&requirements))?;
        // Written last: an interrupted install is done again.
        fs::write(&stamp, &wanted).map_err(|e| format!("{} cannot be written: {e}", stamp.display()))?;
    }
    Ok(python)
}

fn scripts() -> PathBuf {
    sh::root().join("tests/golden")
}

/// Every check of our code against a framework's that is no test of its own; which of them passed.
pub fn check_all() -> Result<Vec<bool>> {
    let python = python()?;
    let reslab = sh::target_dir().join("debug").join(format!("reslab{}", std::env::consts::EXE_SUFFIX));
    let script = |name: &str| {
        let mut check = command(&python);
        check.arg(scripts().join(name));
        check
    };
    let with_reslab = |name: &str| {
        let mut check = script(name);
        check.arg(&reslab);
        check
    };
    let ours = ["check_files.py", "check_deploy.py", "check_handoff.py"].map(with_reslab);
    let mut passed = Vec::new();
    for mut check in [script("check_keras.py")].into_iter().chain(ours) {
        say(sh::shown(&check));
        passed.push(sh::run(&mut check).is_ok());
    }
    passed.push(check_onnx(&python).is_ok());
    Ok(passed)
}

pub fn run(args: &[String]) -> Result<ExitCode> {
    let (inference, training) = (scripts().join("generate.py"), scripts().join("train_values.py"));
    let python = python()?;
    if args == ["onnx"] {
        return check_onnx(&python).map(|()| ExitCode::SUCCESS);
    }
    // `train/NAME` is a file of values/train/, any other name one of values/; no name is all of both.
    let (of_training, of_inference): (Vec<_>, Vec<_>) = args.iter().partition(|name| name.starts_with("train/"));
    for (script, names) in [(inference, of_inference), (training, of_training)] {
        if !args.is_empty() && names.is_empty() {
            continue;
        }
        let mut generate = command(&python);
        generate.arg(script).args(names.into_iter().map(|name| name.strip_prefix("train/").unwrap_or(name)));
        say(sh::shown(&generate));
        sh::run(&mut generate)?;
    }
    if args.is_empty() {
        let mut recipes = command(&python);
        recipes.arg(scripts().join("recipe_values.py"));
        say(sh::shown(&recipes));
        sh::run(&mut recipes)?;
        check_onnx(&python)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes every golden net as ONNX and lets ONNX Runtime run it.
fn check_onnx(python: &Path) -> Result<()> {
    let dir = sh::target_dir().join("golden-onnx");
    let mut write = sh::cargo();
    write.args(["test", "--test", "device", "export_onnx::", "--", "--ignored"]).env("RESLAB_ONNX_DIR", &dir);
    say(sh::shown(&write));
    let mut check = command(python);
    check.arg(sh::root().join("tests/golden/check_onnx.py")).arg(&dir);
    let checked = sh::run(&mut write).and_then(|()| {
        say(sh::shown(&check));
        sh::run(&mut check)
    });
    // They are large; what could not be removed is overwritten next time.
    let _ = fs::remove_dir_all(&dir);
    checked
}
