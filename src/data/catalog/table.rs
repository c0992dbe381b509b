//! Label tables: CSV, TSV, JSON lines and plain lists, with a column of paths and one of labels, as Kaggle, AutoGluon, Hugging
//! Face, FiftyOne and people with a spreadsheet have them.

use std::collections::HashMap;

use super::{Builder, Catalog, Found, Options, Part, folders, some};
use crate::data::sniff::is_picture_name;
use crate::data::text::nfc;
use crate::sorting;
use crate::{Error, Result};

/// Names of the columns, where a person gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelColumns {
    /// Path of the table, when it is the data set rather than something beside it.
    pub table: Option<String>,
    /// Column of the paths.
    pub path: Option<String>,
    /// Column of the labels.
    pub label: Option<String>,
}

/// Rows of cells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Every row, the header too where there is one.
    pub rows: Vec<Vec<String>>,
    /// Whether the first row is a header for sure, because the format has names.
    named: bool,
    /// Names of the classes that numbers stand for.
    classes: Option<Vec<String>>,
}

/// Names of a label column, the best first: names before numbers.
const LABELS: &[&str] = &[
    "class_name",
    "label_name",
    "category_name",
    "classname",
    "labelname",
    "label",
    "labels",
    "class",
    "classes",
    "category",
    "target",
    "y",
    "breed",
    "species",
    "diagnosis",
    "tag",
    "cls",
];
/// Names of a column that says what a row is for.
const PARTS: &[&str] = &["split", "subset", "set", "partition", "part", "usage", "data_split", "data set", "dataset", "ml_use"];

impl Table {
    /// Reads a table; its kind is told by the name and the first line.
    ///
    /// # Errors
    /// [`Error::Io`] when it is no text or its rows cannot be told apart.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self> {
        let fail = |reason: String| Error::Io { path: name.into(), reason };
        let text = match bytes {
            // Excel's "Unicode text".
            [0xff, 0xfe, rest @ ..] => {
                let units: Vec<u16> = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
                String::from_utf16(&units).ok()
            }
            _ => std::str::from_utf8(bytes).ok().map(str::to_owned),
        };
        let text = text.ok_or_else(|| fail("a table of labels is text in UTF-8; save it as \"CSV UTF-8\"".into()))?;
        let text = text.trim_start_matches('\u{feff}');
        let ending = name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_ascii_lowercase());
        match ending.as_str() {
            "jsonl" | "ndjson" => json_lines(text).map_err(fail),
            "json" => json(text).map_err(fail),
            "txt" => Ok(list(text)),
            _ => separated(text).map_err(fail),
        }
    }
}

/// With commas, semicolons (as spreadsheets write them where the comma is in numbers), tabs or bars.
fn separated(text: &str) -> Result<Table, String> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |separator: &u8| first.bytes().filter(|byte| byte == separator).count();
    let delimiter = [b',', b'\t', b';', b'|'].into_iter().rev().max_by_key(count).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("it is no readable table: {error}"))?;
        if record.iter().any(|cell| !cell.is_empty()) {
            rows.push(record.iter().map(str::to_owned).collect());
        }
    }
    Ok(Table { rows, ..Table::default() })
}

/// A path and a label a line, with white space between, as Caffe's lists.
fn list(text: &str) -> Table {
    let row = |line: &str| match line.trim().rsplit_once([' ', '\t']) {
        Some((path, label)) => vec![path.trim().to_owned(), label.to_owned()],
        None => vec![line.trim().to_owned()],
    };
    Table { rows: text.lines().filter(|line| !line.trim().is_empty()).map(row).collect(), ..Table::default() }
}

fn json_lines(text: &str) -> Result<Table, String> {
    let mut columns: indexmap::IndexSet<String> = indexmap::IndexSet::new();
    let mut records = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let record: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).map_err(|error| format!("line {} is no JSON object: {error}", number + 1))?;
        columns.extend(record.keys().cloned());
        records.push(record);
    }
    let cell = |record: &serde_json::Map<String, serde_json::Value>, column: &String| {
        record.get(column).map(words).unwrap_or_default()
    };
    let rows = records.iter().map(|record| columns.iter().map(|column| cell(record, column)).collect());
    let rows = std::iter::once(columns.iter().cloned().collect()).chain(rows).collect();
    Ok(Table { rows, named: true, classes: None })
}

