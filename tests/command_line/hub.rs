//! Downloads of hub models, from a mirror on this machine's loopback: redirects, cut connections, ranges, the cache.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};

use crate::cli::{Ran, Temp, command, ran, repository};
use reslab::model::ResNetSpec;
use reslab::weights::{Dtype, HostTensor, StateDict, safetensors};

const MODEL: &str = "resnet18.tv_in1k";
/// ImageNet's class 7.
const ANSWER: usize = 7;

/// A file like the hub's: torchvision's names, 46.8 MB. The net says class 7 whatever it sees.
fn weights() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        let params = ResNetSpec::named("resnet18").unwrap().build().unwrap().params();
        let tensors = params.into_iter().map(|param| {
            let mut data = vec![if param.name.ends_with("running_var") { 1.0 } else { 0.0 }; param.shape.iter().product()];
            if param.name == "fc.bias" {
                data[ANSWER] = 9.0;
            }
            (param.name, HostTensor::new(param.shape, data))
        });
        safetensors::write(&StateDict { tensors: tensors.collect(), ..Default::default() }, Dtype::F32).unwrap()
    })
}

/// What the mirror does with a request for the file.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Sends it, or the range asked for, and closes the connection when `until` of its bytes are out.
    Send { etag: &'static str, until: usize },
    /// Answers with a status and a short page.
    Refuse(&'static str),
}

const WHOLE: usize = usize::MAX;

/// A mirror that follows a script, one act a request; like the hub it redirects to another path first.
struct Mirror {
    url: String,
    /// `Range` of every request for the file.
    ranges: Arc<Mutex<Vec<Option<String>>>>,
}

impl Mirror {
    fn new(script: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let (log, mut script) = (Arc::clone(&ranges), script.into_iter());
        // Ends with the test's process; a client that goes away in the middle is its affair.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = serve(stream, &log, &mut script);
            }
        });
        Self { url, ranges }
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.ranges.lock().unwrap().clone()
    }
}

/// Answers one request and closes the connection.
fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Option<String>>>,
    script: &mut impl Iterator<Item = Act>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let (mut range, mut if_range) = (None, None);
    for line in lines {
        let line = line?;
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("range") => range = Some(value.to_owned()),
            Some((name, value)) if name.eq_ignore_ascii_case("if-range") => if_range = Some(value.to_owned()),
            Some(_) => {}
            None => break,
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    if path == format!("/timm/{MODEL}/resolve/main/model.safetensors") {
        return write!(
            stream,
            "HTTP/1.1 302 Found\r\nlocation: /cdn/file?key=1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
    if path != "/cdn/file?key=1" {
        return write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
    log.lock().unwrap().push(range.clone());
    let file = weights();
    match script.next() {
        None => write!(stream, "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        Some(Act::Refuse(status)) => {
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 4\r\nconnection: close\r\n\r\npage")
        }
        Some(Act::Send { etag, until }) => {
            let until = until.min(file.len());
            let from = range.filter(|_| if_range.as_deref() == Some(etag));
            let from: Option<usize> = from.map(|r| r.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap());
            let head = match from {
                None => "200 OK".to_owned(),
                Some(from) => format!("206 Partial Content\r\ncontent-range: bytes {from}-{}/{}", file.len() - 1, file.len()),
            };
            let from = from.unwrap_or(0);
            write!(
                stream,
                "HTTP/1.1 {head}\r\ncontent-length: {}\r\netag: {etag}\r\nconnection: close\r\n\r\n",
                file.len() - from
            )?;
            stream.write_all(&file[from..until])
        }
    }
}

fn classify(mirror: &str, cache: &Temp) -> Ran {
    let picture = repository("www/samples/cat.webp");
    // Small pixels: a software adapter does them quickly.
    let arguments = ["classify", &picture, "--model", MODEL, "--preset", "imagenet", "--size", "64", "--json"];
    let output = command(&arguments).env("RESLAB_HUB_URL", mirror).env("RESLAB_CACHE_DIR", cache.text()).output();
    ran(output.expect("the program starts"))
}

#[test]
fn a_download_survives_cuts_and_another_version_and_is_kept() {
    let cache = Temp::new("hub");
    let (first, second) = ("\"first\"", "\"second\"");
    let mirror = Mirror::new(vec![
        Act::Send { etag: first, until: 10_000_000 },
        // Taken up from there, and cut again.
        Act::Send { etag: first, until: 20_000_000 },
        // Another file by now: from the start.
        Act::Send { etag: second, until: WHOLE },
    ]);
    let run = classify(&mirror.url, &cache);
    let found = run.json();
    assert_eq!(found["images"][0]["top"][0]["class"], ANSWER);
    for part in [MODEL, "46.8 MB", "BSD-3-Clause", "torchvision", &mirror.url] {
        assert!(run.stderr.contains(part), "{part} belongs to what is said before the download: {run:?}");
    }
    let asked = mirror.ranges();
    assert_eq!(asked, [None, Some("bytes=10000000-".into()), Some("bytes=20000000-".into())]);
    assert_eq!(std::fs::read(cache.path(&format!("{MODEL}.safetensors"))).unwrap(), weights());
    let left: Vec<_> = std::fs::read_dir(cache.text()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1, "nothing but the model stays: {left:?}");

    // From this device: no request, and the list knows.
    let again = classify("http://127.0.0.1:9", &cache);
    assert_eq!(again.json()["images"][0]["top"][0]["class"], ANSWER);
    assert!(again.said.is_empty() && !again.stderr.contains("downloading"), "{again:?}");
    let list = ran(command(&["models", "--json"]).env("RESLAB_CACHE_DIR", cache.text()).output().unwrap()).json();
    let entry = list.as_array().unwrap().iter().find(|entry| entry["name"] == MODEL).unwrap();
    assert_eq!(entry["on_this_device"], true);
}

#[test]
fn the_next_command_goes_on_where_the_last_one_failed() {
    let cache = Temp::new("hub-resume");
    let etag = "\"v\"";
    let mirror = Mirror::new(vec![
        Act::Send { etag, until: 30_000_000 },
        Act::Refuse("403 Forbidden"),
        Act::Send { etag, until: WHOLE },
    ]);
    let failed = classify(&mirror.url, &cache);
    let line = failed.error();
    assert!(line.contains("403 Forbidden") && line.contains("30.0 MB are kept"), "{failed:?}");
    assert_eq!(classify(&mirror.url, &cache).json()["images"][0]["top"][0]["class"], ANSWER);
    assert_eq!(mirror.ranges(), [None, Some("bytes=30000000-".into()), Some("bytes=30000000-".into())]);
}

#[test]
fn what_is_not_the_model_is_refused_and_not_kept() {
    let cache = Temp::new("hub-wrong");
    let mirror = Mirror::new(vec![Act::Refuse("200 OK"), Act::Refuse("404 Not Found")]);
    let page = classify(&mirror.url, &cache);
    assert!(page.error().contains("sent 4 bytes where about 46807480"), "{page:?}");
    let absent = classify(&mirror.url, &cache);
    assert!(absent.error().contains("404 Not Found"), "{absent:?}");
    assert_eq!(mirror.ranges(), [None, None]);
    assert!(!cache.path(&format!("{MODEL}.safetensors")).exists());
    let wrong = classify("nonsense", &cache);
    assert!(wrong.error().contains("RESLAB_HUB_URL"), "{wrong:?}");
}
