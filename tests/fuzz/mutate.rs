//! Damage that keeps a format's outer shape, so that what is nested in it is reached: archives with sound directories, messages with
//! sound lengths, headers that say how long they are.

use crate::random::Random;

/// Damages a file's content.
pub type Mutator = fn(&mut Random, &[u8]) -> Vec<u8>;

/// A few changes anywhere.
pub fn bytes(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    let mut out = whole.to_vec();
    for _ in 0..1 + random.below(5) {
        if out.is_empty() {
            out.push(random.below(256) as u8);
        }
        // Large files are mostly zeros: what is not is hit more often.
        let at = (0..16).map(|_| random.below(out.len())).find(|at| out[*at] != 0).unwrap_or(0);
        match random.below(9) {
            0 => out[at] = random.below(256) as u8,
            1 => out[at] ^= 1 << random.below(8),
            2 if random.one_in(3) => out.truncate(at),
            3 => out[at..].iter_mut().take(1 << random.below(4)).for_each(|byte| *byte = 0xff),
            4 | 5 => {
                // A number of some width, in either order.
                let (number, width) = (random.odd_number(whole.len()), 1 << random.below(4));
                let mut number = number.to_le_bytes()[..width].to_vec();
                if random.one_in(2) {
                    number.reverse();
                }
                let end = out.len().min(at + width);
                out[at..end].copy_from_slice(&number[..end - at]);
            }
            6 => {
                let (from, length) = (random.below(out.len()), 1 + random.below(32));
                let piece: Vec<u8> = out[from..].iter().copied().take(length).collect();
                out.splice(at..at, piece);
            }
            7 => drop(out.drain(at..(at + 1 + random.below(16)).min(out.len()))),
            _ => {
                let other = random.below(out.len());
                out.swap(at, other);
            }
        }
    }
    out
}

/// Text, by its lines and what separates them.
pub fn text(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    let mut out = whole.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(out.len() + 1);
        const PIECES: [&[u8]; 25] = [
            b"\"",
            b",",
            b"\n",
            b"\t",
            b"\r\n",
            b"{",
            b"}",
            b"[",
            b"]",
            b":",
            b"\\",
            b"..",
            b"/",
            b"\0",
            b"\xff",
            b"\xe9",
            b"-1",
            b"99999999999999999999",
            b"1e999",
            b"\xef\xbb\xbf",
            b"null",
            b"'",
            b"(",
            b"True",
            b" ",
        ];
        let piece = *random.pick(&PIECES);
        if random.one_in(3) && !out.is_empty() {
            let end = (at + random.below(8)).min(out.len());
            out.drain(at..end);
        } else {
            out.splice(at..at, piece.iter().copied());
        }
    }
    if random.one_in(4) { bytes(random, &out) } else { out }
}

/// Names and contents of an archive's entries.
pub fn entries(archive: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    use reslab::data::zip;

    let tail = &archive[archive.len().saturating_sub(zip::TAIL as usize)..];
    let found = zip::directory(tail, archive.len() as u64)?;
    let listed = zip::entries(archive.get(usize::try_from(found.start).ok()?..)?, found.count)?;
    let content = |entry: zip::Entry| {
        let start = zip::contents_start(zip::part(archive, entry.local, zip::LOCAL)?, entry.local)?;
        let packed = zip::part(archive, start, entry.packed)?;
        let content = if entry.method == 8 { miniz_oxide::inflate::decompress_to_vec(packed).ok()? } else { packed.to_vec() };
        Some((entry.name, content))
    };
    listed.into_iter().map(content).collect()
}

