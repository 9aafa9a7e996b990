//! The places where files go.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::pace::Pace;

pub(crate) mod folder;
pub(crate) mod s3;

/// Bytes that are sent at a time: what S3 takes as a part at least.
pub(crate) const PART_BYTES: usize = 5 << 20;

/// Why a file has not been uploaded.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The gateway stops.
    #[error("stopped")]
    Stopped,
    /// Nothing is sent at this time of the day.
    #[error("outside of its hours")]
    Hours,
    /// A file here could not be read or written.
    #[error("{path}: {source}; check the disk")]
    Here {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The folder could not be written.
    #[error("{path}: {source}; check that it is mounted, writable and has room")]
    Folder {
        /// Which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The store did not do what it was asked for.
    #[error("{place}: {source}; check the link, the bucket's name, its keys and what they may do")]
    Store {
        /// Bucket and name.
        place: String,
        /// What it said.
        source: object_store::Error,
    },
    /// What is there is not what was sent.
    #[error("{place}: what arrived is not what was sent; it is sent again")]
    Differs {
        /// Bucket and name.
        place: String,
    },
}

/// A file on its way.
pub(crate) struct Parcel<'a> {
    /// Where it is here.
    pub(crate) path: &'a Path,
    /// Its name there.
    pub(crate) object: &'a str,
    pub(crate) bytes: u64,
}

/// What an upload has done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sent {
    /// Bytes sent now; zero when the same content was there.
    pub(crate) bytes: u64,
    /// Bytes that were there from an attempt before.
    pub(crate) resumed: u64,
}

/// A place where files go.
#[async_trait]
pub(crate) trait Shelf: Send + Sync {
    /// Puts a file there, whole, and holds what has arrived against it.
    ///
    /// # Errors
    /// [`UploadError`]; another attempt goes on where this one has ended.
    async fn put(&self, parcel: &Parcel<'_>, pace: &Pace) -> Result<Sent, UploadError>;

    /// Removes an object; it is no error when there is none.
    ///
    /// # Errors
    /// [`UploadError`].
    async fn remove(&self, object: &str) -> Result<(), UploadError>;
}

/// Reads up to a part; empty at the end.
pub(crate) fn next_part(file: &mut File, path: &Path) -> Result<Vec<u8>, UploadError> {
    let mut part = Vec::new();
    let here = |source| UploadError::Here { path: path.to_owned(), source };
    file.take(PART_BYTES as u64).read_to_end(&mut part).map_err(here)?;
    Ok(part)
}

/// Opens a file of the lake.
pub(crate) fn open(path: &Path) -> Result<File, UploadError> {
    File::open(path).map_err(|source| UploadError::Here { path: path.to_owned(), source })
}
