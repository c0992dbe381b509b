//! What the commands need on this machine: found, installed with visible progress, or named with the exact command.
//!
//! Tools of ours go to `target/tools`, first on PATH for our children only: a trunk or wasm-bindgen of another version that
//! the machine already has is neither overwritten nor used.

use crate::sh::{self, Result, command, say, which, which_all};
use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// The last Trunk that builds with rustc 1.95 (0.22 wants 1.96).
const TRUNK: &str = "0.21.14";
const WASM: &str = "wasm32-unknown-unknown";

/// The tools that were found, as a PATH that finds exactly them.
#[derive(Debug, Default)]
pub struct Tools {
    front: Vec<PathBuf>,
}

impl Tools {
    /// A command that sees our tools before the machine's, in the repository's root.
    pub fn command(&self, name: &str) -> Command {
        let path = self.path();
        let program = which_all(name, &path).into_iter().next().unwrap_or_else(|| PathBuf::from(name));
        let mut command = command(program);
        command.env("PATH", path);
        command
    }

    /// PATH for children.
    pub fn path(&self) -> OsString {
        let old = env::var_os("PATH").unwrap_or_default();
        let dirs = self.front.iter().cloned().chain(env::split_paths(&old));
        // Joining fails only for a folder whose name holds the separator: then the old PATH is all there is.
        env::join_paths(dirs).unwrap_or(old)
    }

    /// A trunk command that neither downloads nor asks for newer versions of itself.
    pub fn trunk(&self) -> Command {
        let mut trunk = self.command("trunk");
        trunk.env("TRUNK_SKIP_VERSION_CHECK", "true");
        // Trunk takes only `true` or `false` here and stops on the usual `NO_COLOR=1`.
        if env::var_os("NO_COLOR").is_some() {
            trunk.env("NO_COLOR", "true");
        }
        trunk
    }

    fn find(&mut self, name: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
        for dir in [own_dir().join("bin")].into_iter().chain(env::split_paths(&env::var_os("PATH")?)) {
            let Some(program) = which_all(name, dir.as_os_str()).into_iter().next() else { continue };
            let Some(version) = sh::output(command(&program).arg("--version")) else { continue };
            if fits(&version) {
                if !self.front.contains(&dir) {
                    self.front.push(dir);
                }
                return Some(version);
            }
            say(format!("{} is {version}: not the version needed, left alone", program.display()));
        }
        None
    }
}

/// `cargo xtask setup [--test]`.
pub fn setup(args: &[String]) -> Result<ExitCode> {
    for_pages()?;
    if args.iter().any(|a| a == "--test") {
        for_lints()?;
        for_gpu()?;
        for_browser()?;
        for_firefox()?;
        for_playwright()?;
    }
    say("everything is there");
    Ok(ExitCode::SUCCESS)
}

/// What building the page needs: the wasm target, trunk, wasm-bindgen; wasm-opt where npm offers it.
pub fn for_pages() -> Result<Tools> {
    wasm_target()?;
    let mut tools = Tools::default();
    let bindgen = locked_version("wasm-bindgen")?;
    let fits = |name: &'static str, wanted: String| move |found: &str| found == format!("{name} {wanted}");
    if tools.find("wasm-bindgen", fits("wasm-bindgen", bindgen.clone())).is_none() {
        cargo_install("wasm-bindgen-cli", &bindgen, &[])?;
        tools
            .find("wasm-bindgen", fits("wasm-bindgen", bindgen.clone()))
            .ok_or("wasm-bindgen was installed but does not run")?;
    }
    // Any 0.21 will do; what we install is one of them.
    let is_trunk = |found: &str| found.starts_with("trunk 0.21.");
    if tools.find("trunk", is_trunk).is_none() {
        cargo_install("trunk", TRUNK, &["--no-default-features", "--features", "rustls"])?;
        tools.find("trunk", is_trunk).ok_or("trunk was installed but does not run")?;
    }
    wasm_opt();
    Ok(tools)
}

/// The wasm-bindgen that fits the page.
#[cfg(feature = "split")]
pub fn wasm_bindgen() -> Result<Command> {
    let wanted = format!("wasm-bindgen {}", locked_version("wasm-bindgen")?);
    let mut tools = Tools::default();
    match tools.find("wasm-bindgen", |found| found == wanted) {
        Some(_) => Ok(tools.command("wasm-bindgen")),
        None => Err(format!("{wanted} is not here; `cargo xtask setup` brings it")),
    }
}