/// A zip archive, written again around changed entries.
pub fn zip(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    if random.one_in(6) {
        return bytes(random, whole);
    }
    let Some(mut entries) = entries(whole).filter(|entries| !entries.is_empty()) else { return bytes(random, whole) };
    for _ in 0..1 + random.below(2) {
        // The entry that says what the others are is changed most.
        let says = |(name, _): &(String, Vec<u8>)| {
            [".pkl", ".json", ".index", ".npy", ".h5", "version", "byteorder"].iter().any(|ending| name.ends_with(ending))
        };
        let at = entries.iter().position(says).filter(|_| !random.one_in(4)).unwrap_or_else(|| random.below(entries.len()));
        let Some((name, content)) = entries.get_mut(at) else { break };
        match random.below(12) {
            0 => drop(entries.remove(at)),
            1 => {
                let copy = entries[at].clone();
                entries.push(copy);
            }
            2 => *name = String::from_utf8_lossy(&text(random, name.as_bytes())).into_owned(),
            _ => *content = by_name(name)(random, content),
        }
    }
    let mut out = Vec::new();
    let mut frame = reslab::data::zip::Frame::default();
    for (name, content) in entries {
        let crc = crc32fast::hash(&content);
        out.extend(frame.header(&name, crc, content.len() as u64).unwrap_or_default());
        out.extend(content);
    }
    out.extend(frame.finish());
    out
}

fn by_name(name: &str) -> Mutator {
    match name.rsplit('.').next().unwrap_or_default() {
        "pkl" | "pickle" => pickle,
        "npy" => npy,
        "json" => json,
        "index" => table,
        "csv" | "txt" => text,
        _ => bytes,
    }
}

/// One instruction of a pickle with its argument.
fn instructions(pickle: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = pickle;
    while let Some(&code) = rest.first() {
        let number = |at: usize, width: usize| {
            let bytes = rest.get(at..at + width).unwrap_or_default();
            bytes.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte)) as usize
        };
        let lines = |count: usize| {
            let mut ends = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
            ends.nth(count - 1).unwrap_or(rest.len() - 1)
        };
        let argument = match code {
            b'K' | b'q' | b'h' | 0x80 | 0x82 => 1,
            b'M' | 0x83 => 2,
            b'J' | b'r' | b'j' | 0x84 => 4,
            b'G' | 0x95 => 8,
            b'U' | b'C' | 0x8a | 0x8c => 1usize.saturating_add(number(1, 1)),
            b'X' | b'T' | b'B' | 0x8b => 4usize.saturating_add(number(1, 4)),
            0x8d | 0x8e | 0x96 => 8usize.saturating_add(number(1, 8)),
            b'I' | b'L' | b'F' | b'S' | b'V' | b'g' | b'p' | b'P' => lines(1),
            b'c' | b'i' => lines(2),
            _ => 0,
        };
        let (one, behind) = rest.split_at(argument.saturating_add(1).min(rest.len()));
        found.push(one);
        rest = behind;
        if code == b'.' {
            // Behind a pickle there may be another, or raw elements.
            if !matches!(rest.first(), Some(0x80)) {
                found.push(rest);
                break;
            }
        }
    }
    found
}

/// A pickle by its instructions: taken out, doubled, exchanged, with other arguments.
pub fn pickle(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    if random.one_in(6) {
        return bytes(random, whole);
    }
    let mut code: Vec<Vec<u8>> = instructions(whole).into_iter().map(<[u8]>::to_vec).collect();
    for _ in 0..1 + random.below(4) {
        if code.is_empty() {
            break;
        }
        let (at, other) = (random.below(code.len()), random.below(code.len()));
        match random.below(8) {
            0 => drop(code.remove(at)),
            1 => code.insert(at, code[other].clone()),
            2 => code.swap(at, other),
            3 => code[at] = vec![*random.pick(b"(.0122NQRabdest]})l\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94ou")],
            4 => {
                // Many of one, nested.
                let (one, count) = (code[at].clone(), 1 << random.below(12));
                code.splice(at..at, std::iter::repeat_n(one, count));
            }
            5 => {
                let mut number = vec![b'J'];
                number.extend((random.odd_number(whole.len()) as u32).to_le_bytes());
                if random.one_in(3) {
                    number = vec![0x8a, 8];
                    number.extend(random.odd_number(whole.len()).to_le_bytes());
                }
                code[at] = number;
            }
            _ => {
                let first = 1.min(code[at].len());
                let argument = code[at].split_off(first);
                code[at].extend(if argument.is_empty() { argument } else { bytes(random, &argument) });
            }
        }
    }
    code.concat()
}

