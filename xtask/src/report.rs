//! Reads the closing lines of the test runners and adds them up.

use std::fmt;

/// Tests that ran, over one runner or many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed, were interrupted or did not get their turn.
    pub failed: u64,
    /// Tests a runner left out on its author's word (`#[ignore]`, `test.skip`).
    pub skipped: u64,
}

impl Tally {
    /// One check that is not a test runner of its own (formatting, lints, a build).
    pub fn check(ok: bool) -> Self {
        Self { passed: ok.into(), failed: (!ok).into(), skipped: 0 }
    }

    /// Adds another tally to this one.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// What one line of a libtest run adds: `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; ...`.
/// wasm-bindgen-test closes with the same words.
pub fn libtest(line: &str) -> Option<Tally> {
    let line = plain(line);
    let rest = line.trim().strip_prefix("test result: ")?;
    let (_, counts) = rest.split_once(". ")?;
    let mut tally = Tally::default();
    for part in counts.split(';') {
        let Some((number, word)) = part.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match word {
            "passed" => tally.passed = number,
            "failed" => tally.failed = number,
            "ignored" => tally.skipped = number,
            _ => {}
        }
    }
    Some(tally)
}

/// What one line of Playwright's closing block adds: `  3 passed (2.3s)`, `  1 failed`, `  2 did not run`.
pub fn playwright(line: &str) -> Option<Tally> {
    let line = plain(line);
    let (number, word) = line.trim().split_once(' ')?;
    let number = number.parse::<u64>().ok()?;
    // Only `passed` carries the time behind it; other text after the word is some other line.
    let word = match word.split_once(" (") {
        Some((word, time)) if time.ends_with(')') => word,
        _ => word,
    };
    let mut tally = Tally::default();
    match word {
        "passed" => tally.passed = number,
        // A flaky test failed at least once: here that is a failure.
        "failed" | "flaky" | "interrupted" | "did not run" => tally.failed = number,
        "skipped" => tally.skipped = number,
        _ => return None,
    }
    Some(tally)
}

/// The line without colour codes (`ESC [ ... letter`).
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            for c in chars.by_ref() {
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Option<Tally> {
        Some(Tally { passed, failed, skipped })
    }

    #[test]
    fn libtest_summaries_are_counted() {
        let ok = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.03s";
        assert_eq!(libtest(ok), tally(12, 0, 1));
        let bad = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.03s";
        assert_eq!(libtest(bad), tally(3, 2, 0));
        assert_eq!(libtest("test result: \u{1b}[32mok\u{1b}[m. 1 passed; 0 failed; 0 ignored"), tally(1, 0, 0));
    }

    #[test]
    fn other_lines_are_not() {
        for line in ["running 3 tests", "test a::b ... ok", "the test result: ok. 1 passed", "", "test result: "] {
            assert_eq!(libtest(line), None, "{line}");
        }
        for line in ["3 tests using 1 worker", "passed", "3 passed the door", "  ok 3 [chromium] opens (2.0s)"] {
            assert_eq!(playwright(line), None, "{line}");
        }
    }

    #[test]
    fn playwright_summaries_are_counted() {
        assert_eq!(playwright("  3 passed (2.3s)"), tally(3, 0, 0));
        assert_eq!(playwright("\u{1b}[32m  14 passed\u{1b}[39m\u{1b}[2m (1.2m)\u{1b}[22m"), tally(14, 0, 0));
        assert_eq!(playwright("  1 failed"), tally(0, 1, 0));
        assert_eq!(playwright("  1 flaky"), tally(0, 1, 0));
        assert_eq!(playwright("  2 did not run"), tally(0, 2, 0));
        assert_eq!(playwright("  2 skipped"), tally(0, 0, 2));
    }

    #[test]
    fn tallies_add_up_and_print_as_the_closing_line() {
        let mut sum = Tally::check(true);
        sum.add(Tally::check(false));
        sum.add(Tally { passed: 5, failed: 1, skipped: 2 });
        assert_eq!(sum.to_string(), "6 passed, 2 failed");
    }
}
