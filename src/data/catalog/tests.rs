use super::*;

/// A heap of files: a path, or a path with the text in it. Names that end like a picture's are pictures.
fn heap(files: &[(&str, Option<&str>)]) -> (Vec<Found>, HashMap<usize, Vec<u8>>) {
    let found: Vec<Found> = files
        .iter()
        .map(|(path, text)| Found {
            path: (*path).into(),
            picture: text.is_none() && [".png", ".jpg"].iter().any(|ending| path.ends_with(ending)),
            size: text.map_or(9, |text| text.len() as u64),
        })
        .collect();
    let texts = wanted(&found).into_iter().filter_map(|file| Some((file, files[file].1?.as_bytes().to_vec()))).collect();
    (found, texts)
}

fn catalog(files: &[(&str, Option<&str>)]) -> Result<(Catalog, Vec<Found>)> {
    catalog_with(files, &Options::default())
}

fn catalog_with(files: &[(&str, Option<&str>)], options: &Options) -> Result<(Catalog, Vec<Found>)> {
    let (found, texts) = heap(files);
    Catalog::of(&found, &texts, options).map(|catalog| (catalog, found))
}

fn pictures<'a>(paths: &[&'a str]) -> Vec<(&'a str, Option<&'a str>)> {
    paths.iter().map(|path| (*path, None)).collect()
}

/// `path class part` of every member.
fn members((catalog, found): &(Catalog, Vec<Found>)) -> Vec<String> {
    let member = |member: &Member| format!("{} {} {:?}", found[member.file].path, catalog.classes[member.class], member.part);
    catalog.members.iter().map(member).collect()
}

#[test]
fn splits_above_the_classes_are_no_classes() {
    let set =
        catalog(&pictures(&["train/cat/1.png", "train/dog/2.png", "valid/cat/3.png", "valid/dog/4.png", "test/cat/5.png"]));
    let set = set.unwrap();
    assert_eq!(set.0.classes, ["cat", "dog"]);
    assert!(set.0.has_parts);
    let expected = [
        "train/cat/1.png cat Training",
        "train/dog/2.png dog Training",
        "valid/cat/3.png cat Validation",
        "valid/dog/4.png dog Validation",
        "test/cat/5.png cat Test",
    ];
    assert_eq!(members(&set), expected);
    // With folders around them, and beside something else.
    let (set, _) =
        catalog(&pictures(&["a/b/Train/cat/1.png", "a/b/Train/dog/2.png", "a/b/Val/cat/3.png", "a/b/extra/4.png"])).unwrap();
    assert_eq!((set.classes.len(), set.count(Part::Validation), set.members.len()), (2, 1, 3));
    assert!(set.notes[0].contains("`extra`"), "{:?}", set.notes);
    // Below the classes.
    let set = catalog(&pictures(&["cat/train/1.png", "cat/test/2.png", "dog/train/3.png", "dog/test/4.png"])).unwrap();
    assert_eq!((set.0.classes.len(), set.0.count(Part::Test)), (2, 2));
    // Classes that only happen to be called so.
    let (set, _) = catalog(&pictures(&["train/1.png", "bus/2.png"])).unwrap();
    assert_eq!((set.classes, set.has_parts), (vec!["bus".to_owned(), "train".to_owned()], false));
    let error = catalog(&pictures(&["train/1.png", "test/2.png"])).unwrap_err().to_string();
    assert!(error.contains("train/CLASS/picture"), "{error}");
    let (set, _) = catalog(&pictures(&["train/cat/1.png", "train/dog/2.png", "test/unknown/3.png"])).unwrap();
    assert_eq!((set.members.len(), set.classes.len()), (2, 2));
    assert!(set.notes[0].contains("test/unknown"), "{:?}", set.notes);
}

#[test]
fn wrapping_folders_and_what_systems_leave_are_stepped_over() {
    let (set, found) = catalog(&[
        ("pets/cat/0.png", None),
        ("pets/dog/0.png", None),
        ("__MACOSX/pets/cat/._0.png", None),
        ("pets/.git/x.png", None),
        ("pets/read.me.txt", Some("x")),
        ("pets/cat/x.HEIC", Some("x")),
        ("pets/Thumbs.db", Some("x")),
        ("pets/cover.png", None),
    ])
    .unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    assert_eq!(set.members.len(), 2);
    assert_eq!(endings(&set.left_out), "1 .heic, 1 .txt");
    // The cover is a picture of no class.
    assert_eq!(set.homeless.iter().map(|(file, _)| &*found[*file].path).collect::<Vec<_>>(), ["pets/cover.png"]);
}

