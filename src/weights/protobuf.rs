//! The wire format of protocol buffers, read in place: what ONNX files are made of. A message of a crate would own its bytes, and so
//! all weights a second time.

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    Number(u64),
    Bits64(u64),
    Bytes(&'a [u8]),
    Bits32(u32),
}

/// The fields of a message in order. Stops at damage, which [`whole`] finds.
pub(super) fn fields(bytes: &[u8]) -> impl Iterator<Item = (u32, Field<'_>)> {
    let mut rest = bytes;
    std::iter::from_fn(move || next(&mut rest))
}

/// Whether a message can be read to its end.
pub(super) fn whole(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        if next(&mut rest).is_none() {
            return false;
        }
    }
    true
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<(u32, Field<'a>)> {
    let tag = varint(rest)?;
    let field = match tag & 7 {
        0 => Field::Number(varint(rest)?),
        1 => Field::Bits64(u64::from_le_bytes(*take::<8>(rest)?)),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            let (bytes, behind) = rest.split_at_checked(length)?;
            *rest = behind;
            Field::Bytes(bytes)
        }
        5 => Field::Bits32(u32::from_le_bytes(*take::<4>(rest)?)),
        _ => return None,
    };
    Some((u32::try_from(tag >> 3).ok()?, field))
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (bytes, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(bytes)
}

/// A number in groups of seven bits, the lowest first.
pub(super) fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
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

impl<'a> Field<'a> {
    pub fn text(self) -> Option<&'a str> {
        if let Self::Bytes(bytes) = self { std::str::from_utf8(bytes).ok() } else { None }
    }

    /// Whole numbers of a repeated field: one, or many packed together.
    pub fn numbers(self, into: &mut Vec<i64>) {
        match self {
            Self::Number(n) => into.push(n as i64),
            Self::Bytes(mut bytes) => {
                while let Some(n) = varint(&mut bytes) {
                    into.push(n as i64);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_order_and_damage_ends_them() {
        let message = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 0, 0, 0x80, 0x3f];
        let found: Vec<_> = fields(&message).collect();
        assert_eq!(found, [(1, Field::Number(150)), (2, Field::Bytes(b"hi")), (3, Field::Bits32(0x3f80_0000))]);
        assert!(whole(&message));
        for end in [1, 2, 4, 6, 8, 11] {
            assert!(!whole(&message[..end]), "{end}");
        }
        assert!(!whole(&[0xff; 20]), "a number without an end");
        let mut packed = Vec::new();
        Field::Bytes(&[1, 0x96, 0x01]).numbers(&mut packed);
        assert_eq!(packed, [1, 150]);
    }
}
