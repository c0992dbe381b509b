//! The two doors.

/// The command line.
#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    reslab::cli::main()
}

/// The page. www/bench.html is served by the same module, but offers a function instead of the app.
#[cfg(target_arch = "wasm32")]
fn main() {
    if reslab::web::meta("reslab-page").as_deref() == Some("bench") {
        reslab::engine::bench::install();
    } else {
        reslab::ui::mount();
    }
}