#[test]
fn class_folders_that_count_are_numbers() {
    let paths: Vec<String> = (0..12).map(|class| format!("{class}/a.png")).collect();
    let (set, _) = catalog(&paths.iter().map(|path| (path.as_str(), None)).collect::<Vec<_>>()).unwrap();
    assert_eq!(set.classes[2], "2");
    assert_eq!(set.classes[10], "10");
    // Other numbers are names, in torchvision's order.
    let (set, _) = catalog(&pictures(&["1/a.png", "2/a.png", "10/a.png"])).unwrap();
    assert_eq!(set.classes, ["1", "10", "2"]);
}

#[test]
fn one_name_in_two_spellings_is_one_class() {
    let (set, _) = catalog(&pictures(&["caf\u{e9}/0.png", "cafe\u{301}/1.png", "tea/0.png"])).unwrap();
    assert_eq!(set.classes, ["caf\u{e9}", "tea"]);
    assert_eq!(set.members.len(), 3);
}

#[test]
fn heaps_without_classes_are_explained() {
    let error = |files: &[(&str, Option<&str>)]| catalog(files).unwrap_err().to_string();
    assert!(error(&[]).contains("empty"));
    assert!(error(&[("a.txt", Some("x")), ("b.pdf", Some("x"))]).contains("2 files is a picture"));
    assert!(error(&pictures(&["a.png"])).contains("no folders"));
}

