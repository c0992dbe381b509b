//! CIFAR-10's and CIFAR-100's own files: the binary batches, and the pickles of the Python version.
//!
//! Of a pickle only what these files hold is understood (numbers, texts, lists, dictionaries and NumPy's arrays of bytes); nothing
//! in it is ever run.

use super::catalog::Part;

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
    let top = Pickle::new(bytes).load()?;
    let field = |key: &str| top.get(key);
    let labels =
        field("fine_labels").or_else(|| field("labels")).and_then(Value::list).ok_or("it holds no list of `labels`")?;
    let labels: Option<Vec<u32>> = labels.iter().map(|label| label.int().and_then(|label| u32::try_from(label).ok())).collect();
    let labels = labels.ok_or("its labels are no numbers")?;
    let data = field("data").and_then(|data| data.longest_bytes(0)).ok_or("it holds no array `data`")?;
    if data.len() != labels.len() * PIXELS {
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
    let top = Pickle::new(bytes).load()?;
    let names = top.get("fine_label_names").or_else(|| top.get("label_names")).and_then(Value::list);
    let names = names.ok_or("it holds no names of classes")?;
    names
        .iter()
        .map(|name| name.text().map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| "its names are no texts".into())
}

#[derive(Debug, Clone)]
enum Value<'a> {
    Mark,
    Int(i64),
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    /// What a call made: its arguments, and what its state was set to. Only the bytes inside are ever looked at.
    Opaque(Vec<Value<'a>>),
}

impl<'a> Value<'a> {
    fn get(&self, key: &str) -> Option<&Value<'a>> {
        let Self::Dict(items) = self else { return None };
        items.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    fn text(&self) -> Option<&'a str> {
        if let Self::Bytes(bytes) = self { std::str::from_utf8(bytes).ok() } else { None }
    }

    fn int(&self) -> Option<i64> {
        if let Self::Int(value) = self { Some(*value) } else { None }
    }

    fn list(&self) -> Option<&[Value<'a>]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// The longest string of bytes inside: an array's contents.
    fn longest_bytes(&self, depth: u32) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::List(items) | Self::Opaque(items) if depth < 8 => {
                items.iter().filter_map(|item| item.longest_bytes(depth + 1)).max_by_key(|bytes| bytes.len())
            }
            _ => None,
        }
    }
}

/// The machine that a pickle is a program for (Python's pickletools.py), as far as these files need it.
struct Pickle<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    /// What was put aside. A list that is filled later is looked at on the stack alone, so these are texts and small things.
    memo: std::collections::HashMap<u32, Value<'a>>,
    /// Lists, dictionaries and calls so far: these files have some twenty, and what nests deeply cannot be dropped.
    containers: u32,
}

