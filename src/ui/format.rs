//! Numbers as people read them.

use rust_i18n::t;

use crate::engine::{ModelInfo, Origin};

/// A probability as a percentage whose digits say no more than the value does: `98.2 %`, `0.04 %`, never `100 %` for
/// anything below one half of the last digit. Bounds lie half a digit lower, since 0.01 has no exact f32.
pub fn percent(probability: f32) -> String {
    let percent = f64::from(probability) * 100.0;
    if !percent.is_finite() {
        return t!("format.no_number").into_owned();
    }
    if percent >= 99.95 {
        "> 99.9 %".into()
    } else if percent >= 0.995 {
        format!("{percent:.1} %")
    } else if percent >= 0.00995 {
        format!("{percent:.2} %")
    } else {
        "< 0.01 %".into()
    }
}

/// A share of things that were counted: `97.5 %`, and `100 %` when it was all of them.
pub fn share(share: f64) -> String {
    if share == 1.0 { "100 %".into() } else { format!("{:.1} %", share * 100.0) }
}

/// Milliseconds: `0.42 ms`, `8.4 ms`, `312 ms`, `2.31 s`; what a browser's coarse clock has as nothing is below its step, a millisecond at
/// most where it is not blurred on purpose.
pub fn duration_ms(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() => t!("format.unknown").into_owned(),
        ms if ms <= 0.0 => "< 1 ms".into(),
        ms if ms < 0.005 => "< 0.01 ms".into(),
        ms if ms < 1.0 => format!("{ms:.2} ms"),
        ms if ms < 99.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms => format!("{:.2} s", ms / 1000.0),
    }
}

/// Bytes in decimal units, as download sizes are given: `598 KB`, `46.8 MB`.
pub fn bytes(bytes: u64) -> String {
    let value = bytes as f64;
    match value {
        v if v < 999.5 => format!("{bytes} B"),
        v if v < 999_500.0 => format!("{:.0} KB", v / 1e3),
        v if v < 99_950_000.0 => format!("{:.1} MB", v / 1e6),
        v if v < 999_500_000.0 => format!("{:.0} MB", v / 1e6),
        v => format!("{:.2} GB", v / 1e9),
    }
}

/// A count in words' length: `272,474` up to a million, then `25.6 million`.
pub fn count(count: usize) -> String {
    if count >= 1_000_000 {
        // Languages name large numbers by units of their own; the text that cannot be read as one is a test's to find.
        let unit: f64 = t!("format.large_unit").parse().unwrap_or(1e6);
        return t!("format.large", count = format!("{:.1}", count as f64 / unit)).into_owned();
    }
    if count >= 1_000 { format!("{},{:03}", count / 1_000, count % 1_000) } else { count.to_string() }
}

/// A class of a network as people read it: those of the network that ships with the page in the page's language, all others as their file
/// or project names them.
pub fn class(model: &ModelInfo, name: &str) -> String {
    match model.origin {
        Origin::Bundled => t!(format!("look.class_{name}")).into_owned(),
        _ => label(name),
    }
}

/// Class names as files write them (`tabby_cat`) in words.
pub fn label(label: &str) -> String {
    label.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_never_claim_more_than_they_know() {
        let cases =
            [(1.0, "> 99.9 %"), (0.9994, "99.9 %"), (0.9996, "> 99.9 %"), (0.5, "50.0 %"), (0.01, "1.0 %"), (0.00999, "1.0 %")];
        for (p, text) in cases.into_iter().chain([(0.0042, "0.42 %"), (0.0001, "0.01 %"), (0.0, "< 0.01 %")]) {
            assert_eq!(percent(p), text, "{p}");
        }
        assert_eq!(percent(f32::NAN), "no number");
        assert_eq!([share(1.0), share(0.975), share(0.0)], ["100 %", "97.5 %", "0.0 %"]);
    }

    #[test]
    fn units_change_where_the_digits_would_grow() {
        let cases = [
            (0.0, "< 1 ms"),
            (0.001, "< 0.01 ms"),
            (0.42, "0.42 ms"),
            (8.44, "8.4 ms"),
            (99.96, "100 ms"),
            (999.6, "1.00 s"),
            (2310.0, "2.31 s"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration_ms(ms), text);
        }
        let cases = [(0, "0 B"), (999, "999 B"), (597_600, "598 KB"), (999_600, "1.0 MB"), (46_800_000, "46.8 MB")];
        for (n, text) in cases.into_iter().chain([(102_500_000, "102 MB"), (1_230_000_000, "1.23 GB")]) {
            assert_eq!(bytes(n), text);
        }
        assert_eq!(count(999), "999");
        assert_eq!(count(272_474), "272,474");
        assert_eq!(count(1_001), "1,001");
        assert_eq!(count(25_557_032), "25.6 million");
    }

    #[test]
    fn class_names_are_words() {
        assert_eq!(label("tabby_cat"), "tabby cat");
    }
}