/// A NumPy array, whose header keeps its length right.
pub fn npy(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    let length = whole.get(8..10).map_or(0, |length| usize::from(u16::from_le_bytes([length[0], length[1]])));
    let Some(header) = whole.get(10..10 + length).filter(|_| !random.one_in(5)) else { return bytes(random, whole) };
    let header = String::from_utf8_lossy(header).into_owned();
    let header = match random.below(4) {
        0 => {
            const KINDS: [&str; 8] = ["'>f8'", "'|O'", "'<U9999999999'", "'|S1'", "'<f2'", "'<i8'", "'<c8'", "''"];
            let kind = header.split("'").nth(3).unwrap_or_default().to_string();
            header.replace(&format!("'{kind}'"), random.pick::<&str>(&KINDS))
        }
        1 => header.replace("False", "True"),
        2 => {
            let sizes: Vec<String> = (0..random.below(6)).map(|_| random.odd_number(whole.len()).to_string()).collect();
            let (before, after) = header.split_once('(').unwrap_or((&header, ""));
            format!("{before}({}){}", sizes.join(","), after.split_once(')').unwrap_or(("", "")).1)
        }
        _ => String::from_utf8_lossy(&text(random, header.as_bytes())).into_owned(),
    };
    let mut out = whole[..8].to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(&whole[10 + length..]);
    out
}

/// JSON by its values.
pub fn json(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice(whole) else { return text(random, whole) };
    if random.one_in(6) {
        return text(random, whole);
    }
    for _ in 0..1 + random.below(3) {
        change(random, &mut value, whole.len());
    }
    serde_json::to_vec(&value).unwrap_or_default()
}

fn change(random: &mut Random, value: &mut serde_json::Value, size: usize) {
    use serde_json::Value;
    let here = random.one_in(6);
    match value {
        Value::Object(fields) if !fields.is_empty() && !here => {
            let (at, other) = (random.below(fields.len()), random.below(fields.len()));
            let name = fields.keys().nth(at).cloned().unwrap_or_default();
            match random.below(8) {
                0 => drop(fields.remove(&name)),
                1 => {
                    let copy = fields.values().nth(other).cloned().unwrap_or_default();
                    fields.insert(name, copy);
                }
                2 => {
                    let copy = fields[&name].clone();
                    fields.insert(format!("{name}.x"), copy);
                }
                _ => change(random, &mut fields[&name], size),
            }
        }
        Value::Array(items) if !items.is_empty() && !here => {
            let at = random.below(items.len());
            match random.below(6) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => change(random, &mut items[at], size),
            }
        }
        Value::String(text) if !here => *text = String::from_utf8_lossy(&self::text(random, text.as_bytes())).into_owned(),
        _ => {
            *value = match random.below(7) {
                0 => Value::Null,
                1 => Value::from(-1),
                2 => Value::from(String::from("x").repeat(random.below(300))),
                3 => Value::Array(vec![]),
                4 => Value::from(random.next() as f64 / 1e9),
                _ => Value::from(random.odd_number(size)),
            }
        }
    }
}

