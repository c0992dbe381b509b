//! Every reader of files people bring, with sound files to damage.

use std::collections::HashMap;
use std::path::Path;

use reslab::data::catalog::{self, Catalog, Found};
use reslab::data::{self, Activation, Preset, cifar, header, labels, npy, tar, text, zip};
use reslab::model::resnet::ResNetSpec;
use reslab::weights::deploy::Deployed;
use reslab::weights::tflite::{self, Numbers};
use reslab::weights::{self, Choices, Files, HostTensor, StateDict, detect, tfjs};

use crate::mutate::{self, Mutator};

/// A reader.
pub struct Reader {
    /// In reports, and before the names of kept inputs.
    pub name: &'static str,
    /// Sound files by name.
    pub seeds: Vec<(String, Vec<u8>)>,
    pub mutate: Mutator,
    /// Reads; gives the bytes that the file's headers declare beside the file itself: what packed entries unpack to, pixels.
    pub read: fn(&str, &[u8]) -> usize,
}

fn folder(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

/// The files of a folder that end in one of these.
fn files(path: &str, endings: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder(path))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .filter(|(name, _)| endings.iter().any(|ending| name.ends_with(ending)))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{path} {endings:?}");
    found
}

/// Files that are packed one by one.
fn unpacked(path: &str, endings: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for (_, packed) in files(path, &[".zip"]) {
        let entries = mutate::entries(&packed).unwrap();
        found.extend(entries.into_iter().filter(|(name, _)| endings.iter().any(|ending| name.ends_with(ending))));
    }
    assert!(!found.is_empty(), "{path} {endings:?}");
    found
}

fn only(mut files: Vec<(String, Vec<u8>)>, names: &[&str]) -> Vec<(String, Vec<u8>)> {
    files.retain(|(name, _)| names.contains(&name.as_str()));
    assert_eq!(files.len(), names.len());
    files
}

/// What the entries of an archive say that they unpack to.
fn unpacks_to(archive: &[u8]) -> usize {
    let entries = || {
        let tail = &archive[archive.len().saturating_sub(zip::TAIL as usize)..];
        let found = zip::directory(tail, archive.len() as u64)?;
        zip::entries(archive.get(usize::try_from(found.start).ok()?..)?, found.count)
    };
    // Stored ones are where they are.
    entries().unwrap_or_default().iter().filter(|entry| entry.method == 8).map(|entry| entry.size as usize).sum()
}

fn read_weights(name: &str, bytes: &[u8]) -> usize {
    let _ = weights::companions(name, bytes);
    let loaded = weights::load(&Files::alone(name, bytes), &Choices::default());
    if let Ok((found, _)) = loaded {
        // Each element comes from the file: of one byte at least.
        let elements: usize = found.weights.tensors.values().map(|tensor| tensor.data.len()).sum();
        assert!(elements <= 64 * bytes.len() + unpacks_to(bytes), "{elements} elements");
    }
    // What is unpacked is read as the file itself is.
    5 * unpacks_to(bytes)
}

fn read_checkpoint(name: &str, bytes: &[u8]) -> usize {
    let data = vec![0u8; 20_000];
    let beside: Vec<(String, Vec<u8>)> =
        weights::companions(name, bytes).into_iter().take(4).map(|name| (name, data.clone())).collect();
    let declared = beside.len() * data.len();
    let _ = weights::load(&Files { name, bytes, beside: &beside }, &Choices::default());
    4 * declared
}

fn read_picture(name: &str, bytes: &[u8]) -> usize {
    let format = data::Format::of_file(name, bytes);
    let size = header::size(format, bytes);
    let _ = (header::jpeg_oddity(bytes), header::gif_surroundings(bytes), header::is_whole(format, bytes));
    let _ = data::probe(name, bytes);
    let decoded = data::decode(name, bytes);
    // A decoder keeps samples of two bytes, and a copy while it turns them; a JPEG's coefficients.
    let pixels = |(width, height): (u32, u32)| width as usize * height as usize;
    let largest = decoded.map(|image| pixels((image.width, image.height))).unwrap_or(0);
    // A GIF's frame has a size of its own.
    let frame = header::gif_frame_size(bytes).filter(|_| format == data::Format::Gif).map_or(0, pixels);
    let pixels = 24 * largest.max(size.map_or(0, pixels)).max(frame).min(64 << 20);
    // A WebP has up to eight parts whose lengths, of three bytes each, its decoder believes.
    pixels + if format == data::Format::WebP { 8 << 24 } else { 0 }
}

fn read_array(_: &str, bytes: &[u8]) -> usize {
    let pictures = npy::Pictures::of(bytes);
    let mut declared = 0;
    if let Ok(pictures) = &pictures {
        let _ = pictures.rgba(bytes, pictures.len().saturating_sub(1));
        declared += 4 * pictures.size[0] * pictures.size[1];
    }
    // A label is a text of its own.
    let count = npy::labels(bytes).map_or(0, |labels| labels.len());
    declared
        + 64 * count
            .max(npy::Array::read(bytes).map_or(0, |array| array.shape.first().map_or(0, |n| *n as usize)).min(bytes.len()))
}

