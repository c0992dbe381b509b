//! The options that say how a data set is to be read, and what was found in words.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{model, output};
use crate::Result;
use crate::data::catalog::{LabelColumns, Options};
use crate::data::dataset::DataSet;
use crate::data::labels;

#[derive(Debug, Default, Args)]
pub(super) struct DataArgs {
    /// File with the classes' names in the order of their labels: one a line, or a JSON list. Labels that are numbers count
    /// through it.
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Column of a label table that holds the pictures' paths; by default the one whose values are found as files.
    #[arg(long, value_name = "NAME")]
    path_column: Option<String>,
    /// Column of a label table that holds the labels; by default the one that is called so.
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
}

impl DataArgs {
    /// Opens a data set.
    pub(super) fn open(&self, path: &Path) -> Result<DataSet> {
        let classes = match &self.classes {
            Some(file) => Some(labels::parse(&file.display().to_string(), &model::read_file(file)?)?),
            None => None,
        };
        let columns = LabelColumns { table: None, path: self.path_column.clone(), label: self.label_column.clone() };
        DataSet::open(path, &Options { classes, columns })
    }

    /// The same options, to be typed again.
    pub(super) fn typed(&self) -> String {
        let file = self.classes.as_ref().map(|file| file.display().to_string());
        let options =
            [("--classes", file), ("--path-column", self.path_column.clone()), ("--label-column", self.label_column.clone())];
        options.into_iter().filter_map(|(name, value)| Some(format!(" {name} {}", value?))).collect()
    }
}

/// Says what was passed over.
pub(super) fn tell(path: &Path, set: &DataSet) {
    let path = path.display();
    for note in &set.notes {
        output::remark(&format!("{path}: {note}"));
    }
    let left_out = set.left_out_words();
    if !left_out.is_empty() {
        output::remark(&format!("{path}: left out {left_out}"));
    }
}