/// A safetensors file, whose header keeps its length right.
pub fn safetensors(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    let length = whole.first_chunk().map_or(0, |length| u64::from_le_bytes(*length) as usize);
    let Some(header) = whole.get(8..8usize.saturating_add(length)).filter(|_| !random.one_in(5)) else {
        return bytes(random, whole);
    };
    let header = json(random, header);
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header);
    out.extend(&whole[8 + length..]);
    out
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// A field of a message: number and kind, and its content; without the length of what has one.
fn fields(mut rest: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let tag = read_varint(&mut rest)?;
        let length = match tag & 7 {
            0 => {
                let mut behind = rest;
                read_varint(&mut behind)?;
                rest.len() - behind.len()
            }
            1 => 8,
            2 => usize::try_from(read_varint(&mut rest)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (content, behind) = rest.split_at_checked(length)?;
        found.push((tag, content));
        rest = behind;
    }
    Some(found)
}

/// A message of protocol buffers by its fields, at any depth; lengths stay right.
pub fn protobuf(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    if random.one_in(12) { bytes(random, whole) } else { message(random, whole, 0) }
}

fn message(random: &mut Random, whole: &[u8], depth: usize) -> Vec<u8> {
    let Some(found) = fields(whole).filter(|found| !found.is_empty() && depth < 12) else { return bytes(random, whole) };
    let mut found: Vec<(u64, Vec<u8>)> = found.into_iter().map(|(tag, content)| (tag, content.to_vec())).collect();
    let (at, other) = (random.below(found.len()), random.below(found.len()));
    match (random.below(10), found[at].0 & 7) {
        (0, _) => drop(found.remove(at)),
        (1, _) => found.insert(at, found[other].clone()),
        (2, _) => found.swap(at, other),
        (3, _) => found[at].0 = random.below(20) as u64 * 8 + (found[at].0 & 7),
        (_, 0) => {
            found[at].1.clear();
            varint(random.odd_number(whole.len()), &mut found[at].1);
        }
        (4, 2) if random.one_in(3) => found[at].1.clear(),
        (_, 2) => found[at].1 = message(random, &found[at].1.clone(), depth + 1),
        _ => found[at].1.iter_mut().for_each(|byte| *byte = random.below(256) as u8),
    }
    let mut out = Vec::new();
    for (tag, content) in found {
        varint(tag, &mut out);
        if tag & 7 == 2 {
            varint(content.len() as u64, &mut out);
        }
        out.extend(content);
    }
    out
}

/// A FlatBuffer with some of its words, which are offsets, lengths and small numbers, changed; or a place in the JSON that it carries.
pub fn flatbuffer(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    if random.one_in(6) {
        return bytes(random, whole);
    }
    let mut out = whole.to_vec();
    let json = out.windows(2).position(|pair| pair == b"{\"");
    for _ in 0..=random.below(3) {
        if let Some(json) = json.filter(|_| random.one_in(4)) {
            let digits: Vec<usize> = (json..out.len()).filter(|&at| out[at].is_ascii_digit()).collect();
            if !digits.is_empty() {
                out[*random.pick(&digits)] = b"0123456789-e"[random.below(12)];
            }
            continue;
        }
        // Words other than floating-point numbers: small as lengths are, or negative as offsets back are.
        let words: Vec<usize> = (0..out.len() / 4)
            .map(|word| 4 * word)
            .filter(|&at| matches!(i32::from_le_bytes([out[at], out[at + 1], out[at + 2], out[at + 3]]), -100_000..=1_000_000))
            .collect();
        let at = *random.pick(&words);
        let old = u32::from_le_bytes([out[at], out[at + 1], out[at + 2], out[at + 3]]);
        let new = if random.one_in(2) {
            random.odd_number(whole.len()) as u32
        } else {
            old.wrapping_add(4).wrapping_sub(random.below(9) as u32)
        };
        out[at..at + 4].copy_from_slice(&new.to_le_bytes());
    }
    out
}

/// Key and value of each entry of a block of LevelDB's.
fn block(block: &[u8]) -> Option<Vec<(Vec<u8>, &[u8])>> {
    let (body, count) = block.split_last_chunk::<4>()?;
    let mut rest = body.get(..body.len().checked_sub(4 * u32::from_le_bytes(*count) as usize)?)?;
    let (mut key, mut found): (Vec<u8>, _) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let mut number = || usize::try_from(read_varint(&mut rest)?).ok();
        let (shared, other, length) = (number()?, number()?, number()?);
        key.truncate(shared);
        key.extend(rest.get(..other)?);
        found.push((key.clone(), rest.get(other..)?.get(..length)?));
        rest = rest.get(other + length..)?;
    }
    Some(found)
}

