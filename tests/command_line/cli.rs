//! Running the command line as a user does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    /// Errors: the lines of stderr that begin with the program's name.
    pub said: Vec<String>,
    /// All of stderr, graphics drivers' lines and remarks too.
    pub stderr: String,
}

impl Ran {
    /// Stdout as JSON of a run that succeeded.
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.code, 0, "{self:?}");
        self.json_whatever_the_code()
    }

    pub fn json_whatever_the_code(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The one line of a run that failed without an answer.
    pub fn error(&self) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (1, ""), "{self:?}");
        assert_eq!(self.said.len(), 1, "{self:?}");
        &self.said[0]
    }
}

/// `reslab` with these arguments, ready to be changed.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reslab"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn reslab(arguments: &[&str]) -> Ran {
    ran(command(arguments).output().expect("the program starts"))
}

pub fn ran(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let stderr = text(output.stderr);
    Ran {
        code: output.status.code().unwrap_or_else(|| panic!("killed by a signal; {stderr}")),
        stdout: text(output.stdout),
        said: stderr.lines().filter(|line| line.starts_with("reslab: ") || line.contains("panicked")).map(Into::into).collect(),
        stderr,
    }
}

/// A path inside the repository.
pub fn repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

/// A folder of its own for a test, removed at the end.
pub struct Temp(PathBuf);

impl Temp {
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("reslab-cli-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file in it, with the folders above it; its path as text.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    pub fn text(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
