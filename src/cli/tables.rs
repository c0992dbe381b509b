//! Figures by class and the confusion matrix, as training and evaluation print them.

use super::output::table;
use crate::train::metrics::Report;

/// A confusion matrix of more classes fits no screen.
const WIDEST: usize = 20;
const LARGEST_CONFUSIONS: usize = 15;
const WEAKEST_CLASSES: usize = 15;

/// Precision, recall and F1 by class, and what was taken for what; of many classes the weakest, and the largest confusions.
pub(super) fn tables(result: &Report, names: &[String]) -> (String, String) {
    (by_class(result, names), confusion(result, names))
}

fn by_class(result: &Report, names: &[String]) -> String {
    let mut order: Vec<usize> = (0..names.len()).collect();
    let mut head = "class".to_owned();
    if names.len() > WIDEST {
        let f1 = |class: usize| result.classes[class].f1.unwrap_or(1.0);
        order.sort_by(|a, b| f1(*a).total_cmp(&f1(*b)));
        order.truncate(WEAKEST_CLASSES);
        head = "weakest classes".into();
    }
    let mut rows = vec![[head.as_str(), "images", "precision", "recall", "F1"].map(String::from).to_vec()];
    rows.extend(order.into_iter().map(|class| {
        let found = &result.classes[class];
        let share = |share: Option<f64>| share.map_or("-".into(), percent);
        let name = names[class].clone();
        vec![name, found.images.to_string(), share(found.precision), share(found.recall), share(found.f1)]
    }));
    table(&rows, &[1, 2, 3, 4])
}

/// Rows are the true classes, columns the answers; of many classes only the largest confusions.
fn confusion(result: &Report, names: &[String]) -> String {
    let confusion = &result.confusion;
    if names.len() <= WIDEST {
        let mut head = vec!["is \\ taken for".to_owned(), String::new()];
        head.extend((1..=names.len()).map(|column| column.to_string()));
        let mut rows = vec![head];
        for (class, row) in confusion.iter().enumerate() {
            let cell = |count: &u32| if *count == 0 { ".".into() } else { count.to_string() };
            let mut line = vec![names[class].clone(), (class + 1).to_string()];
            line.extend(row.iter().map(cell));
            rows.push(line);
        }
        let right: Vec<usize> = (1..names.len() + 2).collect();
        return table(&rows, &right);
    }
    let mut pairs: Vec<(u32, usize, usize)> = Vec::new();
    for (class, row) in confusion.iter().enumerate() {
        pairs.extend(row.iter().enumerate().filter(|(p, n)| *p != class && **n > 0).map(|(p, n)| (*n, class, p)));
    }
    pairs.sort_by_key(|(count, ..)| std::cmp::Reverse(*count));
    let line = |(count, class, predicted): &(u32, usize, usize)| {
        let of = result.classes[*class].images;
        vec![names[*class].clone(), names[*predicted].clone(), format!("{count} of {of}")]
    };
    if pairs.is_empty() {
        return String::new();
    }
    let mut rows = vec![["class", "taken for", "images"].map(String::from).to_vec()];
    rows.extend(pairs.iter().take(LARGEST_CONFUSIONS).map(line));
    table(&rows, &[2])
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