/// A table of names of a TensorFlow checkpoint, written again around a changed entry.
pub fn table(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    let entries = || {
        let mut footer = whole.get(whole.len().checked_sub(48)?..)?;
        let mut handle = || Some((read_varint(&mut footer)? as usize, read_varint(&mut footer)? as usize));
        handle()?;
        let part = |(start, length): (usize, usize)| whole.get(start..)?.get(..length);
        let mut entries = Vec::new();
        for (_, mut place) in block(part(handle()?)?)? {
            let place = (read_varint(&mut place)? as usize, read_varint(&mut place)? as usize);
            entries.extend(block(part(place)?)?.into_iter().map(|(key, value)| (key, value.to_vec())));
        }
        Some(entries)
    };
    let Some(mut entries) = entries().filter(|entries| !entries.is_empty() && !random.one_in(5)) else {
        return bytes(random, whole);
    };
    for _ in 0..1 + random.below(3) {
        let (at, other) = (random.below(entries.len()), random.below(entries.len()));
        match random.below(10) {
            0 if entries.len() > 1 => drop(entries.remove(at)),
            1 => entries.insert(at, entries[other].clone()),
            2 => entries[at].0 = text(random, &entries[at].0.clone()),
            3 => entries.swap(at, other),
            _ => entries[at].1 = protobuf(random, &entries[at].1.clone()),
        }
    }
    let write = |entries: &[(Vec<u8>, Vec<u8>)]| {
        let mut block = Vec::new();
        for (key, value) in entries {
            for number in [0, key.len(), value.len()] {
                varint(number as u64, &mut block);
            }
            block.extend(key);
            block.extend(value);
        }
        block.extend([0, 0, 0, 0, 1, 0, 0, 0]);
        block
    };
    let mut out = write(&entries);
    let mut place = Vec::new();
    varint(0, &mut place);
    varint(out.len() as u64, &mut place);
    out.extend([0; 5]);
    let (start, index) = (out.len(), write(&[(b"z".to_vec(), place)]));
    let mut footer = vec![0, 0];
    varint(start as u64, &mut footer);
    varint(index.len() as u64, &mut footer);
    footer.resize(40, 0);
    out.extend(index);
    out.extend([0; 5]);
    out.extend(footer);
    out.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    out
}

/// A tar archive, whose headers' sums stay right.
pub fn tar(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    let mut out = whole.to_vec();
    let mut headers = Vec::new();
    let mut at = 0;
    while let Some(header) = out.get(at..at + 512).filter(|header| header.iter().any(|byte| *byte != 0)) {
        headers.push(at);
        let size = String::from_utf8_lossy(&header[124..135]).trim_matches(['\0', ' ']).to_string();
        at += 512 + usize::from_str_radix(&size, 8).unwrap_or(0).div_ceil(512) * 512;
    }
    if headers.is_empty() || random.one_in(4) {
        return bytes(random, whole);
    }
    let at = *random.pick(&headers);
    match random.below(5) {
        0 => {
            let size = format!("{:011o}", random.odd_number(whole.len()) & 0x1_ffff_ffff);
            out[at + 124..at + 135].copy_from_slice(&size.as_bytes()[size.len() - 11..]);
        }
        1 => out[at + 156] = *random.pick(b"0LxgK5127\0"),
        2 => out[at + 124..at + 136].copy_from_slice(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        3 => {
            let field = random.below(500);
            out[at + field] = random.below(256) as u8;
        }
        _ => {
            // What is in the entry, as long as it was.
            let content = pickle(random, &whole[(at + 512).min(whole.len())..]);
            let end = out.len().min(at + 512 + content.len());
            out[at + 512..end].copy_from_slice(&content[..end - at - 512]);
        }
    }
    out[at + 148..at + 156].fill(b' ');
    let sum: u32 = out[at..at + 512].iter().map(|byte| u32::from(*byte)).sum();
    out[at + 148..at + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out
}
