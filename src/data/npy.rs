//! NumPy's arrays of pictures and labels: `.npy` contents (NEP 1), and which of an `.npz` archive's arrays are which.

use super::catalog::Part;
use super::image::MAX_PIXELS;
use crate::Error;
use crate::split::in_part;

/// An array as its header tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array {
    /// NumPy's name of the element type, as `<f4`; empty where elements have several fields.
    pub kind: String,
    /// Sizes, the slowest first.
    pub shape: Vec<u64>,
    /// Whether the first size runs fastest.
    pub fortran: bool,
    /// Where the values begin.
    pub start: usize,
}

impl Array {
    /// Reads the header of a `.npy` file of numbers or texts, and sees that all of them are there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let array = Self::header(bytes)?;
        if array.kind.is_empty() {
            return Err("its elements have several fields; expected plain numbers".into());
        }
        let count = array.shape.iter().try_fold(array.element_bytes()?, |count, size| count.checked_mul(*size));
        let (wanted, there) = (count.ok_or("its header is damaged")?, (bytes.len() - array.start) as u64);
        if there < wanted {
            return Err(format!("it stops after {there} of {wanted} bytes; copy it again"));
        }
        Ok(array)
    }

    /// Reads the header of a `.npy` file: the magic `\x93NUMPY`, a version (2 bytes), the length of what follows (2 or 4 bytes), a
    /// dictionary in Python's syntax (`{'descr': '<f4', 'fortran_order': False, 'shape': (64, 3, 7, 7), }`).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn header(bytes: &[u8]) -> Result<Self, String> {
        let damaged = || "its header is damaged".to_owned();
        if !bytes.starts_with(b"\x93NUMPY") {
            return Err("it is no NumPy array".into());
        }
        let (length, begin) = match bytes.get(6).ok_or_else(damaged)? {
            1 => {
                (usize::from(u16::from_le_bytes(*bytes.get(8..).and_then(|rest| rest.first_chunk()).ok_or_else(damaged)?)), 10)
            }
            _ => (u32::from_le_bytes(*bytes.get(8..).and_then(|rest| rest.first_chunk()).ok_or_else(damaged)?) as usize, 12),
        };
        let start = begin + length;
        let header = bytes.get(begin..start).and_then(|header| std::str::from_utf8(header).ok()).ok_or_else(damaged)?;
        // A Python dictionary of three fixed keys.
        let value = |key: &str| header.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
        let kind = value("descr").and_then(|rest| rest.strip_prefix('\'')).and_then(|rest| rest.split_once('\''));
        let kind = kind.map_or("", |(kind, _)| kind);
        let fortran = value("fortran_order").ok_or_else(damaged)?.starts_with("True");
        let shape = value("shape").and_then(|rest| rest.strip_prefix('(')).and_then(|rest| rest.split_once(')'));
        let (shape, _) = shape.ok_or_else(damaged)?;
        let sizes = shape.split(',').map(|size| size.trim().trim_end_matches('L')).filter(|size| !size.is_empty());
        let shape = sizes.map(|size| size.parse().map_err(|_| damaged())).collect::<Result<Vec<u64>, _>>()?;
        Ok(Self { kind: kind.to_owned(), shape, fortran, start })
    }

    fn element_bytes(&self) -> Result<u64, String> {
        let unknown = || format!("its elements are of kind `{}`; expected numbers", self.kind);
        let (kind, size) = (self.kind.get(1..2), self.kind.get(2..).and_then(|size| size.parse::<u64>().ok()));
        match (kind, size.ok_or_else(unknown)?) {
            (Some("b" | "u" | "i" | "f"), size @ (1 | 2 | 4 | 8)) => Ok(size),
            // Four bytes a letter.
            (Some("U"), letters @ 1..) => Ok(letters.saturating_mul(4)),
            (Some("S"), letters @ 1..) => Ok(letters),
            // Objects are pickles: code of a kind, which is never run.
            _ => Err(unknown()),
        }
    }

    /// Value `index` in memory.
    fn value(&self, bytes: &[u8], index: usize) -> Option<f64> {
        let size = self.element_bytes().ok()? as usize;
        if size > 8 {
            return None;
        }
        let raw = bytes.get(self.start + index * size..)?.get(..size)?;
        let mut value = [0; 8];
        value[..size].copy_from_slice(raw);
        if self.kind.starts_with('>') {
            value[..size].reverse();
        }
        let bits = u64::from_le_bytes(value);
        Some(match (self.kind.get(1..2)?, size) {
            ("f", 8) => f64::from_bits(bits),
            ("f", 4) => f64::from(f32::from_bits(bits as u32)),
            ("f", 2) => f64::from(half::f16::from_bits(bits as u16).to_f32()),
            ("i", 1) => f64::from(bits as u8 as i8),
            ("i", 2) => f64::from(bits as u16 as i16),
            ("i", 4) => f64::from(bits as u32 as i32),
            ("i", 8) => bits.cast_signed() as f64,
            _ => bits as f64,
        })
    }
}