fn read_cifar(name: &str, bytes: &[u8]) -> usize {
    let labels = cifar::batch(name, bytes).map_or(0, |batch| {
        let _ = (batch.rgba(bytes, 0), batch.rgba(bytes, batch.labels.len()));
        batch.labels.len()
    });
    let _ = cifar::names(name, bytes);
    64 * labels
}

fn read_table(name: &str, bytes: &[u8]) -> usize {
    let _ = labels::parse(name, bytes);
    let found: Vec<Found> = ["a/1.jpg", "a/2.jpg", "b/3.jpg", name]
        .map(|path| Found { path: path.into(), picture: path.ends_with(".jpg"), size: bytes.len() as u64 })
        .into();
    let texts: HashMap<usize, Vec<u8>> = catalog::wanted(&found).into_iter().map(|place| (place, bytes.to_vec())).collect();
    let _ = Catalog::of(&found, &texts, &catalog::Options::default());
    // A cell is a text of its own, and a line may be all separators.
    256 * bytes.len()
}

fn read_tar(_: &str, bytes: &[u8]) -> usize {
    let mut walk = tar::Walk::new(bytes.len() as u64);
    let mut length = tar::BLOCK;
    while let Some((start, count)) = walk.wanted(length) {
        match walk.take(&bytes[start as usize..][..count as usize]) {
            Ok(Some(next)) => length = next,
            _ => break,
        }
    }
    for entry in &walk.entries {
        assert!(entry.start + entry.size <= bytes.len() as u64);
    }
    0
}

fn read_archive(_: &str, bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(zip::TAIL as usize)..];
    if let Some(found) = zip::directory(tail, bytes.len() as u64)
        && let Some(directory) = bytes.get(usize::try_from(found.start).unwrap_or(usize::MAX)..)
    {
        for entry in zip::peoples_entries(directory, found.count, "en").unwrap_or_default() {
            let local = zip::part(bytes, entry.local, zip::LOCAL);
            let start = local.and_then(|header| zip::contents_start(header, entry.local));
            let _ = start.and_then(|start| zip::part(bytes, start, entry.packed));
            let _ = text::nfc(&entry.name);
        }
    }
    let _ = reslab::studio::archive::Manifest::read(bytes);
    0
}

fn read_manifest(_: &str, bytes: &[u8]) -> usize {
    let _ = (reslab::studio::archive::Manifest::is_one(bytes), reslab::studio::archive::Manifest::read(bytes));
    // JSON as values, of which the smallest takes two bytes of text.
    64 * bytes.len()
}

fn named(name: &str, bytes: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (name.into(), bytes.into())
}

fn array(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

fn cifar_seeds() -> Vec<(String, Vec<u8>)> {
    let mut batch = b"\x80\x02}q\x01(U\x06labelsq\x04]q\x05(K\x06K\x09eU\x04dataq\x06".to_vec();
    batch.extend(
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x0a(K\x01K\x02M\x00\x0c\x86",
    );
    batch.extend(
        b"cnumpy\ndtype\nq\x0bU\x02u1K\x00K\x01\x87Rq\x0c(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
    );
    batch.extend(6144u32.to_le_bytes());
    batch.extend([7; 6144]);
    batch.extend(b"tbU\x09filenamesq\x0d]q\x0e(U\x05a.pngU\x05b.pngeu.");
    let mut binary = vec![3];
    binary.extend([7; 3072]);
    let meta = b"\x80\x02}q\x01(U\x0blabel_namesq\x02]q\x03(U\x03antU\x03beeeu.";
    vec![named("data_batch_1", batch), named("batches.meta", meta.as_slice()), named("data_batch_2.bin", binary)]
}

fn archives() -> (Vec<u8>, Vec<u8>) {
    let mut builder = ::tar::Builder::new(Vec::new());
    let long = format!("{}/1.jpg", "folder".repeat(40));
    for (name, contents) in [("cat/1.jpg", &b"first"[..]), (&long, b"second"), ("dog/empty", b"")] {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, name, contents).unwrap();
    }
    let mut frame = zip::Frame::default();
    let mut packed = Vec::new();
    for name in ["pets/cat/1.jpg", "pets/dog/\u{e9}.jpg", "labels.csv"] {
        packed.extend(frame.header(name, 0, 5).unwrap());
        packed.extend(b"12345");
    }
    packed.extend(frame.finish());
    (builder.into_inner().unwrap(), packed)
}

/// A small net as this program writes it for TensorFlow Lite, in 32 and 16 bits, and for TensorFlow.js, packed.
fn deployed() -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
    let spec = ResNetSpec::labml(&[1, 1], &[4, 8], Some(&[4, 4]), 3, Some(2)).unwrap();
    let mut state = StateDict::default();
    for param in spec.build().unwrap().params() {
        let values = vec![0.5; param.shape.iter().product()];
        state.tensors.insert(param.name, HostTensor::new(param.shape, values));
    }
    let labels = ["ant", "bee"].map(String::from);
    let model = Deployed {
        spec: &spec,
        weights: &state,
        labels: &labels,
        pixels: &Preset::named("cifar").unwrap(),
        activation: Activation::Softmax,
        metadata: &detect::metadata(&spec, Some(&labels), Some("cifar")),
    };
    let lite = |numbers| tflite::write(&model, numbers).unwrap();
    let lite = vec![named("a.tflite", lite(Numbers::Float32)), named("b.tflite", lite(Numbers::Float16))];
    let files = tfjs::write(&model, "net").unwrap();
    let packed = zip::stored(files.iter().map(|(name, bytes)| (*name, &bytes[..]))).unwrap();
    for (name, bytes) in [lite[0].clone(), named("net.zip", packed.clone())] {
        weights::load(&Files::alone(&name, &bytes), &Choices::default()).unwrap();
    }
    (lite, packed)
}

