//! Where files go, how fast and when.

use std::fmt;
use std::path::PathBuf;

use pipelines_flow::uplink::Hours;

/// Settings of the upload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UploadSettings {
    /// Name of the gateway, the first part of every object's name.
    pub gateway: String,
    /// Where files go.
    pub place: Place,
    /// Bytes a second on average; `None` for as many as the link takes.
    pub bytes_per_s: Option<u64>,
    /// When files are sent, UTC; `None` for always.
    pub hours: Option<Hours>,
}

/// Where files go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// A folder that is there, for example of a mounted file server.
    Folder(PathBuf),
    /// A bucket.
    S3(S3),
}

/// A bucket and who may write to it.
#[derive(Clone, Eq, PartialEq)]
pub struct S3 {
    /// Its name.
    pub bucket: String,
    /// What all names begin with; empty, or without a slash at either end.
    pub prefix: String,
    /// `https://host:port`; `None` for AWS.
    pub endpoint: Option<String>,
    /// Region.
    pub region: String,
    /// Access key and its secret; `None` for those of the cloud instance it runs on.
    pub keys: Option<(String, String)>,
}

/// Without the secret.
impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// As the configuration has it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "file://{}", folder.display()),
            Self::S3(s3) if s3.prefix.is_empty() => write!(f, "s3://{}", s3.bucket),
            Self::S3(s3) => write!(f, "s3://{}/{}", s3.bucket, s3.prefix),
        }
    }
}
