//! The file system of a machine that a test boots: an archive that its kernel unpacks at its start,
//! cpio in the "newc" format. Tests of several crates take this file in as a module of theirs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An archive in the making.
#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    folders: Vec<String>,
    files: Vec<String>,
}

impl Archive {
    /// Adds a folder, once, and those above it.
    pub(crate) fn folder(&mut self, name: &str) {
        if let Some((above, _)) = name.rsplit_once('/') {
            self.folder(above);
        }
        if !self.folders.iter().any(|known| known == name) {
            self.folders.push(name.to_owned());
            self.entry(name, 0o040_755, &[]);
        }
    }

    /// Adds a program or file, once, and the folders above it.
    pub(crate) fn file(&mut self, name: &str, content: &[u8]) {
        if let Some((above, _)) = name.rsplit_once('/') {
            self.folder(above);
        }
        if !self.files.iter().any(|known| known == name) {
            self.files.push(name.to_owned());
            self.entry(name, 0o100_755, content);
        }
    }

    /// Adds a program of this machine, and the libraries it is linked with.
    pub(crate) fn program(&mut self, path: &Path, name: &str) -> Result<(), String> {
        self.file(name, &content(path)?);
        for library in libraries(path) {
            self.file(library.trim_start_matches('/'), &content(Path::new(&library))?);
        }
        Ok(())
    }

    /// Adds modules of a kernel, flat, to the folder `modules`.
    pub(crate) fn modules(&mut self, kernel: &Path, modules: &[&str]) -> Result<(), String> {
        self.folder("modules");
        modules.iter().try_for_each(|module| {
            let name = module.rsplit('/').next().unwrap_or(module);
            self.file(&format!("modules/{name}"), &content(&kernel.join(module))?);
            Ok(())
        })
    }

    /// The archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        let inode = self.folders.len() + self.files.len();
        // Number, mode, owner, group, links, time, size, four device numbers, length of the name
        // with its zero, checksum.
        let fields =
            [inode, mode as usize, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08X}").into_bytes());
        }
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }
}

fn content(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|err| format!("{}: {err}; run tests/run peers", path.display()))
}

/// Where a program is.
pub(crate) fn found(program: &str) -> Result<PathBuf, String> {
    let folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
    let mut paths = folders.iter().map(|folder| Path::new(folder).join(program));
    let is_there = |path: &PathBuf| path.is_file();
    paths.find(is_there).ok_or_else(|| format!("no {program}; run tests/run peers"))
}

/// Paths of the libraries a program is linked with; none for static ones.
fn libraries(program: &Path) -> Vec<String> {
    let output = Command::new("ldd").arg(program).output().expect("ldd can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let path =
        |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(str::to_owned);
    text.lines().filter_map(path).collect()
}