/// All of them.
pub fn all() -> Vec<Reader> {
    let forms = |endings: &[&str]| files("weights/forms", endings);
    let mut torch = forms(&[".pth", ".pt", ".ckpt", ".pt2"]);
    torch.retain(|(name, _)| name != "tar.pth");
    torch.extend(files("weights", &[".zip.pth"]));
    let mut npz = forms(&["arrays.npz"]);
    npz.push(named("arrays.zip", npz[0].1.clone()));
    let mut checkpoints = unpacked("weights/tensorflow", &[".index"]);
    checkpoints.extend(unpacked("weights/tensorflow", &["resnet_v1_50.ckpt"]));
    let (tarred, zipped) = archives();
    let (lite, browsers) = deployed();
    let floats: Vec<u8> = (0..48).flat_map(|i| (i as f32 / 48.0).to_le_bytes()).collect();
    let words: Vec<u8> = "ant\0bee\0".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    let csv = "path,label\na/1.jpg,cat\nb/3.jpg,\"dog, small\"\n";
    let lines = "{\"file_name\": \"a/1.jpg\", \"label\": \"cat\"}\n{\"file_name\": \"b/3.jpg\", \"label\": 3}\n";
    let manifest = r#"{"format": "reslab-project", "version": 1, "project": {"name": "x", "classes": []}, "pictures": []}"#;
    let weights = |name, seeds, mutate| Reader { name, seeds, mutate, read: read_weights };
    vec![
        weights("safetensors", forms(&[".safetensors"]), mutate::safetensors),
        weights("torch", torch, mutate::zip),
        weights("legacy", files("weights", &[".legacy.pth"]), mutate::pickle),
        weights("torchtar", only(forms(&[".pth"]), &["tar.pth"]), mutate::tar),
        weights("pickle", forms(&[".pkl"]), mutate::pickle),
        weights("npz", npz, mutate::zip),
        weights("onnx", forms(&[".onnx"]), mutate::protobuf),
        weights(
            "hdf5",
            only(unpacked("weights/keras", &["v1.weights.h5", "v2.h5"]), &["v1.weights.h5", "v2.h5"]),
            mutate::bytes,
        ),
        weights("keras", unpacked("weights/keras", &["transfer.keras"]), mutate::zip),
        weights("tflite", lite, mutate::flatbuffer),
        weights("tfjs", vec![named("net.zip", browsers)], mutate::zip),
        weights("checkpoints", files("weights/tensorflow", &[".zip"]), mutate::zip),
        Reader { name: "table", seeds: checkpoints, mutate: mutate::table, read: read_checkpoint },
        Reader {
            name: "pictures",
            seeds: files(
                "images",
                &[
                    "baseline420.jpg",
                    "progressive.jpg",
                    "cmyk.jpg",
                    "grey.png",
                    "palette.png",
                    "lossy.webp",
                    "lossless.webp",
                    "animated.gif",
                    "palette.bmp",
                ],
            ),
            mutate: mutate::bytes,
            read: read_picture,
        },
        Reader {
            name: "arrays",
            seeds: vec![
                named("x.npy", array("|u1", "(2, 4, 4, 3)", &[9; 96])),
                named("f.npy", array("<f4", "(1, 4, 4, 3)", &floats)),
                named("y.npy", array("<i8", "(2, 1)", &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0])),
                named("w.npy", array("<U4", "(2,)", &words)),
            ],
            mutate: mutate::npy,
            read: read_array,
        },
        Reader { name: "cifar", seeds: cifar_seeds(), mutate: mutate::pickle, read: read_cifar },
        Reader {
            name: "tables",
            seeds: vec![
                named("labels.csv", csv),
                named("metadata.jsonl", lines),
                named("labels.tsv", csv.replace(',', "\t")),
                named("labels.json", r#"{"ant": 0, "bee": 1}"#),
                named("classes.txt", "ant\nbee\n"),
                named("config.json", r#"{"id2label": {"0": "ant", "1": "bee"}}"#),
            ],
            mutate: mutate::text,
            read: read_table,
        },
        Reader { name: "tar", seeds: vec![named("a.tar", tarred)], mutate: mutate::tar, read: read_tar },
        Reader { name: "archives", seeds: vec![named("a.zip", zipped)], mutate: mutate::zip, read: read_archive },
        Reader { name: "manifest", seeds: vec![named("project.json", manifest)], mutate: mutate::json, read: read_manifest },
    ]
}
