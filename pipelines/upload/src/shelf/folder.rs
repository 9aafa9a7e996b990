//! A folder, for example of a mounted file server: a hidden file grows, is read back and renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::lake::unfinished;
use signals::Disk as _;

use super::{Parcel, Sent, Shelf, UploadError, next_part, open};
use crate::pace::Pace;

/// A folder that is there.
pub(crate) struct Folder(pub(crate) PathBuf);

#[async_trait]
impl Shelf for Folder {
    async fn put(&self, parcel: &Parcel<'_>, pace: &Pace) -> Result<Sent, UploadError> {
        // Made by a person: below the mount point of a server that is away, nothing is written.
        fs::metadata(&self.0).map_err(of(&self.0))?;
        let target = self.0.join(parcel.object);
        if same(parcel.path, &target)? {
            return Ok(Sent { bytes: 0, resumed: parcel.bytes });
        }
        let hidden = unfinished(&target);
        let folder = hidden.parent().unwrap_or(&self.0);
        fs::create_dir_all(folder).map_err(of(folder))?;
        let mut there =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&hidden);
        let there = there.as_mut().map_err(|err| of(&hidden)(io::Error::from(err.kind())))?;
        let sent = copy(parcel, (there, &hidden), pace).await?;
        there.sync_all().map_err(of(&hidden))?;
        if !same(parcel.path, &hidden)? {
            RealDisk.remove(&hidden).map_err(of(&hidden))?;
            return Err(UploadError::Differs { place: target.display().to_string() });
        }
        RealDisk.publish(&hidden, &target).map_err(of(&target))?;
        Ok(sent)
    }

    async fn remove(&self, object: &str) -> Result<(), UploadError> {
        fs::metadata(&self.0).map_err(of(&self.0))?;
        let target = self.0.join(object);
        RealDisk.remove(&target).map_err(of(&target))
    }
}

/// Writes what is not there yet of a file that an attempt before may have begun.
async fn copy(
    parcel: &Parcel<'_>,
    (there, hidden): (&mut File, &Path),
    pace: &Pace,
) -> Result<Sent, UploadError> {
    let mut here = open(parcel.path)?;
    let (mut at, mut sent) = (0, Sent::default());
    loop {
        let part = next_part(&mut here, parcel.path)?;
        if part.is_empty() {
            there.set_len(at).map_err(of(hidden))?;
            return Ok(sent);
        }
        let length = part.len() as u64;
        there.seek(SeekFrom::Start(at)).map_err(of(hidden))?;
        let mut before = Vec::new();
        Read::by_ref(there).take(length).read_to_end(&mut before).map_err(of(hidden))?;
        if before == part {
            sent.resumed += length;
        } else {
            there.seek(SeekFrom::Start(at)).map_err(of(hidden))?;
            there.write_all(&part).map_err(of(hidden))?;
            sent.bytes += length;
            pace.sent(part.len()).await?;
        }
        at += length;
    }
}

/// Whether a file there is the same as one here.
fn same(here: &Path, there: &Path) -> Result<bool, UploadError> {
    let mut other = match File::open(there) {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(err) => return Err(of(there)(err)),
    };
    let mut file = open(here)?;
    loop {
        let part = next_part(&mut file, here)?;
        let mut beside = Vec::new();
        let read = part.len().max(1) as u64;
        Read::by_ref(&mut other).take(read).read_to_end(&mut beside).map_err(of(there))?;
        if part != beside {
            return Ok(false);
        }
        if part.is_empty() {
            return Ok(true);
        }
    }
}

fn of(path: &Path) -> impl Fn(io::Error) -> UploadError {
    let path = path.to_owned();
    move |source| UploadError::Folder { path: path.clone(), source }
}