#[test]
fn tables_give_labels() {
    let flat = ["flat/0.png", "flat/1.png", "flat/2.png"];
    let table = |name: &'static str, text: &'static str| {
        let mut files = pictures(&flat);
        files.push((name, Some(text)));
        let set = catalog(&files).unwrap_or_else(|error| panic!("{text}: {error}"));
        members(&set)
    };
    let expected = ["flat/0.png ant Training", "flat/2.png ant Training", "flat/1.png bee Training"];
    for (name, text) in [
        ("labels.csv", "path,label\nflat/0.png,ant\nflat/1.png,bee\nflat/2.png,ant\n"),
        // Without a header, with semicolons, with tabs, quoted, with a byte order mark.
        ("labels.csv", "flat/0.png;ant\nflat/1.png;bee\nflat/2.png;ant\n"),
        ("labels.tsv", "\u{feff}label\tfile\nant\tflat/0.png\nbee\tflat/1.png\nant\tflat/2.png\n"),
        ("labels.csv", "\"flat\\0.png\",\"ant\"\r\n\"flat\\1.png\",\"bee\"\r\n\"flat\\2.png\",\"ant\"\r\n"),
        // AutoGluon's, with a path of another machine and more columns.
        ("train.csv", "image,width,label\n/data/x/flat/0.png,3,ant\n/data/x/flat/1.png,3,bee\n/data/x/flat/2.png,3,ant\n"),
        // Kaggle's: an id without ending.
        ("trainLabels.csv", "id,breed\n0,ant\n1,bee\n2,ant\n"),
        // Hugging Face's.
        (
            "metadata.jsonl",
            "{\"file_name\":\"flat/0.png\",\"label\":\"ant\"}\n{\"file_name\":\"flat/1.png\",\"label\":\"bee\"}\n{\"file_name\":\"flat/2.png\",\"label\":\"ant\"}",
        ),
        // FiftyOne's.
        ("labels.json", r#"{"classes":["ant","bee"],"labels":{"0":0,"1":1,"2":0}}"#),
        ("train.txt", "flat/0.png ant\nflat/1.png bee\nflat/2.png ant\n"),
    ] {
        assert_eq!(table(name, text), expected, "{name}: {text}");
    }
    let parts = table("all.csv", "TRAIN,flat/0.png,ant\nVALIDATION,flat/1.png,bee\nTEST,flat/2.png,ant\n");
    assert_eq!(parts, ["flat/0.png ant Training", "flat/1.png bee Validation", "flat/2.png ant Test"]);
}

#[test]
fn kaggles_pair_of_tables_and_folders() {
    let (set, _) = catalog(&[
        ("train/0.jpg", None),
        ("train/1.jpg", None),
        ("test/0.jpg", None),
        ("test/7.jpg", None),
        ("train.csv", Some("id,label\n0,3\n1,11\n")),
        ("sample_submission.csv", Some("id,label\n7,\n")),
        ("classes.txt", Some("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n")),
    ])
    .unwrap();
    assert_eq!((set.members.len(), set.classes.len()), (2, 12));
    assert_eq!(set.classes[set.members[0].class], "d");
    assert_eq!(set.homeless.len(), 2);
    // Folders of classes go before a table that is no metadata file.
    let (set, _) =
        catalog(&[("cat/0.png", None), ("dog/1.png", None), ("x.csv", Some("path,label\ncat/0.png,a\ndog/1.png,b\n"))])
            .unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
}

#[test]
fn a_given_table_says_what_is_wrong_with_it() {
    let files = [("a/0.png", None), ("a/1.png", None), ("t.csv", Some("file,height,width\na/0.png,3,4\na/9.png,5,6\n"))];
    let options = |label: Option<&str>| Options {
        columns: LabelColumns { table: Some("t.csv".into()), path: None, label: label.map(Into::into) },
        classes: None,
    };
    let error = |label| catalog_with(&files, &options(label)).unwrap_err().to_string();
    assert!(error(None).contains("--label-column"), "{}", error(None));
    assert!(error(Some("nothing")).contains("`height`"));
    let (set, _) = catalog_with(&files, &options(Some("height"))).unwrap();
    assert_eq!(set.classes, ["3"]);
    assert!(set.notes[0].contains("1 rows") && set.notes[0].contains("`a/9.png`"), "{:?}", set.notes);
}

#[test]
fn other_tools_projects() {
    let manifest = r#"{"type":"image","version":"2.4.4","appdata":{"trainEpochs":50}}"#;
    let (set, _) =
        catalog(&[("manifest.json", Some(manifest)), ("Zebra-!-0.jpg", None), ("Zebra-!-1.jpg", None), ("Ant-!-0.jpg", None)])
            .unwrap();
    assert_eq!((set.classes, set.members.len()), (vec!["Zebra".to_owned(), "Ant".to_owned()], 3));
    let error = catalog(&[("manifest.json", Some(r#"{"type":"audio","appdata":{}}"#)), ("a.json", Some("{}"))]).unwrap_err();
    assert!(error.to_string().contains("`audio`"));

    let metadata = r#"{"labels":["red","blue"],"imageSize":224,"packageName":"@teachablemachine/image"}"#;
    let set = catalog(&[
        ("samples/1_0.png", None),
        ("samples/0_0.png", None),
        ("metadata.json", Some(metadata)),
        ("behaviours.json", Some("{}")),
    ])
    .unwrap();
    assert_eq!(members(&set), ["samples/0_0.png red Training", "samples/1_0.png blue Training"]);
    assert!(set.0.classes == ["red", "blue"]);

    let project = r#"{"format":"reslab-project","version":1,"project":{"classes":[{"id":3,"name":"b/2"},{"id":1,"name":"a"}]},
        "pictures":[{"path":"a/1.jpg","class":1},{"path":"b_2/1.jpg","class":3},{"path":"test-set/a/1.jpg","class":1,"role":"test"},{"path":"a/gone.jpg","class":1}]}"#;
    let set =
        catalog(&[("p/project.json", Some(project)), ("p/a/1.jpg", None), ("p/b_2/1.jpg", None), ("p/test-set/a/1.jpg", None)])
            .unwrap();
    assert_eq!(set.0.classes, ["b/2", "a"]);
    assert_eq!((set.0.members.len(), set.0.count(Part::Test), set.0.notes.len()), (3, 1, 1));
}

#[test]
fn shards_of_webdataset() {
    let set = catalog(&[
        ("train-0000/0001.jpg", None),
        ("train-0000/0001.cls", Some("7\n")),
        ("train-0000/0002.jpg", None),
        ("train-0000/0002.json", Some(r#"{"label":3}"#)),
        ("val-0000/0001.seg.png", None),
        ("val-0000/0001.cls", Some("7")),
    ])
    .unwrap();
    assert_eq!(set.0.classes, ["3", "7"]);
    assert_eq!((set.0.members.len(), set.0.count(Part::Validation)), (3, 1));
}

#[test]
fn a_list_of_classes_gives_order_and_names() {
    let options =
        |names: &[&str]| Options { classes: Some(names.iter().map(ToString::to_string).collect()), ..Options::default() };
    let (set, _) = catalog_with(&pictures(&["a/1.png", "b/2.png"]), &options(&["b", "x", "a"])).unwrap();
    assert_eq!((set.classes.len(), set.members[0].class, set.members[1].class), (3, 0, 2));
    let (set, _) = catalog_with(&pictures(&["0/1.png", "1/2.png"]), &options(&["cat", "dog"])).unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    assert!(catalog_with(&pictures(&["a/1.png", "c/2.png"]), &options(&["a"])).unwrap_err().to_string().contains("`c`"));
}
