//! Checks of `[upload]`.

use std::path::PathBuf;

use pipelines_flow::uplink::Hours;
use signals::Mistake;

use super::raw::RawUpload;
use super::settings::{SecretRef, UploadPlace, UploadSettings};

/// What S3-compatible servers call the only region that they have.
const REGION_DEFAULT: &str = "us-east-1";

/// The upload, where there is to be one; `None` also with at least one mistake.
pub(crate) fn check(
    raw: Option<&RawUpload>,
    mistakes: &mut Vec<Mistake>,
) -> Option<UploadSettings> {
    let raw = raw?;
    let mut found = Vec::new();
    let place = place(raw, &mut found);
    let hours = raw.hours.as_deref().map(Hours::parse);
    if hours == Some(None) {
        let remedy = "write from and to in UTC: \"22:00-05:00\"";
        found.push(Mistake::new("hours", "are no hours of a day", remedy));
    }
    let is_sound = found.is_empty();
    mistakes.extend(found.into_iter().map(|mistake| mistake.below("upload")));
    let (bytes_per_s, hours) = (raw.bytes_per_s, hours.flatten());
    place.filter(|_| is_sound).map(|place| UploadSettings { place, bytes_per_s, hours })
}

fn place(raw: &RawUpload, mistakes: &mut Vec<Mistake>) -> Option<UploadPlace> {
    let to = raw.to.as_deref()?;
    let example = "write \"s3://bucket/prefix\" or \"file:///mnt/nas/lake\"";
    match to.split_once("://") {
        Some(("s3", rest)) => Some(bucket(raw, rest, mistakes)),
        Some(("file", path)) => {
            let of_s3 = [
                ("endpoint", &raw.endpoint),
                ("region", &raw.region),
                ("access_key", &raw.access_key),
                ("secret_key", &raw.secret_key),
            ];
            for (key, _) in of_s3.iter().filter(|(_, text)| text.is_some()) {
                let problem = "has no effect on a folder";
                mistakes.push(Mistake::new(*key, problem, "take it out, or write to = \"s3://…\""));
            }
            if path.starts_with('/') && path.len() > 1 {
                return Some(UploadPlace::Folder(PathBuf::from(path)));
            }
            let problem = format!("\"{to}\" names no folder from the root");
            mistakes.push(Mistake::new("to", problem, "write \"file:///mnt/nas/lake\""));
            None
        }
        Some(_) | None => {
            mistakes.push(Mistake::new(
                "to",
                format!("\"{to}\" is no place to upload to"),
                example,
            ));
            None
        }
    }
}

fn bucket(raw: &RawUpload, rest: &str, mistakes: &mut Vec<Mistake>) -> UploadPlace {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    // Amazon S3 user guide, general purpose bucket naming rules.
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(legal) {
        let remedy = "use 3 to 63 small letters, digits, - and .: \"s3://plant-lake/north\"";
        mistakes.push(Mistake::new("to", format!("\"{bucket}\" is no name of a bucket"), remedy));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | '/');
    if !prefix.chars().all(is_plain) || (!prefix.is_empty() && prefix.split('/').any(str::is_empty))
    {
        let remedy = "use letters, digits, - _ . = and single slashes in between";
        mistakes.push(Mistake::new("to", format!("\"{prefix}\" is no prefix"), remedy));
    }
    if let Some(endpoint) = &raw.endpoint {
        let host = ["http://", "https://"].iter().find_map(|scheme| endpoint.strip_prefix(scheme));
        if host.is_none_or(str::is_empty) {
            let problem = format!("\"{endpoint}\" is no address of a store");
            let remedy = "write it with its scheme: \"https://minio.example.com:9000\"";
            mistakes.push(Mistake::new("endpoint", problem, remedy));
        } else if host.is_some_and(|host| host.contains('@')) {
            let remedy = "use access_key and secret_key = \"file:…\" instead";
            mistakes.push(Mistake::new("endpoint", "holds a user or password", remedy));
        }
    }
    let secret = |text: &Option<String>| text.as_deref().and_then(SecretRef::parse);
    let keys = match (&raw.access_key, &raw.secret_key) {
        (Some(_), None) => {
            let remedy = "add secret_key = \"file:…\", \"env:…\" or \"credential:…\"";
            mistakes.push(Mistake::new("access_key", "stands without its secret", remedy));
            None
        }
        (None, Some(_)) => {
            let remedy = "add access_key = \"file:…\", \"env:…\" or \"credential:…\"";
            mistakes.push(Mistake::new("access_key", "is missing beside secret_key", remedy));
            None
        }
        _ => secret(&raw.access_key).zip(secret(&raw.secret_key)),
    };
    UploadPlace::S3 {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: raw.endpoint.clone(),
        region: raw.region.clone().unwrap_or_else(|| REGION_DEFAULT.to_owned()),
        keys,
    }
}
