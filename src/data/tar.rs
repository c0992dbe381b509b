//! Tar archives (POSIX ustar and pax, GNU's long names): where their files lie, one header after the other.
//!
//! A walk asks for pieces of the file, so that a door with a file on disk, in memory or in a browser reads it alike and contents never
//! pass through here. The `tar` crate wants a reader that blocks, which no browser has.

/// A header, and the unit everything is rounded up to.
pub const BLOCK: u64 = 512;
/// Longest name or pax header that is followed.
const MAX_EXTENSION: u64 = 1 << 20;

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path.
    pub name: String,
    /// Where its contents begin.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

/// A walk over the headers of an archive of `total` bytes.
#[derive(Debug, Default)]
pub struct Walk {
    /// The files so far.
    pub entries: Vec<Entry>,
    total: u64,
    at: u64,
    /// What the next bytes are for.
    wants: Wants,
    long_name: Option<String>,
    long_size: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Wants {
    #[default]
    Header,
    /// GNU's long name.
    Name,
    /// Pax records.
    Records,
}

impl Walk {
    /// From the start of an archive.
    pub fn new(total: u64) -> Self {
        Self { total, ..Self::default() }
    }

    /// The bytes that [`take`](Self::take) wants next: start and length. `None` at the end of the archive.
    pub fn wanted(&self, length: u64) -> Option<(u64, u64)> {
        let wanted = if self.wants == Wants::Header { BLOCK } else { length };
        (self.at + wanted <= self.total).then_some((self.at, wanted))
    }

    /// Takes the bytes that were wanted, and gives the length of the next piece; `None` when the archive is at its end.
    ///
    /// # Errors
    /// What is wrong with the archive.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<u64>, &'static str> {
        match std::mem::take(&mut self.wants) {
            Wants::Header => self.header(bytes),
            Wants::Name => {
                self.long_name = Some(text(bytes));
                self.at += rounded(bytes.len() as u64);
                Ok(Some(BLOCK))
            }
            Wants::Records => {
                self.records(bytes);
                self.at += rounded(bytes.len() as u64);
                Ok(Some(BLOCK))
            }
        }
    }

    fn header(&mut self, bytes: &[u8]) -> Result<Option<u64>, &'static str> {
        let Some(header) = bytes.first_chunk::<512>() else { return Err("it was cut off") };
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The sum of all bytes, its own eight as spaces.
        let sum: u64 =
            header.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) }).sum();
        if number(&header[148..156]) != Some(sum) {
            return Err(if self.at == 0 { "it is no tar archive" } else { "a header is damaged" });
        }
        let kind = header[156];
        let size = self.long_size.take().or_else(|| number(&header[124..136])).ok_or("a size is damaged")?;
        let start = self.at + BLOCK;
        let after = start.checked_add(rounded(size)).filter(|_| start + size <= self.total).ok_or("it was cut off")?;
        match kind {
            b'L' | b'x' => {
                if size > MAX_EXTENSION {
                    return Err("a name is too long");
                }
                self.wants = if kind == b'L' { Wants::Name } else { Wants::Records };
                self.at = start;
                if size == 0 {
                    self.wants = Wants::Header;
                    return Ok(Some(BLOCK));
                }
                return Ok(Some(size));
            }
            0 | b'0' | b'7' => {
                let prefix = if header[257..262] == *b"ustar" && header[345] != 0 {
                    text(&header[345..500]) + "/"
                } else {
                    String::new()
                };
                let name = self.long_name.take().unwrap_or_else(|| prefix + &text(&header[..100]));
                let name = name.trim_start_matches("./").trim_start_matches('/').to_owned();
                // A name with a slash at its end is a folder in the oldest archives.
                if !name.ends_with('/') {
                    self.entries.push(Entry { name, start, size });
                }
            }
            // Links, folders, devices and global headers name nothing to read.
            _ => self.long_name = None,
        }
        self.at = after;
        Ok(Some(BLOCK))
    }

    /// `27 path=long/name\n`
    fn records(&mut self, mut bytes: &[u8]) {
        while let Some(space) = bytes.iter().position(|byte| *byte == b' ') {
            let length = std::str::from_utf8(&bytes[..space]).ok().and_then(|digits| digits.parse::<usize>().ok());
            let Some(record) = length.filter(|length| *length > space).and_then(|length| bytes.get(space + 1..length)) else {
                return;
            };
            let record = String::from_utf8_lossy(record);
            match record.trim_end_matches('\n').split_once('=') {
                Some(("path", value)) => self.long_name = Some(value.to_owned()),
                Some(("size", value)) => self.long_size = value.parse().ok(),
                _ => {}
            }
            bytes = &bytes[space + 1 + record.len().min(bytes.len() - space - 1)..];
        }
    }
}

/// Up to the first zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn rounded(size: u64) -> u64 {
    size.div_ceil(BLOCK).saturating_mul(BLOCK)
}

/// Octal digits, or with the highest bit set a binary number (GNU), the highest byte first.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, binary @ ..] = field {
        return binary.iter().try_fold(0_u64, |value, byte| value.checked_mul(256)?.checked_add(u64::from(*byte)));
    }
    let digits = text(field);
    let digits = digits.trim_matches(' ');
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(archive: &[u8]) -> Result<Vec<Entry>, &'static str> {
        let mut walk = Walk::new(archive.len() as u64);
        let mut length = BLOCK;
        while let Some((start, count)) = walk.wanted(length) {
            match walk.take(&archive[start as usize..][..count as usize])? {
                Some(next) => length = next,
                None => break,
            }
        }
        Ok(walk.entries)
    }

    /// What the `tar` crate writes: long names as GNU's, and by pax.
    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let long = format!("{}/1.jpg", "folder".repeat(40));
        for (name, contents) in [("cat/1.jpg", &b"first"[..]), (&long, b"second"), ("dog/empty", b"")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append_data(&mut header, name, contents).unwrap();
        }
        builder.append_pax_extensions([("path", "猫/2.jpg".as_bytes())]).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_path("x").unwrap();
        header.set_size(5);
        header.set_cksum();
        builder.append(&header, &b"third"[..]).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn files_lie_where_another_program_put_them() {
        let archive = archive();
        let entries = walk(&archive).unwrap();
        let found: Vec<(String, &[u8])> =
            entries.iter().map(|entry| (entry.name.clone(), &archive[entry.start as usize..][..entry.size as usize])).collect();
        let long = format!("{}/1.jpg", "folder".repeat(40));
        let expected: [(String, &[u8]); 4] =
            [("cat/1.jpg".into(), b"first"), (long, b"second"), ("dog/empty".into(), b""), ("猫/2.jpg".into(), b"third")];
        assert_eq!(found, expected);
    }

    #[test]
    fn damage_is_told_and_never_panics() {
        let archive = archive();
        assert_eq!(walk(b"no"), Ok(Vec::new()));
        assert_eq!(walk(&[b'x'; 600]), Err("it is no tar archive"));
        for end in (0..archive.len()).step_by(97) {
            let _ = walk(&archive[..end]);
        }
        for at in 0..archive.len() {
            let mut damaged = archive.clone();
            damaged[at] ^= 0xff;
            let _ = walk(&damaged);
        }
    }
}
