//! Archives that a kernel unpacks at its start: cpio in the "newc" format.

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
