//! Labelled pictures on disk, in whatever form people have them: folders, label tables, archives, arrays, other tools' projects.
//!
//! Opening lists and understands ([`Catalog`]); pixels are read picture by picture, on any thread.

mod archive;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::archive::{Archive, ArchiveKind};
use super::catalog::{self, Catalog, Found, Options, Part, endings, is_junk};
use super::npy::{self, Pictures};
use super::sniff::is_picture_name;
use super::{Format, RgbaImage, cifar, decode, digest};
use crate::sorting;
use crate::{Error, Result};

/// One picture of a set.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Where it comes from, for people.
    pub name: String,
    /// Index of its class.
    pub label: usize,
    /// What it is for.
    pub part: Part,
    place: Place,
}

/// Where a picture lies.
#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Entry(Arc<Archive>, usize),
    Array(Arc<Arrays>, usize),
}

/// Pictures that are numbers in memory.
#[derive(Debug)]
struct Arrays {
    bytes: Vec<u8>,
    layout: Layout,
}

#[derive(Debug)]
enum Layout {
    Npy(Pictures),
    Cifar(cifar::Batch),
}

/// Labelled pictures.
#[derive(Debug, Clone, Default)]
pub struct DataSet {
    /// Names of the classes in the order of their labels.
    pub classes: Vec<String>,
    /// By part, class and path.
    pub samples: Vec<Sample>,
    /// Whether the data set says which pictures validate or test.
    pub has_parts: bool,
    /// Files left out because they are no pictures, by the ending of their name.
    pub left_out: BTreeMap<String, usize>,
    /// Pictures by the ending of their name.
    pub formats: BTreeMap<String, usize>,
    /// Sentences about what was assumed and what was passed over.
    pub notes: Vec<String>,
}

/// Files and where they lie.
#[derive(Default)]
struct Heap {
    found: Vec<Found>,
    places: Vec<Place>,
    /// Folders, to tell which are empty.
    folders: Vec<String>,
}

impl Sample {
    /// A file of this name, to learn from.
    #[cfg(test)]
    pub(crate) fn named(name: &str, label: usize) -> Self {
        Self { name: name.into(), label, part: Part::Training, place: Place::File(name.into()) }
    }

    /// The picture, and a digest of its file.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read, [`Error::Image`] when it is no picture.
    pub fn read(&self) -> Result<(RgbaImage, u64)> {
        match &self.place {
            Place::Array(arrays, index) => {
                let image = arrays.image(&self.name, *index)?;
                let digest = digest(&image.pixels);
                Ok((image, digest))
            }
            place => {
                let bytes = place.bytes()?;
                Ok((decode(&self.name, &bytes)?, digest(&bytes)))
            }
        }
    }
}

impl Sample {
    /// Whether it is a file, and not numbers in an array.
    pub fn is_file(&self) -> bool {
        !matches!(self.place, Place::Array(..))
    }

    /// The bytes of its file, as they are; of numbers a PNG.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn file(&self) -> Result<Vec<u8>> {
        let Place::Array(arrays, index) = &self.place else { return self.place.bytes() };
        let RgbaImage { width, height, pixels } = arrays.image(&self.name, *index)?;
        let mut bytes = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        image::ImageEncoder::write_image(encoder, &pixels, width, height, image::ExtendedColorType::Rgba8)
            .map_err(|error| Error::Io { path: self.name.clone(), reason: error.to_string() })?;
        Ok(bytes)
    }
}

impl Arrays {
    fn image(&self, name: &str, index: usize) -> Result<RgbaImage> {
        let (pixels, width, height) = match &self.layout {
            Layout::Npy(pictures) => (pictures.rgba(&self.bytes, index), pictures.size[1], pictures.size[0]),
            Layout::Cifar(batch) => (batch.rgba(&self.bytes, index), cifar::SIDE, cifar::SIDE),
        };
        RgbaImage::new(name, width as u32, height as u32, pixels.unwrap_or_default())
    }
}