/// rustfmt and clippy.
pub fn for_lints() -> Result<()> {
    for (sub, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if sh::output(sh::cargo().args([sub, "--version"])).is_none() {
            rustup(&["component", "add", component])?;
        }
    }
    Ok(())
}

/// A Vulkan driver for the native GPU tests. Only Linux needs a look: the other systems bring Metal or Direct3D.
pub fn for_gpu() -> Result<()> {
    if !cfg!(target_os = "linux") || has_vulkan() {
        return Ok(());
    }
    debian("a Vulkan driver", &["mesa-vulkan-drivers"])
}

fn has_vulkan() -> bool {
    let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].iter().any(|name| env::var_os(name).is_some());
    named
        || ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"]
            .iter()
            .filter_map(|dir| fs::read_dir(dir).ok())
            .flatten()
            .flatten()
            .any(|entry| entry.path().extension().is_some_and(|e| e == "json"))
}

/// Chromium and its driver.
#[derive(Debug)]
pub struct Browser {
    /// The browser's program.
    pub chromium: PathBuf,
    /// The WebDriver server that belongs to it.
    pub driver: PathBuf,
}

/// Chromium with WebGPU and chromedriver, for the tests in the browser. `CHROMIUM` and `CHROMEDRIVER` name other ones.
pub fn for_browser() -> Result<Browser> {
    if let Some(browser) = find_browser() {
        return Ok(browser);
    }
    debian("Chromium and chromedriver", &["chromium", "chromium-driver"])?;
    find_browser().ok_or_else(|| "Chromium was installed but is not on PATH".to_owned())
}

/// Firefox, which some of the page's tests drive.
pub fn for_firefox() -> Result<PathBuf> {
    let find = || {
        let named = env::var_os("FIREFOX").map(PathBuf::from).filter(|path| path.is_file());
        let mac = PathBuf::from("/Applications/Firefox.app/Contents/MacOS/firefox");
        named.or_else(|| ["firefox-esr", "firefox"].into_iter().find_map(which)).or_else(|| mac.is_file().then_some(mac))
    };
    if let Some(firefox) = find() {
        return Ok(firefox);
    }
    debian("Firefox", &["firefox-esr"])?;
    find().ok_or_else(|| "Firefox was installed but is not on PATH".to_owned())
}