impl<'a> Pickle<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, stack: Vec::new(), memo: std::collections::HashMap::new(), containers: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or("the pickle was cut off")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn little(&mut self, count: usize) -> Result<u64, String> {
        Ok(self.take(count)?.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn counted(&mut self, count: usize) -> Result<Value<'a>, String> {
        let length = usize::try_from(self.little(count)?).map_err(|_| "a length is damaged")?;
        self.take(length).map(Value::Bytes)
    }

    fn line(&mut self) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or("the pickle was cut off")?;
        self.at += length + 1;
        Ok(&rest[..length])
    }

    fn pop(&mut self) -> Result<Value<'a>, String> {
        self.stack.pop().ok_or_else(|| "the pickle is damaged".into())
    }

    fn since_mark(&mut self) -> Result<Vec<Value<'a>>, String> {
        let mark = self.stack.iter().rposition(|value| matches!(value, Value::Mark)).ok_or("the pickle is damaged")?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn tuple(&mut self, count: usize) -> Result<(), String> {
        let from = self.stack.len().checked_sub(count).ok_or("the pickle is damaged")?;
        let items = self.stack.split_off(from);
        self.stack.push(Value::List(items));
        Ok(())
    }

    fn put(&mut self, key: u32) {
        // Containers are filled after they were put aside; nothing in these files asks for one again.
        let value = match self.stack.last() {
            Some(value @ (Value::Int(_) | Value::Bytes(_))) => value.clone(),
            Some(_) => Value::Opaque(Vec::new()),
            None => return,
        };
        self.memo.insert(key, value);
    }

    fn get(&mut self, key: u32) -> Result<(), String> {
        let value = self.memo.get(&key).cloned().ok_or("the pickle is damaged")?;
        self.stack.push(value);
        Ok(())
    }

    fn append(&mut self, items: Vec<Value<'a>>) -> Result<(), String> {
        match self.stack.last_mut() {
            Some(Value::List(list) | Value::Opaque(list)) => list.extend(items),
            _ => return Err("the pickle is damaged".into()),
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Value<'a>>) -> Result<(), String> {
        let mut items = items.into_iter();
        let Some(Value::Dict(dict)) = self.stack.last_mut() else { return Err("the pickle is damaged".into()) };
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            dict.push((key, value));
        }
        Ok(())
    }

    fn load(mut self) -> Result<Value<'a>, String> {
        const MOST_CONTAINERS: u32 = 2000;
        loop {
            let operation = self.take(1)?[0];
            if b"}])c\x93R\x81tld\x85\x86\x87".contains(&operation) {
                self.containers += 1;
                if self.containers > MOST_CONTAINERS {
                    return Err("the pickle holds more than any batch of CIFAR's".into());
                }
            }
            match operation {
                b'.' => return self.pop(),
                0x80 => drop(self.take(1)?),
                // Protocol 4's frames say how long they are.
                0x95 => drop(self.take(8)?),
                b'(' => self.stack.push(Value::Mark),
                b'}' => self.stack.push(Value::Dict(Vec::new())),
                b']' | b')' => self.stack.push(Value::List(Vec::new())),
                b'N' | 0x89 => self.stack.push(Value::Int(0)),
                0x88 => self.stack.push(Value::Int(1)),
                b'K' => self.int(1)?,
                b'M' => self.int(2)?,
                b'J' => {
                    let value = self.little(4)? as u32;
                    self.stack.push(Value::Int(i64::from(value.cast_signed())));
                }
                b'I' | b'L' => {
                    let text = String::from_utf8_lossy(self.line()?).into_owned();
                    let value = text.trim_end_matches('L').parse().map_err(|_| "a number is damaged")?;
                    self.stack.push(Value::Int(value));
                }
                b'U' | b'C' | 0x8c => self.string(1)?,
                b'T' | b'B' | b'X' => self.string(4)?,
                0x8e | 0x8d => self.string(8)?,
                b'S' => {
                    let line = self.line()?;
                    self.stack
                        .push(Value::Bytes(line.trim_ascii_end().get(1..line.len().saturating_sub(1)).unwrap_or_default()));
                }
                b'V' => {
                    let line = self.line()?;
                    self.stack.push(Value::Bytes(line));
                }
                b'c' => {
                    self.line()?;
                    self.line()?;
                    self.stack.push(Value::Opaque(Vec::new()));
                }
                0x93 => {
                    self.pop()?;
                    self.pop()?;
                    self.stack.push(Value::Opaque(Vec::new()));
                }
                b'R' | 0x81 => {
                    let (arguments, _) = (self.pop()?, self.pop()?);
                    self.stack.push(Value::Opaque(vec![arguments]));
                }
                b'b' => {
                    let state = self.pop()?;
                    self.append(vec![state])?;
                }
                b't' | b'l' => {
                    let items = self.since_mark()?;
                    self.stack.push(Value::List(items));
                }
                b'd' => {
                    let items = self.since_mark()?;
                    self.stack.push(Value::Dict(Vec::new()));
                    self.set(items)?;
                }
                0x85 => self.tuple(1)?,
                0x86 => self.tuple(2)?,
                0x87 => self.tuple(3)?,
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.since_mark()?;
                    self.append(items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set(vec![key, value])?;
                }
                b'u' => {
                    let items = self.since_mark()?;
                    self.set(items)?;
                }
                b'q' => {
                    let key = self.little(1)? as u32;
                    self.put(key);
                }
                b'r' => {
                    let key = self.little(4)? as u32;
                    self.put(key);
                }
                0x94 => self.put(self.memo.len() as u32),
                b'p' => {
                    let key = self.line_number()?;
                    self.put(key);
                }
                b'h' => {
                    let key = self.little(1)? as u32;
                    self.get(key)?;
                }
                b'j' => {
                    let key = self.little(4)? as u32;
                    self.get(key)?;
                }
                b'g' => {
                    let key = self.line_number()?;
                    self.get(key)?;
                }
                other => {
                    return Err(format!("the pickle holds something (operation 0x{other:02x}) that no batch of CIFAR's has"));
                }
            }
        }
    }

    fn int(&mut self, bytes: usize) -> Result<(), String> {
        let value = self.little(bytes)?;
        self.stack.push(Value::Int(value as i64));
        Ok(())
    }

    fn string(&mut self, bytes: usize) -> Result<(), String> {
        let value = self.counted(bytes)?;
        self.stack.push(value);
        Ok(())
    }

    fn line_number(&mut self) -> Result<u32, String> {
        let line = self.line()?;
        std::str::from_utf8(line).ok().and_then(|line| line.parse().ok()).ok_or_else(|| "the pickle is damaged".into())
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
    fn a_pickle_that_nests_without_end_is_refused() {
        let mut bytes = b"\x80\x02)".to_vec();
        bytes.extend(vec![0x85; 1_000_000]);
        bytes.push(b'.');
        assert!(batch("data_batch_1", &bytes).unwrap_err().contains("more than any batch"));
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
