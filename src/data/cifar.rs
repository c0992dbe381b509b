//! CIFAR-10's and CIFAR-100's own files: the binary batches, and the pickles of the Python version.
//!
//! Of a pickle only what these files hold is understood (numbers, texts, lists, dictionaries and NumPy's arrays of bytes); nothing
//! in it is ever run.

use super::catalog::Part;
use super::pickle::{self, Heap, Value};

/// Side of a picture in pixels.
pub const SIDE: usize = 32;
/// Bytes of a picture: its red, green and blue plane.
const PIXELS: usize = 3 * SIDE * SIDE;

/// Pictures of a batch in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Class of each.
    pub labels: Vec<u32>,
    /// Where the first picture lies.
    start: usize,
    /// Bytes from one to the next.
    step: usize,
}

impl Batch {
    /// Picture `index` as RGBA.
    pub fn rgba(&self, file: &[u8], index: usize) -> Option<Vec<u8>> {
        let planes = file.get(self.start + index * self.step..)?.get(..PIXELS)?;
        let plane = SIDE * SIDE;
        Some((0..plane).flat_map(|at| [planes[at], planes[plane + at], planes[2 * plane + at], 255]).collect())
    }
}

/// What a file of this name is a batch of; `None` where it is none.
pub fn part_of(name: &str) -> Option<Part> {
    match name {
        "test_batch" | "test_batch.bin" | "test" | "test.bin" => Some(Part::Test),
        "train" | "train.bin" => Some(Part::Training),
        _ => {
            let number = name.strip_prefix("data_batch_")?;
            number.trim_end_matches(".bin").parse::<u8>().ok().map(|_| Part::Training)
        }
    }
}

/// Files that name the classes.
pub const NAMES: [&str; 4] = ["batches.meta", "batches.meta.txt", "meta", "fine_label_names.txt"];

/// Reads a batch; `name` tells whether it is a binary one, and whether of CIFAR-100, which has two labels a picture.
///
/// # Errors
/// What is wrong with it.
pub fn batch(name: &str, bytes: &[u8]) -> Result<Batch, String> {
    if name.ends_with(".bin") {
        // CIFAR-100's are called train.bin and test.bin: a coarse label, the fine one, the picture.
        let before = if name.starts_with("data_batch") || name.starts_with("test_batch") { 1 } else { 2 };
        let step = before + PIXELS;
        if bytes.is_empty() || !bytes.len().is_multiple_of(step) {
            return Err(format!(
                "it has {} bytes, no multiple of {step}; it was cut off, or is no batch of CIFAR's",
                bytes.len()
            ));
        }
        let labels = bytes.chunks_exact(step).map(|record| u32::from(record[before - 1])).collect();
        return Ok(Batch { labels, start: before, step });
    }
    let (top, heap) = load(bytes)?;
    let labels = field(&heap, top, "fine_labels").or_else(|| field(&heap, top, "labels"));
    let labels = labels.and_then(|labels| list(&heap, labels)).ok_or("it holds no list of `labels`")?;
    let label = |value: &Value<'_>| if let Value::Int(label) = *value { u32::try_from(label).ok() } else { None };
    let labels = labels.iter().map(label).collect::<Option<Vec<u32>>>().ok_or("its labels are no numbers")?;
    let data = field(&heap, top, "data").and_then(|data| longest_bytes(&heap, data, 0)).ok_or("it holds no array `data`")?;
    if labels.is_empty() || Some(data.len()) != labels.len().checked_mul(PIXELS) {
        return Err(format!(
            "it holds {} labels and {} bytes of pictures; expected {PIXELS} for each",
            labels.len(),
            data.len()
        ));
    }
    // The array's bytes are a part of the file's.
    let start = data.as_ptr() as usize - bytes.as_ptr() as usize;
    Ok(Batch { labels, start, step: PIXELS })
}

/// Reads the classes' names.
///
/// # Errors
/// What is wrong with the file.
pub fn names(name: &str, bytes: &[u8]) -> Result<Vec<String>, String> {
    if name.ends_with(".txt") {
        let text = String::from_utf8_lossy(bytes);
        return Ok(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect());
    }
    let (top, heap) = load(bytes)?;
    let names = field(&heap, top, "fine_label_names").or_else(|| field(&heap, top, "label_names"));
    let names = names.and_then(|names| list(&heap, names)).ok_or("it holds no names of classes")?;
    let names = names.iter().map(|name| text(*name).map(str::to_owned));
    names.collect::<Option<_>>().ok_or_else(|| "its names are no texts".into())
}

fn load(bytes: &[u8]) -> Result<(Value<'_>, Heap<'_>), String> {
    pickle::load(bytes).map(|(value, heap, _)| (value, heap))
}

