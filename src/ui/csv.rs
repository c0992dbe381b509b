//! The results as a table for spreadsheets and scripts.

use std::fmt::Write;

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

/// The table, after RFC 4180: commas, CRLF, quotes where a field needs them. UTF-8 without a byte order mark. The columns
/// are `file, label, probability, label_2, probability_2, .. label_5, probability_5, ms, model, error`.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from("file,label,probability");
    for n in 2..=TOP {
        // Writing to a String cannot fail.
        let _ = write!(text, ",label_{n},probability_{n}");
    }
    text.push_str(",ms,model,error\r\n");
    for row in rows {
        text.push_str(&field(&row.file));
        for n in 0..TOP {
            match row.top.get(n) {
                Some(p) => drop(write!(text, ",{},{:.6}", field(&p.label), p.probability)),
                None => text.push_str(",,"),
            }
        }
        text.push(',');
        if let Some(ms) = row.ms {
            let _ = write!(text, "{ms:.3}");
        }
        let _ = write!(text, ",{},{}\r\n", field(&row.model), field(&row.error));
    }
    text
}

/// Quotes a field where it must be, and keeps a spreadsheet from taking a file's or a class's name for a formula.
fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
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
        let text = table(&[row("a.jpg", &[("cat", 0.9), ("dog", 0.1)]), failed]);
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.matches(',').count() == 13), "{text}");
        assert_eq!(lines[1], "a.jpg,cat,0.900000,dog,0.100000,,,,,,,12.346,resnet20,");
        assert_eq!(lines[2], "b.txt,,,,,,,,,,,,resnet20,This is not a picture");
    }

    #[test]
    fn odd_names_stay_one_harmless_field() {
        let text = table(&[row("a \"b\", c.jpg", &[("=cmd()", 1.0)])]);
        assert!(text.contains("\"a \"\"b\"\", c.jpg\",'=cmd(),1.000000"), "{text}");
    }
}