/// FiftyOne's `labels.json`, or a list of objects.
fn json(text: &str) -> Result<Table, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("it is no readable JSON: {error}"))?;
    if let Some(records) = value.as_array() {
        let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
        return json_lines(&lines.join("\n"));
    }
    let labels = value["labels"].as_object().ok_or("expected a list of objects, or an object with `labels`")?;
    let rows = labels.iter().map(|(path, label)| vec![path.clone(), words(label)]);
    let rows = std::iter::once(vec!["path".to_owned(), "label".to_owned()]).chain(rows).collect();
    let classes = value["classes"].as_array().map(|classes| classes.iter().map(words).collect());
    Ok(Table { rows, named: true, classes })
}

fn words(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.trim().to_owned(),
        serde_json::Value::Null => String::new(),
        serde_json::Value::Array(items) if items.len() == 1 => words(&items[0]),
        other => other.to_string(),
    }
}

/// Finds pictures by what a table calls them.
struct Index<'a> {
    found: &'a [Found],
    paths: HashMap<String, usize>,
    /// By file name, and by file name without its ending.
    names: HashMap<String, Vec<usize>>,
}

impl<'a> Index<'a> {
    fn new(found: &'a [Found], pictures: &[usize]) -> Self {
        let (mut paths, mut names) = (HashMap::new(), HashMap::<String, Vec<usize>>::new());
        for file in pictures {
            let path = nfc(&found[*file].path).into_owned();
            let name = path.rsplit('/').next().unwrap_or(&path);
            if let Some((stem, _)) = name.rsplit_once('.') {
                names.entry(stem.to_owned()).or_default().push(*file);
            }
            names.entry(name.to_owned()).or_default().push(*file);
            paths.insert(path, *file);
        }
        Self { found, paths, names }
    }

    /// The picture that a table in `folder` (with a `/` at its end, or empty) calls so: by its path from there, by the end of a
    /// path of another machine, or by its file name, with or without ending, where that is the only one (in the part's folder).
    fn find(&self, folder: &str, called: &str, part: Option<Part>) -> Option<usize> {
        let called = called.replace('\\', "/");
        let called = nfc(called.trim().trim_start_matches("./")).into_owned();
        if called.is_empty() {
            return None;
        }
        let mut rest = called.as_str();
        loop {
            if let Some(file) = self.paths.get(&format!("{folder}{rest}")).or_else(|| self.paths.get(rest)) {
                return Some(*file);
            }
            match rest.split_once('/') {
                Some((_, after)) => rest = after,
                None => break,
            }
        }
        let files = self.names.get(rest)?;
        let inside = |file: &&usize| self.found[**file].path.starts_with(folder);
        let of_part = |file: &&usize| {
            part.is_some_and(|part| self.found[**file].path.split('/').any(|name| Part::named(name) == Some(part)))
        };
        let mut near = files.iter().filter(inside);
        match (near.next(), near.next()) {
            (Some(file), None) => Some(*file),
            _ => {
                let mut near = files.iter().filter(inside).filter(of_part);
                near.next().copied().filter(|_| near.next().is_none())
            }
        }
    }
}

/// How a table is to be read.
struct Columns {
    /// Rows before the first picture: 0 or 1.
    header: usize,
    path: usize,
    label: Option<usize>,
    part: Option<usize>,
}

