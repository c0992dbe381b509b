//! The two doors.

/// The command line.
#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    reslab::cli::main()
}

/// The page.
#[cfg(target_arch = "wasm32")]
fn main() {
    reslab::ui::mount();
}
