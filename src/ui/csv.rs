//! The results as a table for spreadsheets and scripts.

use crate::engine::Prediction;

/// Predictions a row carries.
const TOP: usize = 5;

/// One picture's row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// File name.
    pub file: String,
    /// Best first; empty when there is no answer.
    pub top: Vec<Prediction>,
    /// Milliseconds of the classification.
    pub ms: Option<f64>,
    /// The model that answered.
    pub model: String,
    /// Why there is no answer.
    pub error: String,
}

/// The table, after RFC 4180: CRLF, quotes where a field needs them. UTF-8 with a byte order mark, without which Excel takes it for
/// something else. Where numbers have a decimal comma spreadsheets expect it, and semicolons between fields; elsewhere it is
/// points and commas. The columns are `file, label, probability, label_2, probability_2, .. label_5, probability_5, ms, model, error`.
pub fn table(rows: &[Row], decimal_comma: bool) -> String {
    let separator = if decimal_comma { ';' } else { ',' };
    let number = |value: String| if decimal_comma { value.replace('.', ",") } else { value };
    let mut head = vec!["file".to_owned(), "label".into(), "probability".into()];
    head.extend((2..=TOP).flat_map(|n| [format!("label_{n}"), format!("probability_{n}")]));
    head.extend(["ms", "model", "error"].map(String::from));
    let fields = rows.iter().map(|row| {
        let answers = (0..TOP).flat_map(|n| match row.top.get(n) {
            Some(p) => [field(&p.label, separator), number(format!("{:.6}", p.probability))],
            None => [String::new(), String::new()],
        });
        let ms = number(row.ms.map(|ms| format!("{ms:.3}")).unwrap_or_default());
        let rest = [ms, field(&row.model, separator), field(&row.error, separator)];
        std::iter::once(field(&row.file, separator)).chain(answers).chain(rest).collect::<Vec<_>>()
    });
    let lines = std::iter::once(head).chain(fields).map(|line| line.join(&separator.to_string()) + "\r\n");
    std::iter::once("\u{feff}".to_owned()).chain(lines).collect()
}

/// Quotes a field where it must be, and keeps a spreadsheet from taking a file's or a class's name for a formula.
fn field(text: &str, separator: char) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([separator, '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(file: &str, labels: &[(&str, f32)]) -> Row {
        let top = labels.iter().enumerate();
        let top =
            top.map(|(class, (label, probability))| Prediction { class, label: (*label).into(), probability: *probability });
        Row { file: file.into(), top: top.collect(), ms: Some(12.3456), model: "resnet20".into(), error: String::new() }
    }

    #[test]
    fn every_row_has_the_columns_of_the_head() {
        let mut failed = row("b.txt", &[]);
        failed.ms = None;
        failed.error = "This is not a picture".into();
        let text = table(&[row("a.jpg", &[("cat", 0.9), ("dog", 0.1)]), failed], false);
        let text = text.strip_prefix('\u{feff}').expect("a byte order mark");
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.matches(',').count() == 13), "{text}");
        assert_eq!(lines[1], "a.jpg,cat,0.900000,dog,0.100000,,,,,,,12.346,resnet20,");
        assert_eq!(lines[2], "b.txt,,,,,,,,,,,,resnet20,This is not a picture");
    }

    #[test]
    fn odd_names_stay_one_harmless_field() {
        let text = table(&[row("a \"b\", c.jpg", &[("=cmd()", 1.0)])], false);
        assert!(text.contains("\"a \"\"b\"\", c.jpg\",'=cmd(),1.000000"), "{text}");
    }

    #[test]
    fn where_numbers_have_a_comma_semicolons_separate() {
        let text = table(&[row("a;b, c.jpg", &[("cat", 0.9)])], true);
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert!(lines[0].starts_with("\u{feff}file;label;probability;"), "{text}");
        assert_eq!(lines[1], "\"a;b, c.jpg\";cat;0,900000;;;;;;;;;12,346;resnet20;");
    }
}
