//! What the user sees: answers on stdout, remarks, errors and progress on stderr.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Serialize;

use super::Stop;
use crate::Error;

/// Prints an answer, ending with a line feed.
pub(super) fn print(text: &str) -> Result<(), Stop> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| if text.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") })
        .and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Stop::PipeClosed,
        _ => Stop::Failed(Error::Io { path: "standard output".into(), reason: error.to_string() }),
    })
}

/// Prints an answer as JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Stop> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Error::Io { path: "JSON".into(), reason: error.to_string() })?;
    print(&text)
}

/// One line about an error. Nobody can be told when stderr is gone too.
pub(super) fn complain(error: &Error) {
    // An error may quote a driver or a server at length; the line stays one line.
    let text = error.to_string();
    let text: Vec<&str> = text.split_whitespace().collect();
    let _ = writeln!(std::io::stderr().lock(), "reslab: {}", text.join(" "));
}

/// One line the user may want to know.
pub(super) fn remark(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A bar on stderr, invisible when that is no terminal. Besides indicatif's keys the template may use `speed`, steps a second.
pub(super) fn bar(total: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        let speed = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.1}", state.per_sec());
        };
        bar.set_style(style.with_key("speed", speed).progress_chars("=> "));
    }
    bar
}

/// A sign of life for work of unknown length.
pub(super) fn spinner(message: &'static str) -> ProgressBar {
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_message(message);
    spinner.set_style(ProgressStyle::default_spinner());
    spinner.enable_steady_tick(Duration::from_millis(250));
    spinner
}

/// A bar for getting a model ready, and the callback that moves it.
pub(super) fn loading(name: &str) -> (ProgressBar, impl FnMut(f32) + use<>) {
    let bar = bar(1000, "{msg} [{bar:40}] {percent} %");
    bar.set_message(format!("preparing {name}"));
    bar.enable_steady_tick(Duration::from_millis(200));
    let moving = bar.clone();
    (bar, move |share: f32| moving.set_position((share * 1000.0) as u64))
}

/// `1 234 567` bytes as `1.2 MB`.
pub(super) fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0} kB", (bytes as f64 / 1e3).ceil()),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// Columns as wide as their widest cell; the columns named in `right` are set flush right.
pub(super) fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            line += &if right.contains(&column) { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".into(), "1".into()], vec!["long".into(), "22".into()], vec!["só".into()]];
        assert_eq!(table(&rows, &[1]), "a      1\nlong  22\nsó\n");
    }

    #[test]
    fn sizes_are_rounded_for_people() {
        let shown: Vec<String> = [1, 550_476, 46_800_000, 2_000_000_000].map(megabytes).into();
        assert_eq!(shown, ["1 kB", "551 kB", "46.8 MB", "2.00 GB"]);
    }
}