fn columns(table: &Table, options: &LabelColumns, find: &dyn Fn(&str) -> bool) -> Result<Option<Columns>, String> {
    const LOOKED_AT: usize = 200;
    let Some(first) = table.rows.first() else { return Ok(None) };
    let width = table.rows.iter().take(LOOKED_AT).map(Vec::len).max().unwrap_or(0);
    let head: Vec<String> = first.iter().map(|cell| cell.to_lowercase()).collect();
    let named = |name: &Option<String>, kind: &str| -> Result<Option<usize>, String> {
        let Some(name) = name else { return Ok(None) };
        let place = head.iter().position(|cell| *cell == name.to_lowercase());
        place.map(Some).ok_or_else(|| format!("there is no {kind} column `{name}`; its columns are {}", some(first)))
    };
    let path = match named(&options.path, "path")? {
        Some(path) => Some(path),
        None => {
            let hits = |column: usize| {
                table.rows.iter().take(LOOKED_AT).filter(|row| row.get(column).is_some_and(|cell| find(cell))).count()
            };
            // The first of those with the most: it is asked from the last on, and equal ones are replaced.
            (0..width)
                .rev()
                .map(|column| (hits(column), column))
                .max_by_key(|(hits, column)| (*hits, std::cmp::Reverse(*column)))
                .filter(|(hits, _)| *hits > 0)
                .map(|(_, column)| column)
        }
    };
    let Some(path) = path else { return Ok(None) };
    let looks_like_a_file = |cell: &String| is_picture_name(cell) == Some(true);
    let header = table.named
        || options.path.is_some()
        || options.label.is_some()
        || first.get(path).is_none_or(|cell| !find(cell) && !looks_like_a_file(cell));
    let rows = &table.rows[usize::from(header)..];
    let is_part = |column: &usize| {
        let cells: Vec<&String> = rows.iter().take(LOOKED_AT).filter_map(|row| row.get(*column)).collect();
        !cells.is_empty() && cells.iter().all(|cell| Part::named(cell).is_some() || cell.eq_ignore_ascii_case("unassigned"))
    };
    let by_name = |names: &[&str]| names.iter().find_map(|name| head.iter().position(|cell| cell == name)).filter(|_| header);
    let part =
        by_name(PARTS).filter(is_part).or_else(|| (0..width).find(|column| *column != path && !header && is_part(column)));
    let others: Vec<usize> = (0..width).filter(|column| *column != path && Some(*column) != part).collect();
    let label = match named(&options.label, "label")? {
        Some(label) => Some(label),
        None => by_name(LABELS).filter(|column| *column != path).or(match others[..] {
            [only] => Some(only),
            // Without names the label stands behind the path.
            _ if !header => others.iter().copied().find(|column| *column > path),
            _ => head
                .iter()
                .position(|cell| cell.contains("label") || cell.contains("class"))
                .filter(|column| others.contains(column)),
        }),
    };
    Ok(Some(Columns { header: usize::from(header), path, label, part }))
}

