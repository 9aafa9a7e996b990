//! A bucket: small files at once, larger ones in parts whose receipts are kept, so that a restart
//! or a cut link goes on behind the last of them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use md5::{Digest as _, Md5};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path as StorePath;
use object_store::{ClientOptions, ObjectStoreExt as _, RetryConfig};
use serde::{Deserialize, Serialize};
use signals::Disk;
use signals::disk::replace;

use super::{PART_BYTES, Parcel, Sent, Shelf, UploadError, next_part, open};
use crate::pace::Pace;
use crate::settings::S3;

/// A part on a link of 10 kB/s.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests are tried again by the client for so long; then it is our turn, with longer pauses.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
const RETRIES_MAX: usize = 2;

/// A bucket.
pub(crate) struct Bucket {
    store: AmazonS3,
    name: String,
    prefix: String,
    /// Where the receipts of the file on its way are kept.
    receipts: PathBuf,
    disk: Arc<dyn Disk>,
}

/// What the store has given for the parts of a file.
#[derive(Debug, Deserialize, Serialize)]
struct Receipts {
    place: String,
    bytes: u64,
    id: String,
    parts: Vec<String>,
}

impl Bucket {
    /// The bucket of these settings; opens no connection.
    ///
    /// # Errors
    /// Settings that cannot be.
    pub(crate) fn new(
        s3: &S3,
        receipts: PathBuf,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, UploadError> {
        let client = ClientOptions::new()
            .with_timeout(REQUEST_TIMEOUT)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_allow_http(s3.endpoint.as_ref().is_some_and(|url| url.starts_with("http://")));
        let retry = RetryConfig {
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_TIMEOUT,
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&s3.bucket)
            .with_region(&s3.region)
            .with_client_options(client)
            .with_retry(retry);
        if let Some(endpoint) = &s3.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some((key, secret)) = &s3.keys {
            builder = builder.with_access_key_id(key).with_secret_access_key(secret);
        }
        let failed = |source| UploadError::Store { place: s3.bucket.clone(), source };
        let store = builder.build().map_err(failed)?;
        let (name, prefix) = (s3.bucket.clone(), s3.prefix.clone());
        Ok(Self { store, name, prefix, receipts, disk })
    }

    fn path(&self, object: &str) -> StorePath {
        match self.prefix.as_str() {
            "" => StorePath::from(object),
            prefix => StorePath::from(format!("{prefix}/{object}")),
        }
    }

    fn failed(&self, path: &StorePath) -> impl FnOnce(object_store::Error) -> UploadError {
        let place = format!("s3://{}/{path}", self.name);
        move |source| UploadError::Store { place, source }
    }

    /// The receipts of an earlier attempt at the same file; those of another one are given back.
    async fn begun(&self, parcel: &Parcel<'_>, path: &StorePath) -> Option<Receipts> {
        let mut text = String::new();
        let mut file = self.disk.open(&self.receipts).ok()?;
        io::Read::read_to_string(&mut file, &mut text).ok()?;
        let found: Receipts = serde_json::from_str(&text).ok()?;
        if found.place == path.as_ref() && found.bytes == parcel.bytes {
            return Some(found);
        }
        // Parts of a file that was joined or given up meanwhile would be paid for for ever.
        let other = StorePath::from(found.place.as_str());
        if let Err(err) = self.store.abort_multipart(&other, &found.id).await {
            tracing::debug!(place = %found.place, %err, "upload: parts of another file");
        }
        None
    }

    fn keep(&self, receipts: &Receipts) -> Result<(), UploadError> {
        let text = serde_json::to_vec(receipts).unwrap_or_default();
        let here = |source| UploadError::Here { path: self.receipts.clone(), source };
        replace(&*self.disk, &self.receipts, &text).map_err(here)
    }

    fn drop_receipts(&self) -> Result<(), UploadError> {
        let here = |source| UploadError::Here { path: self.receipts.clone(), source };
        self.disk.remove(&self.receipts).map_err(here)
    }

    async fn in_parts(
        &self,
        parcel: &Parcel<'_>,
        path: &StorePath,
        pace: &Pace,
    ) -> Result<Sent, UploadError> {
        let begun = self.begun(parcel, path).await;
        let is_resumed = begun.is_some();
        let mut receipts = if let Some(receipts) = begun {
            receipts
        } else {
            let id = self.store.create_multipart(path);
            let id = pace.unless_stopped(id).await?.map_err(self.failed(path))?;
            Receipts { place: path.to_string(), bytes: parcel.bytes, id, parts: Vec::new() }
        };
        self.keep(&receipts)?;
        let done = self.send_parts(parcel, (path, &mut receipts), pace).await;
        if is_resumed && is_unknown(&done) {
            // The store has forgotten the parts: the next attempt begins anew.
            self.drop_receipts()?;
        }
        let sent = done?;
        self.drop_receipts()?;
        Ok(sent)
    }

    async fn send_parts(
        &self,
        parcel: &Parcel<'_>,
        (path, receipts): (&StorePath, &mut Receipts),
        pace: &Pace,
    ) -> Result<Sent, UploadError> {
        let mut file = open(parcel.path)?;
        let mut sent = Sent::default();
        for place in 0.. {
            let part = next_part(&mut file, parcel.path)?;
            if part.is_empty() {
                break;
            }
            let length = part.len();
            if place < receipts.parts.len() {
                sent.resumed += length as u64;
                continue;
            }
            let put = self.store.put_part(path, &receipts.id, place, part.into());
            let put = pace.unless_stopped(put).await?.map_err(self.failed(path))?;
            receipts.parts.push(put.content_id);
            self.keep(receipts)?;
            sent.bytes += length as u64;
            pace.sent(length).await?;
        }
        let parts = receipts.parts.iter().map(|id| PartId { content_id: id.clone() }).collect();
        let whole = self.store.complete_multipart(path, &receipts.id, parts);
        pace.unless_stopped(whole).await?.map_err(self.failed(path))?;
        Ok(sent)
    }

    /// Whether what is there is the file: by size and by the checksum that S3 calls its tag, or,
    /// where a store makes tags otherwise, by reading it back.
    async fn holds(
        &self,
        parcel: &Parcel<'_>,
        path: &StorePath,
        may_read_back: bool,
    ) -> Result<bool, UploadError> {
        let about = match self.store.head(path).await {
            Ok(about) => about,
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            Err(err) => return Err(self.failed(path)(err)),
        };
        if about.size != parcel.bytes {
            return Ok(false);
        }
        let tag = about.e_tag.unwrap_or_default();
        if tag.trim_matches('"') == tag_of(parcel)? {
            return Ok(true);
        }
        if may_read_back { self.reads_back(parcel, path).await } else { Ok(false) }
    }

    async fn reads_back(&self, parcel: &Parcel<'_>, path: &StorePath) -> Result<bool, UploadError> {
        let there = self.store.get(path).await.map_err(self.failed(path))?;
        let mut there = there.into_stream();
        let mut digest = Md5::new();
        while let Some(bytes) = there.next().await {
            digest.update(bytes.map_err(self.failed(path))?);
        }
        let mut file = open(parcel.path)?;
        let mut here = Md5::new();
        loop {
            let part = next_part(&mut file, parcel.path)?;
            if part.is_empty() {
                return Ok(here.finalize() == digest.finalize());
            }
            here.update(&part);
        }
    }
}

#[async_trait]
impl Shelf for Bucket {
    async fn put(&self, parcel: &Parcel<'_>, pace: &Pace) -> Result<Sent, UploadError> {
        let path = self.path(parcel.object);
        if pace.unless_stopped(self.holds(parcel, &path, false)).await?? {
            return Ok(Sent { bytes: 0, resumed: parcel.bytes });
        }
        let sent = if parcel.bytes > PART_BYTES as u64 {
            self.in_parts(parcel, &path, pace).await?
        } else {
            let whole = next_part(&mut open(parcel.path)?, parcel.path)?;
            let bytes = whole.len();
            let put = self.store.put(&path, whole.into());
            pace.unless_stopped(put).await?.map_err(self.failed(&path))?;
            pace.sent(bytes).await?;
            Sent { bytes: bytes as u64, resumed: 0 }
        };
        if pace.unless_stopped(self.holds(parcel, &path, true)).await?? {
            return Ok(sent);
        }
        Err(UploadError::Differs { place: format!("s3://{}/{path}", self.name) })
    }

    async fn remove(&self, object: &str) -> Result<(), UploadError> {
        let path = self.path(object);
        match self.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(err) => Err(self.failed(&path)(err)),
        }
    }
}

/// Whether the store knows nothing of what it was asked for.
fn is_unknown(done: &Result<Sent, UploadError>) -> bool {
    matches!(done, Err(UploadError::Store { source: object_store::Error::NotFound { .. }, .. }))
}

/// The tag that S3 gives to an object: the MD5 of its content; of one made of parts the MD5 of
/// theirs, and how many they were.
fn tag_of(parcel: &Parcel<'_>) -> Result<String, UploadError> {
    let mut file = open(parcel.path)?;
    let mut of_parts = Vec::new();
    loop {
        let part = next_part(&mut file, parcel.path)?;
        if part.is_empty() {
            break;
        }
        of_parts.push(Md5::digest(&part));
    }
    let hex = |digest: &[u8]| {
        let digits: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.concat()
    };
    Ok(match of_parts.as_slice() {
        [one] => hex(one),
        parts => format!("{}-{}", hex(&Md5::digest(parts.concat())), parts.len()),
    })
}