impl Place {
    fn bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::File(path) => std::fs::read(path).map_err(|error| io(path, error.to_string())),
            Self::Entry(archive, entry) => archive.bytes(*entry),
            Self::Array(..) => Ok(Vec::new()),
        }
    }

    /// The first bytes: what the file is.
    fn head(&self) -> Vec<u8> {
        use std::io::Read;
        let mut head = Vec::new();
        match self {
            Self::File(path) => {
                if let Ok(file) = std::fs::File::open(path) {
                    // A file that cannot be read is no picture.
                    let _ = file.take(512).read_to_end(&mut head);
                }
            }
            Self::Entry(archive, entry) => head = archive.bytes(*entry).unwrap_or_default(),
            Self::Array(..) => {}
        }
        head
    }
}

impl DataSet {
    /// Opens a folder (of class folders, with or without splits above them, of archives, of CIFAR's batches), a label table, a ZIP or
    /// tar archive of any of these, another tool's project, or an `.npz` of arrays.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, or no picture in it has a class: with what was expected and what was found.
    pub fn open(path: &Path, options: &Options) -> Result<Self> {
        if path.is_dir() {
            return Self::of_folder(path, options);
        }
        if !path.exists() {
            return Err(io(path, "does not exist; give a folder that holds one folder of pictures for each class".into()));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ending = catalog::ending(&name);
        if ending == ".npz" {
            return Self::of_npz(path);
        }
        if [".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt"].contains(&ending.as_str()) {
            return Self::of_table(path, &name, options);
        }
        match ArchiveKind::of(path)? {
            Some(kind) => {
                let archive = Arc::new(Archive::open(path, kind)?);
                let mut heap = Heap::default();
                heap.add_archive(&archive, "");
                heap.understand(path, options)
            }
            None => {
                let head = Place::File(path.to_owned()).head();
                let what = match Format::of_file(&name, &head) {
                    Format::Other(what) => what.to_owned(),
                    format => format!("a {} picture", format.name()),
                };
                Err(io(
                    path,
                    format!(
                        "is a file ({what}); give a folder that holds one folder of pictures for each class, a ZIP or tar archive of \
                         one, a table of paths and labels (CSV, TSV, JSON lines), or an .npz of arrays"
                    ),
                ))
            }
        }
    }

    fn of_folder(path: &Path, options: &Options) -> Result<Self> {
        let mut heap = Heap::default();
        heap.list(path)?;
        let pictures = heap.found.iter().filter(|file| file.picture && !is_junk(&file.path)).count();
        if pictures == 0 {
            // Archives side by side: a shard each, or a class each.
            let archives: Vec<usize> =
                (0..heap.found.len()).filter(|file| archive::has_ending(&heap.found[*file].path)).collect();
            for file in archives {
                let Place::File(place) = heap.places[file].clone() else { continue };
                let Some(kind) = ArchiveKind::of(&place)? else { continue };
                let stem = archive::stem(&heap.found[file].path).to_owned();
                heap.add_archive(&Arc::new(Archive::open(&place, kind)?), &format!("{stem}/"));
                // It is opened rather than left out.
                heap.found[file].path.insert(0, '.');
            }
        }
        heap.understand(path, options)
    }

    fn of_table(path: &Path, name: &str, options: &Options) -> Result<Self> {
        let root = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut heap = Heap::default();
        heap.list(root)?;
        let mut options = options.clone();
        options.columns.table = Some(name.to_owned());
        let mut set = heap.understand(root, &options)?;
        // Beside a table may lie anything: what no row names is not left out of the data set.
        set.left_out.clear();
        set.notes.retain(|note| !note.contains("are in no table"));
        Ok(set)
    }

    fn of_npz(path: &Path) -> Result<Self> {
        let archive = Archive::open(path, ArchiveKind::Zip)?;
        let names: Vec<String> = archive.names().map(|name| name.trim_end_matches(".npy").to_owned()).collect();
        let pairs = npy::pairs(&names.iter().map(String::as_str).collect::<Vec<_>>());
        if pairs.is_empty() {
            return Err(io(
                path,
                format!(
                    "its arrays are {}; expected pictures and labels by name: x_train and y_train, train_images and train_labels, or \
                     images and labels",
                    names.join(", ")
                ),
            ));
        }
        let mut set = Arranged::default();
        for (part, x, y) in pairs {
            let bytes = |array: &str| {
                let place = names.iter().position(|name| name == array).unwrap_or_default();
                archive.bytes(place)
            };
            let fail = |array: &str, reason: String| io(path, format!("{array}: {reason}"));
            let pixels = bytes(x)?;
            let pictures = Pictures::of(&pixels).map_err(|reason| fail(x, reason))?;
            let labels = npy::labels(&bytes(y)?).map_err(|reason| fail(y, reason))?;
            if labels.len() != pictures.len() {
                return Err(io(path, format!("{x} holds {} pictures, but {y} {} labels", pictures.len(), labels.len())));
            }
            let prefix = format!("{}/{x}", path.display());
            set.add(prefix, part, Arrays { bytes: pixels, layout: Layout::Npy(pictures) }, labels);
        }
        let set = set.finish(None);
        Ok(set)
    }

    /// Number of samples of this part.
    pub fn count(&self, part: Part) -> usize {
        self.samples.iter().filter(|sample| sample.part == part).count()
    }

    /// What was left out, in words; empty when nothing was.
    pub fn left_out_words(&self) -> String {
        let count: usize = self.left_out.values().sum();
        if count == 0 { String::new() } else { format!("{count} files that are no pictures ({})", endings(&self.left_out)) }
    }
}

/// Data sets made of arrays: labels are texts that become classes.
#[derive(Default)]
struct Arranged {
    parts: Vec<(String, Part, Arc<Arrays>, Vec<String>)>,
}

impl Arranged {
    fn add(&mut self, prefix: String, part: Part, arrays: Arrays, labels: Vec<String>) {
        self.parts.push((prefix, part, Arc::new(arrays), labels));
    }

