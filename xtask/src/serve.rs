//! `cargo xtask serve`: from a fresh clone to the page in the browser.

use crate::{
    sh::{self, Result, say},
    tools,
};
use std::{env, net::TcpListener, process::ExitCode};

pub fn run(args: &[String]) -> Result<ExitCode> {
    let mut port = 8080_u16;
    let mut open = true;
    let mut release = true;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--port" => {
                let value = args.next().ok_or("--port wants a number")?;
                port = value.parse().map_err(|_| format!("--port wants a number from 1 to 65535, not `{value}`"))?;
            }
            "--no-open" => open = false,
            "--debug" => release = false,
            other => return Err(format!("serve knows --port N, --no-open and --debug, not `{other}`")),
        }
    }
    // Said now, not after a build of minutes.
    if let Err(e) = TcpListener::bind(("127.0.0.1", port)) {
        return Err(format!("port {port} cannot be used ({e}): stop what uses it, or choose another one with --port"));
    }
    let tools = tools::for_pages()?;
    let mut trunk = tools.trunk();
    trunk.args(["serve", "--address", "127.0.0.1", "--port", &port.to_string()]);
    if release {
        trunk.arg("--release");
    }
    if open && has_desktop() {
        trunk.arg("--open");
    }
    say(format!("building; then the page is at http://127.0.0.1:{port} (Ctrl+C ends it)"));
    sh::run(&mut trunk)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether there is somebody to open a browser for.
fn has_desktop() -> bool {
    if env::var_os("CI").is_some() || env::var_os("SSH_CONNECTION").is_some() {
        return false;
    }
    !cfg!(target_os = "linux") || env::var_os("DISPLAY").is_some() || env::var_os("WAYLAND_DISPLAY").is_some()
}
