//! Sources: bytes from a file or built into the program.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::PathBuf;

use flate2::bufread::MultiGzDecoder;

/// First bytes of every gzip member (RFC 1952, clause 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
const BUFFER_BYTES: usize = 64 * 1024;

/// Where a log or a database is read from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Bytes that are part of the program (the demo's).
    Embedded {
        /// What to call them in messages.
        name: String,
        /// The bytes.
        bytes: &'static [u8],
    },
}

impl Source {
    /// Opens it for reading; what starts like gzip is unpacked on the way.
    ///
    /// # Errors
    /// Those of opening and of the first read.
    pub fn open(&self) -> io::Result<Box<dyn BufRead + Send>> {
        let mut packed: Box<dyn BufRead + Send> = match self {
            Self::File(path) => Box::new(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?)),
            Self::Embedded { bytes, .. } => Box::new(Cursor::new(*bytes)),
        };
        if packed.fill_buf()?.starts_with(&GZIP_MAGIC) {
            let plain = MultiGzDecoder::new(packed);
            return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, plain)));
        }
        Ok(packed)
    }

    /// All its bytes, unpacked; an error when there are more than `bytes_max`.
    ///
    /// # Errors
    /// Those of reading, and [`io::ErrorKind::FileTooLarge`].
    pub fn read(&self, bytes_max: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open()?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("larger than {bytes_max} bytes"),
            ));
        }
        Ok(bytes)
    }

    /// The last part of its name: `j1939_common.dbc`.
    #[must_use]
    pub fn file_name(&self) -> String {
        match self {
            Self::File(path) => path
                .file_name()
                .map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned()),
            Self::Embedded { name, .. } => name.rsplit('/').next().unwrap_or(name).to_owned(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Embedded { name, .. } => write!(f, "{name} (built in)"),
        }
    }
}