/// Pictures in one array: how to get each.
#[derive(Debug, Clone)]
pub struct Pictures {
    array: Array,
    count: usize,
    /// Rows, columns, channels.
    pub size: [usize; 3],
    /// Steps from picture to picture, row to row, column to column, channel to channel, in elements.
    steps: [usize; 4],
    /// What values are multiplied by to come into 0..255.
    scale: f64,
}

impl Pictures {
    /// Understands an array of `(N, H, W)`, `(N, H, W, C)` or `(N, C, H, W)` with 1, 3 or 4 channels.
    ///
    /// # Errors
    /// What was expected.
    pub fn of(bytes: &[u8]) -> Result<Self, String> {
        let array = Array::read(bytes)?;
        let shape: Vec<usize> = array.shape.iter().map(|size| usize::try_from(*size).unwrap_or(usize::MAX)).collect();
        let channels = |count: usize| matches!(count, 1 | 3 | 4);
        // Places of rows, columns, channels among the sizes.
        let (size, axes) = match shape[..] {
            [_, h, w] => ([h, w, 1], [1, 2, 3]),
            [_, h, w, c] if channels(c) => ([h, w, c], [1, 2, 3]),
            [_, c, h, w] if channels(c) => ([h, w, c], [2, 3, 1]),
            _ => {
                return Err(format!(
                    "its shape is {shape:?}; expected pictures as (N, H, W), (N, H, W, C) or (N, C, H, W) with 1, 3 or 4 channels"
                ));
            }
        };
        if size[0] == 0 || size[1] == 0 || (size[0] as u64).saturating_mul(size[1] as u64) > MAX_PIXELS {
            return Err(format!("its pictures are {} x {} pixels, which cannot be read", size[1], size[0]));
        }
        let mut steps: Vec<usize> = vec![1; shape.len().max(4)];
        let order: Vec<usize> = if array.fortran { (0..shape.len()).collect() } else { (0..shape.len()).rev().collect() };
        let mut step = 1;
        for axis in order {
            steps[axis] = step;
            step *= shape[axis].max(1);
        }
        let count = shape[0];
        let element = array.kind.get(1..).unwrap_or_default();
        let scale = match element {
            "u1" => 1.0,
            "b1" => 255.0,
            "u2" => 1.0 / 257.0,
            // Numbers up to 1 are shares of white, as after Keras' `/ 255`.
            _ => {
                let values = (0..step.min(1_000_000)).filter_map(|index| array.value(bytes, index));
                let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
                if low < -0.01 || high > 255.5 {
                    return Err(format!("its values run from {low} to {high}; expected 0 to 255, or 0 to 1"));
                }
                if high <= 1.0 && element.starts_with('f') { 255.0 } else { 1.0 }
            }
        };
        Ok(Self { array, count, size, steps: [steps[0], steps[axes[0]], steps[axes[1]], steps[axes[2]]], scale })
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Picture `index` as RGBA.
    pub fn rgba(&self, bytes: &[u8], index: usize) -> Option<Vec<u8>> {
        if index >= self.count {
            return None;
        }
        let [rows, columns, channels] = self.size;
        let mut pixels = Vec::with_capacity(rows * columns * 4);
        for row in 0..rows {
            for column in 0..columns {
                let at = index * self.steps[0] + row * self.steps[1] + column * self.steps[2];
                let sample = |channel: usize| -> Option<u8> {
                    let value = self.array.value(bytes, at + channel * self.steps[3])?;
                    Some((value * self.scale).round().clamp(0.0, 255.0) as u8)
                };
                let pixel = match channels {
                    1 => [sample(0)?, sample(0)?, sample(0)?, 255],
                    3 => [sample(0)?, sample(1)?, sample(2)?, 255],
                    _ => [sample(0)?, sample(1)?, sample(2)?, sample(3)?],
                };
                pixels.extend(pixel);
            }
        }
        Some(pixels)
    }
}

/// Labels in one array: numbers or texts `(N,)`, `(N, 1)`, or rows with one 1, `(N, classes)`.
///
/// # Errors
/// What was expected.
pub fn labels(bytes: &[u8]) -> Result<Vec<String>, String> {
    let array = Array::read(bytes)?;
    let (count, width) = match array.shape[..] {
        [count] => (count as usize, 1),
        [count, width] if width > 0 => (count as usize, width as usize),
        _ => return Err(format!("its shape is {:?}; expected one label for each picture", array.shape)),
    };
    if width == 1 && matches!(array.kind.get(1..2), Some("U" | "S")) {
        let size = array.element_bytes()? as usize;
        let text = |index: usize| {
            let raw = &bytes[array.start + index * size..][..size];
            let letters: String = if array.kind.get(1..2) == Some("S") {
                String::from_utf8_lossy(raw).into_owned()
            } else {
                let code = |four: &[u8; 4]| {
                    if array.kind.starts_with('>') { u32::from_be_bytes(*four) } else { u32::from_le_bytes(*four) }
                };
                raw.as_chunks::<4>().0.iter().filter_map(|four| char::from_u32(code(four))).collect()
            };
            letters.trim_end_matches('\0').to_owned()
        };
        return Ok((0..count).map(text).collect());
    }
    let value = |row: usize, column: usize| {
        let index = if array.fortran { column * count + row } else { row * width + column };
        array.value(bytes, index).unwrap_or(f64::NAN)
    };
    let mut labels = Vec::with_capacity(count);
    for row in 0..count {
        let label = if width == 1 {
            value(row, 0)
        } else {
            let on: Vec<usize> = (0..width).filter(|column| value(row, *column) > 0.5).collect();
            let [only] = on[..] else {
                return Err(format!("row {row} has {} classes; expected one class a picture", on.len()));
            };
            only as f64
        };
        if !(label.fract() == 0.0 && label.abs() < 1e9) {
            return Err(format!("label {label} of picture {row} is no whole number"));
        }
        labels.push(format!("{label}"));
    }
    Ok(labels)
}

in_part! { files:
    /// An archive's array of pictures and that of their labels, each with its name there, for the page.
    ///
    /// # Errors
    /// [`Error::Io`] where one is not that, or their numbers differ.
    pub fn pictures_with_labels<'a>(
        archive: &'a str, pixels: (&'a str, &'a [u8]), labels: (&'a str, &'a [u8]),
    ) -> crate::Result<(Pictures, Vec<String>)> {
        let fail = |reason: String| Error::Io { path: archive.into(), reason };
        let ((x, pixels), (y, words)) = (pixels, labels);
        let pictures = Pictures::of(pixels).map_err(|reason| fail(format!("{x}: {reason}")))?;
        let labels = self::labels(words).map_err(|reason| fail(format!("{y}: {reason}")))?;
        if labels.len() != pictures.len() {
            return Err(fail(format!("{x} holds {} pictures, but {y} {} labels", pictures.len(), labels.len())));
        }
        Ok((pictures, labels))
    }
}