/// The data set that tables describe: the one that the person gave, or those that lie beside pictures without folders of classes.
pub(super) fn read_all(
    found: &[Found],
    pictures: &[usize],
    texts: &HashMap<usize, Vec<u8>>,
    options: &Options,
) -> Result<Option<Catalog>> {
    let given = &options.columns.table;
    let is_table = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
        matches!(ending, "csv" | "tsv" | "jsonl" | "ndjson")
            || (ending == "json" && stem == "labels")
            || (ending == "txt" && Part::named(stem).is_some())
    };
    let mut tables: Vec<usize> = texts
        .keys()
        .copied()
        .filter(|file| match given {
            Some(path) => found[*file].path == *path,
            None => is_table(&found[*file].path),
        })
        .collect();
    sorting::sort_by(&mut tables, |a, b| found[*a].path.cmp(&found[*b].path));
    if tables.is_empty() {
        return Ok(None);
    }
    if given.is_none() {
        // Folders name classes unless the table is Hugging Face's, which goes before them there too.
        let metadata = |file: &usize| found[*file].path.rsplit('/').next().is_some_and(|name| name.starts_with("metadata."));
        let by_folders = folders::read(found, pictures)
            .ok()
            .filter(|catalog| catalog.classes.len() > 1 && catalog.homeless.len() * 2 < pictures.len());
        if by_folders.is_some() {
            tables.retain(metadata);
        }
    }
    let index = Index::new(found, pictures);
    let mut builder = Builder::default();
    let mut notes = Vec::new();
    let (mut has_parts, mut numbers) = (false, true);
    let mut list: Option<Vec<String>> = None;
    let mut taken = vec![false; found.len()];
    for file in tables {
        let path = &found[file].path;
        let fail = |reason: String| Error::Io { path: path.clone(), reason };
        let table = match Table::read(path, texts.get(&file).map_or(&[], Vec::as_slice)) {
            Ok(table) => table,
            Err(error) if given.is_some() => return Err(error),
            Err(error) => {
                notes.push(error.to_string());
                continue;
            }
        };
        let (folder, name) =
            path.rsplit_once('/').map_or(("", path.as_str()), |(folder, name)| (&path[..folder.len() + 1], name));
        // `train.csv`, `train_labels.csv`, `val/metadata.jsonl`.
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let word = stem.split(['_', '-', '.', ' ']).next().unwrap_or(stem);
        let own = Part::named(stem)
            .or_else(|| Part::named(word))
            .or_else(|| folder.trim_end_matches('/').rsplit('/').next().and_then(Part::named));
        let find = |called: &str| index.find(folder, called, own);
        let columns = match columns(&table, &options.columns, &|called| find(called).is_some()) {
            Ok(Some(columns)) if columns.label.is_some() => columns,
            Ok(None) if given.is_none() => continue,
            // As Kaggle's tables of test pictures.
            Ok(Some(_)) if given.is_none() => continue,
            Ok(None) => return Err(fail(no_files(&table, pictures.len()))),
            Ok(Some(_)) => {
                let head = table.rows.first().map(some).unwrap_or_default();
                return Err(fail(format!("which of its columns {head} holds the labels? Name it with --label-column")));
            }
            Err(reason) => return Err(fail(reason)),
        };
        let (mut missing, mut unlabelled, mut twice) = (Vec::new(), 0, 0);
        let label_of = |row: &Vec<String>| columns.label.and_then(|label| row.get(label)).map(|label| label.trim().to_owned());
        for row in &table.rows[columns.header..] {
            let called = row.get(columns.path).map(String::as_str).unwrap_or_default();
            let part = columns.part.and_then(|part| row.get(part)).and_then(|part| Part::named(part)).or(own);
            let Some(file) = index.find(folder, called, part) else {
                missing.push(called.to_owned());
                continue;
            };
            let Some(label) = label_of(row).filter(|label| !label.is_empty()) else {
                unlabelled += 1;
                continue;
            };
            if std::mem::replace(&mut taken[file], true) {
                twice += 1;
                continue;
            }
            // Spreadsheets and pandas write whole numbers as `3.0`.
            let label =
                label.strip_suffix(".0").filter(|whole| whole.parse::<u64>().is_ok()).map_or(label.clone(), str::to_owned);
            let label = match (&table.classes, label.parse::<usize>()) {
                (Some(classes), Ok(number)) => classes.get(number).cloned().unwrap_or(label),
                _ => label,
            };
            numbers &= label.parse::<i64>().is_ok();
            has_parts |= part.is_some_and(|part| part != Part::Training);
            builder.add(file, &label, part.unwrap_or(Part::Training));
        }
        if table.classes.is_some() {
            list = table.classes;
        }
        if !missing.is_empty() {
            notes.push(format!("{} rows of {path} name files that are not there: {}", missing.len(), some(&missing)));
        }
        if unlabelled > 0 {
            notes.push(format!("{unlabelled} rows of {path} have no label"));
        }
        if twice > 0 {
            notes.push(format!("{twice} rows of {path} name a picture that has a label already"));
        }
    }
    if builder.members.is_empty() {
        return match given {
            Some(path) => Err(Error::Io { path: path.clone(), reason: "none of its rows names a picture and a label".into() }),
            None => Ok(None),
        };
    }
    let mut catalog = builder.finish(true, has_parts);
    if numbers {
        catalog.sort_by_number();
    }
    let beside = |file: &usize| {
        let name = found[*file].path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        ["classes.txt", "class_names.txt", "classnames.txt", "labels.txt"].contains(&name.as_str())
    };
    if list.is_none() && numbers {
        let text = texts.iter().find(|(file, _)| beside(file)).and_then(|(_, bytes)| std::str::from_utf8(bytes).ok());
        list = text.map(|text| text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect());
    }
    if let Some(list) = list.filter(|list| {
        catalog.classes.iter().all(|class| list.contains(class) || class.parse().is_ok_and(|n: usize| n < list.len()))
    }) {
        catalog.name_classes(&list)?;
    }
    let homeless: Vec<usize> = pictures.iter().copied().filter(|file| !taken[*file]).collect();
    if !homeless.is_empty() {
        notes.push(format!("{} pictures are in no table", homeless.len()));
    }
    catalog.homeless = homeless.into_iter().map(|file| (file, "No table gives it a label.".into())).collect();
    catalog.notes = notes;
    Ok(Some(catalog))
}

fn no_files(table: &Table, pictures: usize) -> String {
    let row = table.rows.get(1).or(table.rows.first()).map(some).unwrap_or_default();
    format!(
        "none of its columns names a picture: a row is {row}, and {pictures} pictures lie in its folder and below; paths are looked \
         for from the table's own folder on"
    )
}

impl Catalog {
    fn sort_by_number(&mut self) {
        let mut order: Vec<usize> = (0..self.classes.len()).collect();
        sorting::sort_by_key(&mut order, |class| self.classes[*class].parse::<i64>().unwrap_or(i64::MAX));
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(now, before)| place[*before] = now);
        self.members.iter_mut().for_each(|member| member.class = place[member.class]);
        self.classes = order.into_iter().map(|class| self.classes[class].clone()).collect();
    }
}