/// A value of a dictionary; keys are bytes where Python 3 read a file of Python 2 and wrote it again.
fn field<'a>(heap: &Heap<'a>, dict: Value<'a>, key: &str) -> Option<Value<'a>> {
    let Value::Dict(dict) = dict else { return None };
    heap.dicts[dict].iter().find(|(name, _)| text(*name) == Some(key)).map(|(_, value)| *value)
}

fn text<'a>(value: Value<'a>) -> Option<&'a str> {
    match value {
        Value::Str(text) | Value::Latin1(text) => Some(text),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn list<'h, 'a>(heap: &'h Heap<'a>, value: Value<'a>) -> Option<&'h [Value<'a>]> {
    if let Value::Sequence(items) = value { Some(&heap.sequences[items]) } else { None }
}

/// The longest string of bytes inside: an array's contents.
fn longest_bytes<'a>(heap: &Heap<'a>, value: Value<'a>, depth: u32) -> Option<&'a [u8]> {
    let of = |values: &[Value<'a>]| {
        let found = values.iter().take(16).filter_map(|value| longest_bytes(heap, *value, depth + 1));
        found.max_by_key(|bytes| bytes.len())
    };
    match value {
        Value::Bytes(bytes) => Some(bytes),
        // Python 2's strings, where they happen to be text.
        Value::Str(text) => Some(text.as_bytes()),
        Value::Sequence(items) if depth < 4 => of(&heap.sequences[items]),
        Value::Object(object) if depth < 4 => {
            let object = heap.objects[object];
            of(&[object.arguments, object.state.unwrap_or(Value::None)])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of two pictures as Python 2 pickled CIFAR's (protocol 2): a dictionary with an array and a list.
    fn pickled() -> Vec<u8> {
        let mut bytes =
            b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x04someq\x03U\x06labelsq\x04]q\x05(K\x06K\x09eU\x04dataq\x06".to_vec();
        bytes.extend(b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x0a(K\x01K\x02M\x00\x0c\x86");
        bytes.extend(
            b"cnumpy\ndtype\nq\x0bU\x02u1K\x00K\x01\x87Rq\x0c(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
        );
        bytes.extend((2 * PIXELS as u32).to_le_bytes());
        bytes.extend((0..2 * PIXELS).map(|at| (at / 1024) as u8));
        bytes.extend(b"tbU\x09filenamesq\x0d]q\x0e(U\x05a.pngU\x05b.pngeu.");
        bytes
    }

    #[test]
    fn a_python_batch_is_read_in_place() {
        let bytes = pickled();
        let batch = batch("data_batch_1", &bytes).unwrap();
        assert_eq!(batch.labels, [6, 9]);
        assert_eq!(batch.rgba(&bytes, 1).unwrap()[..8], [3, 4, 5, 255, 3, 4, 5, 255]);
        assert!(batch.rgba(&bytes, 2).is_none());
        let meta = b"\x80\x02}q\x01(U\x0blabel_namesq\x02]q\x03(U\x03antU\x03beeeu.";
        assert_eq!(names("batches.meta", meta).unwrap(), ["ant", "bee"]);
    }

    #[test]
    fn binary_batches_have_one_label_or_two() {
        let mut ten = vec![3];
        ten.extend([7; PIXELS]);
        assert_eq!(batch("data_batch_2.bin", &ten).unwrap().labels, [3]);
        let mut hundred = vec![1, 42];
        hundred.extend([7; PIXELS]);
        let found = batch("train.bin", &hundred).unwrap();
        assert_eq!((found.labels[0], found.rgba(&hundred, 0).unwrap()[0]), (42, 7));
        assert!(batch("train.bin", &ten).unwrap_err().contains("multiple of 3074"));
        assert_eq!(part_of("test_batch.bin"), Some(Part::Test));
        assert_eq!(part_of("data_batch_5"), Some(Part::Training));
        assert_eq!(part_of("data_batch_x"), None);
    }

    #[test]
    fn a_pickle_that_nests_without_end_is_survived() {
        let mut bytes = b"\x80\x02)".to_vec();
        bytes.extend(vec![0x85; 1_000_000]);
        bytes.push(b'.');
        assert!(batch("data_batch_1", &bytes).unwrap_err().contains("no list of `labels`"));
    }

    #[test]
    fn damaged_pickles_never_panic() {
        let whole = pickled();
        for at in 0..260 {
            for value in [0, b'(', b'e', b'b', 0x85, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let _ = batch("data_batch_1", &damaged);
            }
            assert!(batch("data_batch_1", &whole[..at]).is_err());
        }
    }
}