/// Names of the arrays of pictures and labels in an archive, by what they are for: Keras' `x_train` and `y_train`, MedMNIST's
/// `train_images` and `train_labels`, and without parts `images` and `labels`, `x` and `y`, `data` and `labels`.
pub fn pairs<'a>(names: &[&'a str]) -> Vec<(Part, &'a str, &'a str)> {
    let find = |wanted: &str| names.iter().copied().find(|name| name.eq_ignore_ascii_case(wanted));
    let mut found = Vec::new();
    let parts = [
        (Part::Training, &["train", "training"][..]),
        (Part::Validation, &["val", "valid", "validation"]),
        (Part::Test, &["test"]),
    ];
    const PAIRS: [(&str, &str); 6] =
        [("x", "y"), ("images", "labels"), ("x", "labels"), ("data", "labels"), ("image", "label"), ("arr_0", "arr_1")];
    for (part, words) in parts {
        let pair = words.iter().find_map(|word| {
            PAIRS.iter().find_map(|(x, y)| {
                let either = |kind: &str| find(&format!("{kind}_{word}")).or_else(|| find(&format!("{word}_{kind}")));
                Some((part, either(x)?, either(y)?))
            })
        });
        found.extend(pair);
    }
    if found.is_empty() {
        found.extend(PAIRS.iter().find_map(|(x, y)| Some((Part::Training, find(x)?, find(y)?))));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(kind: &str, fortran: bool, shape: &str, values: &[u8]) -> Vec<u8> {
        let fortran = if fortran { "True" } else { "False" };
        let header = format!("{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(values);
        bytes
    }

    #[test]
    fn pictures_of_every_layout() {
        let grey = array("|u1", false, "(2, 1, 2)", &[1, 2, 3, 4]);
        let pictures = Pictures::of(&grey).unwrap();
        assert_eq!((pictures.len(), pictures.size), (2, [1, 2, 1]));
        assert_eq!(pictures.rgba(&grey, 1).unwrap(), [3, 3, 3, 255, 4, 4, 4, 255]);
        let last = array("|u1", false, "(1, 1, 2, 3)", &[1, 2, 3, 4, 5, 6]);
        assert_eq!(Pictures::of(&last).unwrap().rgba(&last, 0).unwrap(), [1, 2, 3, 255, 4, 5, 6, 255]);
        let first = array("|u1", false, "(1, 3, 1, 2)", &[1, 4, 2, 5, 3, 6]);
        assert_eq!(Pictures::of(&first).unwrap().rgba(&first, 0).unwrap(), [1, 2, 3, 255, 4, 5, 6, 255]);
        let fortran = array("|u1", true, "(1, 1, 2, 3)", &[1, 4, 2, 5, 3, 6]);
        assert_eq!(Pictures::of(&fortran).unwrap().rgba(&fortran, 0).unwrap(), [1, 2, 3, 255, 4, 5, 6, 255]);
        let floats: Vec<u8> = [0.0f32, 1.0, 0.5, 0.25].iter().flat_map(|v| v.to_be_bytes()).collect();
        let floats = array(">f4", false, "(1, 2, 2, 1)", &floats);
        assert_eq!(
            Pictures::of(&floats).unwrap().rgba(&floats, 0).unwrap()[..12],
            [0, 0, 0, 255, 255, 255, 255, 255, 128, 128, 128, 255]
        );
        assert!(Pictures::of(&array("|u1", false, "(4,)", &[0; 4])).unwrap_err().contains("(N, H, W)"));
        assert!(Pictures::of(&array("|u1", false, "(2, 2, 2)", &[0; 4])).unwrap_err().contains("stops after 4 of 8"));
        assert!(Pictures::of(&array("|O", false, "(2, 2, 2)", &[0; 4])).unwrap_err().contains("`|O`"));
    }

    #[test]
    fn labels_of_every_layout() {
        assert_eq!(labels(&array("|u1", false, "(3,)", &[2, 0, 1])).unwrap(), ["2", "0", "1"]);
        assert_eq!(labels(&array("<i8", false, "(1, 1)", &[7, 0, 0, 0, 0, 0, 0, 0])).unwrap(), ["7"]);
        assert_eq!(labels(&array("|u1", false, "(2, 3)", &[0, 1, 0, 0, 0, 1])).unwrap(), ["1", "2"]);
        assert!(labels(&array("|u1", false, "(1, 3)", &[0, 1, 1])).unwrap_err().contains("2 classes"));
        let names: Vec<u8> = "ant\0bee\0".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(labels(&array("<U4", false, "(2,)", &names)).unwrap(), ["ant", "bee"]);
    }

    #[test]
    fn arrays_are_paired_by_name() {
        let found = pairs(&["x_train", "y_train", "x_test", "y_test"]);
        assert_eq!(found, [(Part::Training, "x_train", "y_train"), (Part::Test, "x_test", "y_test")]);
        let found = pairs(&["train_images", "train_labels", "val_images", "val_labels"]);
        assert_eq!(found.len(), 2);
        assert_eq!(pairs(&["X", "y"]), [(Part::Training, "X", "y")]);
        assert!(pairs(&["a", "b"]).is_empty());
    }

    #[test]
    fn any_header_is_survived() {
        let whole = array("<U4", false, "(1, 2)", &[0; 32]);
        for at in 0..whole.len() {
            for value in [0, b'9', b'(', 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let _ = (Pictures::of(&damaged), labels(&damaged), Pictures::of(&damaged[..at]));
            }
        }
    }
}
