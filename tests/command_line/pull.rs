//! `reslab pull` from a hub on this machine's loopback: commit, licence, digest, token, and what other programs keep here.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::cli::{Ran, Temp, command, ran, repository};
use sha2::{Digest, Sha256};

const REPO: &str = "someone/my-net.v1";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A request's path and its token.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// Answers paths with files; who has no token gets nothing.
fn hub(files: HashMap<String, Vec<u8>>) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream, &files, &log);
        }
    });
    (url, asked)
}

fn answer(mut stream: TcpStream, files: &HashMap<String, Vec<u8>>, log: &Asked) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut token = None;
    for line in lines {
        let line = line?;
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => token = Some(value.to_owned()),
            Some(_) => {}
            None => break,
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let found = files.get(path.split('?').next().unwrap_or_default());
    let (status, body) = match (&token, found) {
        (None, _) => ("401 Unauthorized", &b"{}"[..]),
        (_, Some(file)) => ("200 OK", file.as_slice()),
        (_, None) => ("404 Not Found", &b"{}"[..]),
    };
    log.lock().unwrap().push((path, token));
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len())?;
    stream.write_all(body)
}

fn pull(url: &str, cache: &Temp, more: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut pull = command(&[&["pull"], arguments].concat());
    pull.env("HF_ENDPOINT", url).env("RESLAB_CACHE_DIR", cache.text()).env("HF_HUB_CACHE", cache.path("theirs"));
    pull.env_remove("HF_TOKEN").envs(more.iter().copied());
    ran(pull.output().expect("the program starts"))
}

fn weights() -> Vec<u8> {
    std::fs::read(repository("www/models/resnet20-cifar10.safetensors")).unwrap()
}

/// A hub's files; `digest` is what it states of the weights.
fn files(digest: &str) -> HashMap<String, Vec<u8>> {
    let (weights, config) = (weights(), br#"{"label2id":{}}"#.to_vec());
    let api = serde_json::json!({
        "sha": COMMIT,
        "tags": ["license:cc0-1.0"],
        "siblings": [
            { "rfilename": "config.json", "size": config.len() },
            { "rfilename": "model.safetensors", "size": weights.len(), "lfs": { "sha256": digest, "size": weights.len() } },
            { "rfilename": "optimizer.bin", "size": 1 },
        ],
    });
    HashMap::from([
        (format!("/api/models/{REPO}/revision/main"), api.to_string().into_bytes()),
        (format!("/{REPO}/resolve/{COMMIT}/config.json"), config),
        (format!("/{REPO}/resolve/{COMMIT}/model.safetensors"), weights),
    ])
}

#[test]
fn a_repository_is_pinned_checked_and_used_by_its_name() {
    let cache = Temp::new("pull");
    let digest: String = Sha256::digest(weights()).iter().map(|byte| format!("{byte:02x}")).collect();
    let (url, asked) = hub(files(&digest));
    let closed = pull(&url, &cache, &[], &[REPO]);
    assert!(closed.error().contains("HF_TOKEN"), "{closed:?}");
    let found = pull(&url, &cache, &[("HF_TOKEN", "secret")], &[REPO, "--json"]);
    assert!(found.stderr.contains("licence cc0-1.0") && found.stderr.contains(COMMIT), "{found:?}");
    let found = found.json();
    assert_eq!((&found["revision"], &found["arch"]), (&COMMIT.into(), &"resnet20".into()));
    assert!(asked.lock().unwrap()[1..].iter().all(|(_, token)| token.as_deref() == Some("Bearer secret")));
    assert_eq!(std::fs::read(found["path"].as_str().unwrap()).unwrap(), weights());
    // From now on by name; nothing is asked for again but the list.
    let export = cache.path("net.onnx").display().to_string();
    let used = command(&["export", "--model", REPO, "--format", "onnx", "--out", &export])
        .env("RESLAB_CACHE_DIR", cache.text())
        .env("HF_HUB_CACHE", cache.path("theirs"))
        .output()
        .unwrap();
    assert!(used.status.success(), "{used:?}");
    let before = asked.lock().unwrap().len();
    pull(&url, &cache, &[("HF_TOKEN", "secret")], &[REPO, "--json"]).json();
    assert_eq!(asked.lock().unwrap().len(), before + 1);
}

#[test]
fn another_file_than_the_hub_states_is_not_kept() {
    let cache = Temp::new("pull-wrong");
    let (url, _) = hub(files(&"0".repeat(64)));
    let run = pull(&url, &cache, &[("HF_TOKEN", "t")], &[REPO]);
    assert!(run.error().contains("SHA-256") && run.error().contains("removed"), "{run:?}");
    let kept = cache.path(&format!("someone--my-net.v1/{COMMIT}/model.safetensors"));
    assert!(!kept.exists());
    let absent = pull(&url, &cache, &[("HF_TOKEN", "t")], &["someone/else"]);
    assert!(absent.error().contains("no such repository"), "{absent:?}");
    let wrong = pull(&url, &cache, &[], &["resnet50"]);
    assert!(wrong.error().contains("OWNER/NAME"), "{wrong:?}");
}

#[test]
fn what_hugging_faces_programs_keep_is_taken() {
    let cache = Temp::new("pull-cache");
    let folder = cache.path("theirs").join("models--someone--my-net.v1");
    let snapshot = folder.join("snapshots").join(COMMIT);
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir_all(folder.join("refs")).unwrap();
    std::fs::write(folder.join("refs/main"), COMMIT).unwrap();
    std::fs::write(snapshot.join("model.safetensors"), weights()).unwrap();
    let found = pull("http://127.0.0.1:9", &cache, &[], &[REPO, "--json"]).json();
    assert_eq!(found["revision"], COMMIT);
    assert_eq!(found["path"], snapshot.join("model.safetensors").display().to_string());
}