fn find_browser() -> Option<Browser> {
    let named = |variable: &str| env::var_os(variable).map(PathBuf::from).filter(|p| p.is_file());
    let mac = PathBuf::from("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
    let chromium = named("CHROMIUM")
        .or_else(|| {
            ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"].into_iter().find_map(which)
        })
        .or_else(|| mac.is_file().then_some(mac))?;
    Some(Browser { chromium, driver: named("CHROMEDRIVER").or_else(|| which("chromedriver"))? })
}

/// The end-to-end tests' folder with its npm packages in place.
pub fn for_playwright() -> Result<PathBuf> {
    let dir = sh::root().join("tests/e2e");
    let npm = which("npm").filter(|_| which("node").is_some()).ok_or_else(|| {
        "Node.js 20 or newer with npm is needed for the end-to-end tests: install it from your system's packages or with \
         a version manager (`nvm install 20`), then run this again"
            .to_owned()
    })?;
    let version = sh::output(command("node").arg("--version")).unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next().and_then(|n| n.parse::<u32>().ok());
    if major.is_none_or(|major| major < 20) {
        return Err(format!("Playwright needs Node.js 20 or newer, this is `{version}`: update it (`nvm install 20`)"));
    }
    // npm writes this file last; a lock file newer than it means the packages are stale.
    let stamp = dir.join("node_modules/.package-lock.json");
    let age = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
    if age(&stamp) < age(&dir.join("package-lock.json")) {
        say("npm ci in tests/e2e");
        let mut ci = command(npm);
        ci.args(["ci", "--no-audit", "--no-fund"]).current_dir(&dir).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
        sh::run(&mut ci)?;
    }
    Ok(dir)
}

/// wasm-opt, if the machine has one or npm can bring one. It makes the page smaller and is never required.
pub fn find_wasm_opt() -> Option<PathBuf> {
    // The one from npm is known to be new enough for what rustc emits; a distribution's often is not.
    let own = which_all("wasm-opt", own_dir().join("node_modules/.bin").as_os_str());
    own.into_iter().next().or_else(|| which("wasm-opt"))
}

fn wasm_opt() {
    if find_wasm_opt().is_some() {
        return;
    }
    let Some(npm) = which("npm") else {
        say("wasm-opt is not here and neither is npm: the page will be about a fifth larger, and work");
        return;
    };
    let dir = own_dir();
    say(format!("installing wasm-opt (npm package binaryen) into {}", dir.display()));
    let mut install = command(npm);
    install.args(["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]);
    install.arg("--prefix").arg(&dir).arg(BINARYEN);
    if let Err(e) = fs::create_dir_all(&dir).map_err(|e| e.to_string()).and_then(|()| sh::run(&mut install)) {
        say(format!("{e}: going on without wasm-opt"));
    }
}

/// The npm package that carries wasm-opt, pinned to one that was tried.
const BINARYEN: &str = "binaryen@132.0.0";

/// The standard library for the page.
pub fn wasm_target() -> Result<()> {
    let sysroot = sh::output(command("rustc").args(["--print", "sysroot"]))
        .ok_or("rustc does not run: install Rust 1.95 or newer with rustup (rustup.rs)")?;
    if Path::new(&sysroot).join("lib/rustlib").join(WASM).is_dir() {
        return Ok(());
    }
    rustup(&["target", "add", WASM])
}

fn rustup(args: &[&str]) -> Result<()> {
    let line = format!("rustup {}", args.join(" "));
    if which("rustup").is_none() {
        return Err(format!(
            "this Rust was not installed with rustup, so `{line}` cannot run: install that part with the package manager \
             that brought Rust, or Rust itself with rustup (rustup.rs)"
        ));
    }
    say(&line);
    sh::run(command("rustup").args(args))
}

/// Where our own tools live.
pub fn own_dir() -> PathBuf {
    sh::target_dir().join("tools")
}

fn cargo_install(package: &str, version: &str, features: &[&str]) -> Result<()> {
    let spec = format!("{package}@{version}");
    let dir = own_dir();
    say(format!("installing {spec} into {} (once; some minutes)", dir.display()));
    // With its folder on PATH cargo does not advise to put it there.
    let path = Tools { front: vec![dir.join("bin")] }.path();
    let install = |locked: bool| {
        let mut cargo = sh::cargo();
        cargo.env("PATH", &path);
        cargo.args(["install", &spec]).args(features).arg("--root").arg(&dir);
        if locked {
            cargo.arg("--locked");
        }
        // A tool that runs for seconds is not worth minutes of link-time optimisation.
        cargo
            .env("CARGO_TARGET_DIR", dir.join("build"))
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("RUSTFLAGS");
        sh::run(&mut cargo)
    };
    let result = install(true).or_else(|_| {
        say("that was with the dependencies its author locked, which are not all to be had; again with newer ones");
        install(false)
    });
    // Build leftovers only; that they stay is no reason to fail.
    let _ = fs::remove_dir_all(dir.join("build"));
    result.map_err(|e| format!("{e}\nto do it by hand: cargo install {spec} {} --locked", features.join(" ")))
}

/// The version of a package in Cargo.lock.
fn locked_version(package: &str) -> Result<String> {
    let lock = fs::read_to_string(sh::root().join("Cargo.lock")).map_err(|e| format!("Cargo.lock cannot be read: {e}"))?;
    version_in(&lock, package).ok_or_else(|| format!("Cargo.lock has no package `{package}`"))
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.next()?;
    let version = lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

/// Installs Debian packages where that is possible without asking (Debian or a relative, as root), else names the command.
fn debian(what: &str, packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !cfg!(target_os = "linux") || which("apt-get").is_none() {
        return Err(format!("{what} not found: install the equivalent of the Debian packages `{list}`, then run this again"));
    }
    if sh::output(command("id").arg("-u")).as_deref() != Some("0") {
        return Err(format!("{what} not found: run `sudo apt-get install -y {list}`, then run this again"));
    }
    say(format!("{what} not found: apt-get install {list}"));
    let apt = || {
        let mut apt = command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
        apt
    };
    sh::run(apt().arg("update"))?;
    sh::run(apt().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

#[cfg(test)]
mod tests {
    use super::version_in;

    const LOCK: &str = "\
[[package]]
name = \"wasm-bindgen-futures\"
version = \"0.4.80\"

[[package]]
name = \"wasm-bindgen\"
version = \"0.2.130\"
dependencies = [
 \"wasm-bindgen\",
]
";

    #[test]
    fn the_locked_version_is_the_one_of_that_very_package() {
        assert_eq!(version_in(LOCK, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in(LOCK, "wasm"), None);
        assert_eq!(version_in("", "wasm-bindgen"), None);
    }
}
