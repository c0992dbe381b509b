//! Reading and writing of files, against fixtures that tests/fixtures/weights/make.py wrote with PyTorch.

use super::*;

macro_rules! fixtures {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/weights/", $name)) as &[u8])),*]
    };
}

const FIXTURES: &[(&str, &[u8])] = fixtures![
    "plain.zip.pth",
    "plain.legacy.pth",
    "plain.safetensors",
    "nested.zip.pth",
    "nested.legacy.pth",
    "protocol4.zip.pth",
    "strided.zip.pth",
    "strided.legacy.pth",
    "view.legacy.pth",
    "complex.zip.pth",
    "evil.zip.pth",
    "evil.legacy.pth",
    "beyond.zip.pth",
    "overflow.zip.pth",
    "repeated.zip.pth",
    "negative.zip.pth",
    "deep.zip.pth",
    "cycle.zip.pth",
    "huge-shape.safetensors",
    "huge-header.safetensors",
];

fn fixture(name: &str) -> &'static [u8] {
    FIXTURES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no fixture {name}")).1
}

fn load(name: &str) -> StateDict {
    read(name, fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn reason(name: &str, bytes: &[u8]) -> String {
    match read(name, bytes) {
        Err(Error::WeightsFile { file, reason }) if file == name => reason,
        other => panic!("{name}: expected a weights file error, got {other:?}"),
    }
}

/// make.py's `ramp`.
fn ramp(count: usize, start: f32) -> Vec<f32> {
    (0..count).map(|i| i as f32 * 0.25 + start).collect()
}

#[test]
fn every_format_gives_the_same_tensors() {
    let expected = [
        ("conv.weight", vec![2, 3, 1, 1], ramp(6, 0.0), Dtype::F32),
        ("bn.weight", vec![2], ramp(2, 1.0), Dtype::F32),
        ("half", vec![3], ramp(3, 0.0), Dtype::F16),
        ("brain", vec![3], ramp(3, 0.0), Dtype::BF16),
        ("double", vec![3], ramp(3, 0.0), Dtype::F64),
    ];
    for name in
        ["plain.zip.pth", "plain.legacy.pth", "plain.safetensors", "nested.zip.pth", "nested.legacy.pth", "protocol4.zip.pth"]
    {
        let state = load(name);
        assert_eq!(state.tensors.len(), expected.len(), "{name}: {:?}", state.tensors.keys());
        for (tensor, shape, data, dtype) in &expected {
            let found = state.get(tensor, shape).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((&found.data, found.dtype), (data, *dtype), "{name}: {tensor}");
        }
    }
    assert_eq!(load("plain.safetensors").metadata["classes"], r#"["cat", "dog"]"#);
    let names: Vec<String> = load("nested.zip.pth").tensors.into_keys().collect();
    assert_eq!(names, expected.map(|(name, ..)| name), "the order of the file is kept");
}

#[test]
fn views_of_one_storage_are_read_by_offset_and_stride() {
    for name in ["strided.zip.pth", "strided.legacy.pth"] {
        let state = load(name);
        let at = |row: usize, column: usize| (row * 3 + column) as f32 * 0.25;
        let check = |tensor: &str, shape: &[usize], data: Vec<f32>| {
            assert_eq!(state.get(tensor, shape).unwrap().data, data, "{name}: {tensor}");
        };
        check("base", &[4, 3], ramp(12, 0.0));
        check("rows", &[2, 3], ramp(6, at(1, 0)));
        check("transposed", &[3, 4], (0..12).map(|i| at(i % 4, i / 4)).collect());
        check("column", &[4], (0..4).map(|row| at(row, 1)).collect());
        check("steps", &[2, 2], vec![at(0, 0), at(0, 2), at(2, 0), at(2, 2)]);
        check("expanded", &[2, 3], vec![at(0, 1); 6]);
        check("scalar", &[], vec![at(2, 2)]);
        check("empty", &[0, 3], vec![]);
    }
}

/// As Python 2 and PyTorch before 0.4 wrote it: strings as bytes, an ordered dict as a list of pairs, `_rebuild_tensor`.
#[test]
fn views_of_storages_in_old_files_are_read() {
    let state = load("view.legacy.pth");
    let tensor = state.get("w", &[2]).unwrap();
    assert_eq!((tensor.data.as_slice(), tensor.dtype), (&[0.75, 1.0][..], Dtype::F16));
}

#[test]
fn code_in_a_pickle_is_named_and_never_run() {
    for name in ["evil.zip.pth", "evil.legacy.pth"] {
        let reason = reason(name, fixture(name));
        assert!(reason.contains("`os.system`") && reason.contains("code is never run"), "{name}: {reason}");
    }
}

#[test]
fn numbers_that_lead_out_of_the_file_are_refused() {
    for (name, words) in [
        ("beyond.zip.pth", "reach beyond its storage"),
        ("overflow.zip.pth", "larger than the file"),
        ("repeated.zip.pth", "larger than the file"),
        ("negative.zip.pth", "negative"),
        ("huge-header.safetensors", "claims 1152921504606846976 bytes, but the whole file has 16"),
        ("huge-shape.safetensors", "larger than the file can be"),
        ("complex.zip.pth", "complex64"),
        ("deep.zip.pth", "no tensors were found"),
        ("cycle.zip.pth", "no tensors were found"),
    ] {
        let reason = reason(name, fixture(name));
        assert!(reason.contains(words), "{name}: {reason}");
    }
}

/// No format is whole without its last byte.
#[test]
fn every_truncation_is_an_error() {
    for (name, bytes) in FIXTURES {
        for end in 0..bytes.len() {
            assert!(matches!(read(name, &bytes[..end]), Err(Error::WeightsFile { .. })), "{name} cut at {end} was read");
        }
    }
}

/// Damage may or may not be noticed, but a reader always comes back, and detection too.
#[test]
fn no_flipped_bit_panics() {
    for (name, bytes) in FIXTURES {
        let mut damaged = bytes.to_vec();
        for at in 0..bytes.len() {
            for mask in [0x01, 0x10, 0x80, 0xff] {
                damaged[at] ^= mask;
                if let Ok(state) = read(name, &damaged) {
                    let elements: usize = state.tensors.values().map(|tensor| tensor.data.len()).sum();
                    assert!(elements <= bytes.len(), "{name}, byte {at}: {elements} elements");
                    let _ = detect::detect(state);
                }
                damaged[at] ^= mask;
            }
        }
    }
}

#[test]
fn other_files_are_called_by_their_name() {
    let mut tar = vec![b'a'; 600];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, words) in [
        (&b""[..], "empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n <html lang=en>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0", "HDF5"),
        (b"\x1c\0\0\0TFL3\0\0\0\0", "TensorFlow Lite"),
        (b"\x08\x08\x12\x07pytorch\x1a\x03", "ONNX"),
        (b"\x80\x04\x95\0\0\0\0\0\0\0\0}.", "no tensors were found"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image"),
        (b"\x1f\x8b\x08\0", "compressed"),
        (b"{\"error\": \"not found\"}", "JSON"),
        (b"hello, this is a readme", "text file"),
        (&[0; 100], "zeros"),
        (b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "without `data.pkl`"),
        (b"\x80\x02\x8a\x0a\x6c", "cut off"),
        (&tar, "tar archive"),
        (b"\x01\x02\x03\x04\xff\xfe", "none of the files that can be read"),
    ] {
        let reason = reason("file", bytes);
        assert!(reason.contains(words), "{bytes:?}: {reason}");
    }
}

#[test]
fn what_is_written_can_be_read_back() {
    let mut state = load("plain.zip.pth");
    state.metadata.insert("arch".into(), "resnet20".into());
    for dtype in [Dtype::F32, Dtype::F16] {
        let bytes = safetensors::write(&state, dtype).unwrap();
        let again = read("a", &bytes).unwrap();
        assert_eq!(again.metadata["arch"], "resnet20");
        assert_eq!(again.metadata["format"], "pt");
        let pairs = state.tensors.iter().zip(&again.tensors);
        for ((name, tensor), (found_name, found)) in pairs {
            assert_eq!((name, &tensor.shape, &tensor.data), (found_name, &found.shape, &found.data));
            assert_eq!(found.dtype, dtype);
        }
        assert_eq!(again.tensors.len(), state.tensors.len());
    }
    state.tensors["half"].data[1] = 70000.0;
    assert!(safetensors::write(&state, Dtype::F16).unwrap_err().to_string().contains("`half`"));
    assert!(safetensors::write(&state, Dtype::BF16).is_err());
}