    /// `names` are the classes that the labels count through; without them the labels are the classes.
    fn finish(self, names: Option<Vec<String>>) -> DataSet {
        let classes = names.unwrap_or_else(|| {
            let labels: HashSet<&String> = self.parts.iter().flat_map(|(.., labels)| labels).collect();
            let mut labels: Vec<String> = labels.into_iter().cloned().collect();
            // Numbers by value, before everything else.
            let number = |label: &String| label.parse::<i64>().map_or((1, 0), |number| (0, number));
            sorting::sort_by(&mut labels, |a, b| (number(a), a).cmp(&(number(b), b)));
            labels
        });
        let place: HashMap<&str, usize> = classes.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let mut samples = Vec::new();
        for (prefix, part, arrays, labels) in &self.parts {
            for (index, label) in labels.iter().enumerate() {
                let number = || label.parse().ok().filter(|number| *number < classes.len());
                let Some(label) = place.get(label.as_str()).copied().or_else(number) else { continue };
                let name = format!("{prefix}[{index}]");
                samples.push(Sample { name, label, part: *part, place: Place::Array(arrays.clone(), index) });
            }
        }
        sorting::sort_by_key(&mut samples, |sample| (sample.part, sample.label));
        let has_parts = samples.iter().any(|sample| sample.part != Part::Training);
        let formats = BTreeMap::from([("array".to_owned(), samples.len())]);
        DataSet { samples, has_parts, formats, classes: classes.clone(), ..DataSet::default() }
    }
}

impl Heap {
    /// Lists a folder on disk. Links to files and to folders of the first level are followed; deeper ones are not, since they may
    /// form a loop.
    fn list(&mut self, root: &Path) -> Result<()> {
        const MAX_DEPTH: usize = 32;
        let mut waiting = vec![(root.to_owned(), String::new(), 0)];
        while let Some((dir, prefix, depth)) = waiting.pop() {
            for entry in std::fs::read_dir(&dir).map_err(|e| io(&dir, e.to_string()))? {
                let entry = entry.map_err(|e| io(&dir, e.to_string()))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if is_junk(&name) {
                    continue;
                }
                let (place, path) = (entry.path(), format!("{prefix}{name}"));
                let kind = entry.file_type().map_err(|e| io(&place, e.to_string()))?;
                // A link's own kind says nothing of what it leads to.
                let is_dir = if kind.is_symlink() { place.is_dir() } else { kind.is_dir() };
                if is_dir {
                    if depth < MAX_DEPTH && (depth == 0 || !kind.is_symlink()) {
                        self.folders.push(path.clone());
                        waiting.push((place, path + "/", depth + 1));
                    }
                } else {
                    let size = entry.metadata().map_or(0, |metadata| metadata.len());
                    self.add(path, size, Place::File(place));
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, path: String, size: u64, place: Place) {
        let picture =
            is_picture_name(&path).unwrap_or_else(|| !is_junk(&path) && !matches!(Format::of(&place.head()), Format::Other(_)));
        self.found.push(Found { path, picture, size });
        self.places.push(place);
    }

    fn add_archive(&mut self, archive: &Arc<Archive>, prefix: &str) {
        for (entry, (name, size)) in archive.entries().enumerate() {
            self.add(format!("{prefix}{name}"), size, Place::Entry(archive.clone(), entry));
        }
    }

    fn understand(self, root: &Path, options: &Options) -> Result<DataSet> {
        if let Some(set) = self.cifar(root)? {
            return Ok(set);
        }
        let mut texts = HashMap::new();
        for file in catalog::wanted(&self.found) {
            texts.insert(file, self.places[file].bytes()?);
        }
        let catalog = Catalog::of(&self.found, &texts, options).map_err(|error| match error {
            Error::Usage(reason) => io(root, reason),
            other => other,
        })?;
        let Catalog { classes, members, has_parts, left_out, mut notes, .. } = catalog;
        let empty = self.empty_folders();
        if !empty.is_empty() {
            notes.push(format!("no pictures in {}", empty.join(", ")));
        }
        let mut formats = BTreeMap::new();
        let samples: Vec<Sample> = members
            .into_iter()
            .map(|member| {
                *formats.entry(catalog::ending(&self.found[member.file].path)).or_insert(0) += 1;
                let place = self.places[member.file].clone();
                let name = match &place {
                    Place::File(path) => path.display().to_string(),
                    _ => format!("{}/{}", root.display(), self.found[member.file].path),
                };
                Sample { name, label: member.class, part: member.part, place }
            })
            .collect();
        Ok(DataSet { classes, samples, has_parts, left_out, formats, notes })
    }

    /// Folders beside others with pictures that hold none, nor folders with any.
    fn empty_folders(&self) -> Vec<String> {
        let mut full: HashSet<&str> = HashSet::new();
        for file in self.found.iter().filter(|file| file.picture) {
            let mut path = file.path.as_str();
            while let Some((folder, _)) = path.rsplit_once('/') {
                if !full.insert(folder) {
                    break;
                }
                path = folder;
            }
        }
        let mut empty: Vec<String> = self.folders.iter().filter(|folder| !full.contains(folder.as_str())).cloned().collect();
        sorting::sort(&mut empty);
        empty.iter().map(|folder| format!("`{folder}`")).collect()
    }

    /// CIFAR's batches, where there are some.
    fn cifar(&self, root: &Path) -> Result<Option<DataSet>> {
        let name = |file: usize| self.found[file].path.rsplit('/').next().unwrap_or_default();
        let files = || (0..self.found.len()).filter(|file| !is_junk(&self.found[*file].path));
        let meta: Vec<usize> = files().filter(|file| cifar::NAMES.contains(&name(*file))).collect();
        let batches: Vec<(usize, Part)> = files().filter_map(|file| Some((file, cifar::part_of(name(file))?))).collect();
        if batches.is_empty() || meta.is_empty() && !batches.iter().any(|(file, _)| name(*file).starts_with("data_batch_")) {
            return Ok(None);
        }
        // Both versions side by side hold the same pictures twice.
        let binary = batches.iter().all(|(file, _)| name(*file).ends_with(".bin"));
        let mut set = Arranged::default();
        for (file, part) in batches.into_iter().filter(|(file, _)| name(*file).ends_with(".bin") == binary) {
            let bytes = self.places[file].bytes()?;
            let batch = cifar::batch(name(file), &bytes).map_err(|reason| io(&root.join(&self.found[file].path), reason))?;
            let labels = batch.labels.iter().map(ToString::to_string).collect();
            let prefix = format!("{}/{}", root.display(), self.found[file].path);
            set.add(prefix, part, Arrays { bytes, layout: Layout::Cifar(batch) }, labels);
        }
        let names = match meta.first() {
            Some(file) => {
                let names = cifar::names(name(*file), &self.places[*file].bytes()?);
                Some(names.map_err(|reason| io(&root.join(&self.found[*file].path), reason))?)
            }
            None => None,
        };
        Ok(Some(set.finish(names)))
    }
}

fn io(path: &Path, reason: String) -> Error {
    Error::Io { path: path.display().to_string(), reason }
}

#[cfg(test)]
mod tests;
