use std::io::Write;

use super::*;

/// A folder of its own for each test, removed at the end.
struct Temp(PathBuf);

impl Temp {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("reslab-dataset-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn file(&self, path: &str) -> &Self {
        self.write(path, b"x")
    }

    fn write(&self, path: &str, bytes: &[u8]) -> &Self {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    fn open(&self, path: &str) -> Result<DataSet> {
        DataSet::open(&self.0.join(path), &Options::default())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn png(shade: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(3, 2, image::Rgb([shade, 2, 3])).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, contents) in files {
        writer.start_file(*name, ::zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(contents).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (name, contents) in files {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_cksum();
        builder.append_data(&mut header, name, *contents).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn classes_and_files_are_sorted_and_others_counted() {
    let dir = Temp::new("sorted");
    dir.file("dog/b.png").file("dog/a.JPG").file("cat/1.jpeg").file("cat/readme.txt").file("notes.md");
    dir.file(".git/config").file("dog/more/c.webp").write("cat/noending", &png(1)).file("cat/other").file("empty/x.txt");
    std::fs::create_dir(dir.0.join("hollow")).unwrap();
    let set = dir.open("").unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    let found: Vec<_> =
        set.samples.iter().map(|s| (Path::new(&s.name).strip_prefix(&dir.0).unwrap().to_owned(), s.label)).collect();
    let expected = [("cat/1.jpeg", 0), ("cat/noending", 0), ("dog/a.JPG", 1), ("dog/b.png", 1), ("dog/more/c.webp", 1)];
    assert_eq!(found, expected.map(|(path, label)| (PathBuf::from(path), label)));
    assert_eq!(set.left_out_words(), "4 files that are no pictures (1 .md, 2 .txt, 1 no ending)");
    assert_eq!(set.notes, ["no pictures in `empty`, `hollow`"]);
}

#[test]
fn wrong_folders_are_explained() {
    let dir = Temp::new("wrong");
    let error = |path: &str| dir.open(path).unwrap_err().to_string();
    assert!(error("absent").contains("does not exist"));
    assert!(error("").contains("it is empty; expected one folder"));
    dir.write("a.png", &png(1));
    assert!(error("").contains("1 pictures and no folders"), "{}", error(""));
    assert!(error("a.png").contains("is a file (a PNG picture)"), "{}", error("a.png"));
    std::fs::remove_file(dir.0.join("a.png")).unwrap();
    dir.file("cat/readme.txt");
    assert!(error("").contains("none of its 1 files is a picture that can be read (1 .txt)"), "{}", error(""));
}

#[test]
fn archives_are_read_like_folders() {
    let dir = Temp::new("archives");
    let (a, b, c) = (png(1), png(2), png(3));
    let files: [(&str, &[u8]); 4] =
        [("pets/cat/0.png", &a), ("pets/dog/1.png", &b), ("pets/dog/2.png", &c), ("__MACOSX/pets/cat/._0.png", b"x")];
    dir.write("pets.zip", &zip(&files)).write("pets.tar", &tar(&files)).write("pets.tar.gz", &gz(&tar(&files)));
    for name in ["pets.zip", "pets.tar", "pets.tar.gz"] {
        let set = dir.open(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((&*set.classes, set.samples.len()), (&["cat".to_owned(), "dog".to_owned()][..], 3), "{name}");
        let shades: Vec<u8> = set.samples.iter().map(|sample| sample.read().unwrap().0.pixels[0]).collect();
        assert_eq!(shades, [1, 2, 3], "{name}");
        assert_eq!(set.samples[0].read().unwrap().1, digest(&a), "{name}");
    }
    // One archive a class, as Teachable Machine saves its samples.
    let many = Temp::new("class-archives");
    many.write("Red cup-samples.zip", &zip(&[("0.jpg", &a), ("1.jpg", &b)])).write("mug.zip", &zip(&[("0.png", &c)]));
    let set = many.open("").unwrap();
    assert_eq!(set.classes, ["Red cup", "mug"]);
    assert_eq!(set.samples.len(), 3);
    assert!(set.left_out.is_empty());
    // Shards side by side.
    let shards = Temp::new("shards");
    shards.write("train-000.tar", &tar(&[("7.png", &a), ("7.cls", b"1"), ("8.png", &b), ("8.cls", b"0")]));
    shards.write("val-000.tar", &tar(&[("9.png", &c), ("9.cls", b"1")]));
    let set = shards.open("").unwrap();
    assert_eq!((set.classes.len(), set.count(Part::Training), set.count(Part::Validation)), (2, 2, 1));
    assert_eq!(set.samples[2].read().unwrap().0.pixels[0], 3);
}

#[test]
fn damaged_archives_are_errors() {
    let dir = Temp::new("damaged");
    let whole = zip(&[("cat/0.png", &png(1)), ("dog/0.png", &png(2))]);
    for end in (0..whole.len()).step_by(13) {
        dir.write("x.zip", &whole[..end]);
        assert!(dir.open("x.zip").is_err(), "{end}");
    }
    // A contents' byte: the checksum notices.
    let mut damaged = whole.clone();
    damaged[60] ^= 1;
    dir.write("x.zip", &damaged);
    let set = dir.open("x.zip").unwrap();
    assert!(set.samples[0].read().unwrap_err().to_string().contains("damaged"));
    // One byte that says it is a gigabyte.
    let mut bomb = whole;
    let at = bomb.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    bomb[at + 24..at + 28].copy_from_slice(&(1u32 << 30).to_le_bytes());
    dir.write("x.zip", &bomb);
    let set = dir.open("x.zip").unwrap();
    assert!(set.samples[0].read().unwrap_err().to_string().contains("cannot be"));
}

#[test]
fn a_table_beside_pictures_is_a_data_set() {
    let dir = Temp::new("table");
    dir.write("flat/0.png", &png(1)).write("flat/1.png", &png(2)).write("other/9.png", &png(2));
    dir.write("labels.csv", b"path,label\nflat/0.png,ant\nflat/1.png,bee\n");
    let set = dir.open("labels.csv").unwrap();
    assert_eq!((&*set.classes, set.samples.len()), (&["ant".to_owned(), "bee".to_owned()][..], 2));
    assert!(set.notes.is_empty() && set.left_out.is_empty());
    dir.write("empty.csv", b"path,label\nnone.png,ant\n");
    assert!(dir.open("empty.csv").unwrap_err().to_string().contains("names a picture"));
}

/// A `.npy` file of bytes.
fn npy(shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

#[test]
fn arrays_are_a_data_set() {
    let dir = Temp::new("arrays");
    let (x, y) = (npy("(3, 2, 2)", &[5; 12]), npy("(3,)", &[0, 10, 2]));
    let test = (npy("(1, 2, 2)", &[9; 4]), npy("(1, 1)", &[2]));
    let bytes = zip(&[("x_train.npy", &x), ("y_train.npy", &y), ("x_test.npy", &test.0), ("y_test.npy", &test.1)]);
    let set = dir.write("small.npz", &bytes).open("small.npz").unwrap();
    assert_eq!(set.classes, ["0", "2", "10"]);
    assert_eq!((set.count(Part::Training), set.count(Part::Test), set.has_parts), (3, 1, true));
    assert_eq!(set.samples[3].read().unwrap().0.pixels[..4], [9, 9, 9, 255]);
    let error = dir.write("odd.npz", &zip(&[("a.npy", &x)])).open("odd.npz").unwrap_err().to_string();
    assert!(error.contains("its arrays are a; expected"), "{error}");
}

#[test]
fn cifars_own_files_are_a_data_set() {
    let dir = Temp::new("cifar");
    let record = |label: u8| [vec![label], vec![label * 20; 3072]].concat();
    dir.write("c/data_batch_1.bin", &[record(1), record(0)].concat()).write("c/test_batch.bin", &record(1));
    dir.write("c/batches.meta.txt", b"ant\nbee\n\n").file("c/readme.html");
    let set = dir.open("c").unwrap();
    assert_eq!(set.classes, ["ant", "bee"]);
    assert_eq!((set.count(Part::Training), set.count(Part::Test)), (2, 1));
    let (image, _) = set.samples[1].read().unwrap();
    assert_eq!((image.width, image.pixels[0], set.samples[1].label), (32, 20, 1));
    let packed = gz(&tar(&[("c/data_batch_1.bin", &record(1)), ("c/batches.meta.txt", b"ant\nbee\n")]));
    let set = dir.write("cifar.tar.gz", &packed).open("cifar.tar.gz").unwrap();
    assert_eq!((set.classes.len(), set.samples.len()), (2, 1));
}
