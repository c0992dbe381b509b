//! NumPy's `.npz` archives of arrays, and `.npy` arrays as tensors.

use indexmap::IndexMap;

use super::contents::{Contents, Stored};
use super::objects::{Array, Raw};
use super::shown;
use super::zip::Archive;
use crate::data::element::{Element, numpy_element};
use crate::data::npy;

/// Every array of an archive, by its name without the ending.
pub(super) fn list<'a>(archive: &'a Archive<'a>) -> Result<Contents<'a>, String> {
    let mut tensors = IndexMap::new();
    let mut arrays = Vec::new();
    for name in archive.names() {
        let Some(short) = name.strip_suffix(".npy") else { continue };
        let entry = archive.get(name).ok_or("an entry is missing")?;
        let array = parse(archive.bytes(entry)?).map_err(|reason| format!("array `{}`: {reason}", shown(short)))?;
        // Arrays of Python objects are passed over.
        let Some(array) = array else { continue };
        tensors.insert(short.to_string(), Stored::new(array.shape.clone(), array.element, arrays.len()));
        arrays.push(array);
    }
    let source = move |stored: &Stored| match stored.element {
        Element::Float(dtype) => arrays[stored.place].elements(dtype),
        _ => Err("it holds no floating-point numbers".into()),
    };
    Ok(Contents::new(tensors, archive.len(), Box::new(source)))
}

/// One array; `None` for elements that are no numbers.
fn parse(bytes: &[u8]) -> Result<Option<Array<'_>>, String> {
    let array = npy::Array::header(bytes)?;
    let Some(element) = numpy_element(array.kind.trim_start_matches(['<', '>', '|', '='])) else { return Ok(None) };
    let shape: Option<Vec<usize>> = array.shape.iter().map(|&n| usize::try_from(n).ok()).collect();
    let shape = shape.ok_or("its shape is too large")?;
    let count = shape.iter().try_fold(element.size(), |product, &n| product.checked_mul(n));
    let data = count.and_then(|count| bytes.get(array.start..)?.get(..count)).ok_or("it is cut off")?;
    Ok(Some(Array { element, big_endian: array.kind.starts_with('>'), shape, fortran: array.fortran, bytes: Raw::Bytes(data) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::element::Dtype;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn orders_of_bytes_and_of_axes_are_followed() {
        let values: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let plain = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", &values);
        let array = parse(&plain).unwrap().unwrap();
        assert_eq!(array.shape, [2, 3]);
        assert_eq!(array.elements(Dtype::F32).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let turned = npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", &values);
        assert_eq!(parse(&turned).unwrap().unwrap().elements(Dtype::F32).unwrap(), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        let big: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|v| v.to_be_bytes()).collect();
        let big = npy("{'descr': '>f8', 'fortran_order': False, 'shape': (2,), }", &big);
        assert_eq!(parse(&big).unwrap().unwrap().elements(Dtype::F64).unwrap(), [1.5, -2.0]);
        let objects = npy("{'descr': '|O', 'fortran_order': False, 'shape': (), }", b"x");
        assert_eq!(parse(&objects).unwrap(), None);
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let whole = npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }\n", &[0; 8]);
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err() || end > 10, "{end}");
        }
        for at in 0..whole.len() {
            for value in [0, b'9', b'\'', 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                if let Ok(Some(array)) = parse(&damaged)
                    && let Element::Float(dtype) = array.element
                {
                    let _ = array.elements(dtype);
                }
            }
        }
    }
}
