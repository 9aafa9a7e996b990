//! Texts: a configuration as it was written, and how it is put back.

use std::io;
use std::path::{Path, PathBuf};

use pipelines_flow::disk::RealDisk;
use serde::{Deserialize, Serialize};
use signals::disk;

use super::Source;

/// A file of a configuration.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ConfigText {
    /// Its name below the folder of the configuration: `gateway.toml`, `conf.d/pumps.toml`.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

impl ConfigText {
    pub(super) fn of(source: &Source, base: &Path) -> Self {
        let path = Path::new(&source.name);
        let name = path.strip_prefix(base).unwrap_or(path).display().to_string();
        Self { name, text: source.text.clone() }
    }
}

/// The folder that relative paths of the configuration at `path` start from.
#[must_use]
pub fn base_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.to_owned() } else { path.parent().unwrap_or(Path::new("")).to_owned() }
}

/// Writes a configuration over the one at `path`. Files of `conf.d` that it does not have are
/// renamed to `*.toml.removed`, which nobody reads.
///
/// Each file changes whole or not at all; when one cannot be written, those before it are put back.
///
/// # Errors
/// When a name does not stay below the folder, `path` is one file and the configuration has more,
/// or a file cannot be written.
pub fn put_back(path: &Path, files: &[ConfigText]) -> io::Result<()> {
    let refused = |told: String| io::Error::new(io::ErrorKind::InvalidInput, told);
    let places: Vec<(PathBuf, &str)> = if path.is_dir() {
        let place = |file: &ConfigText| {
            is_own(&file.name)
                .then(|| path.join(&file.name))
                .ok_or_else(|| refused(format!("{}: not a name of a configuration", file.name)))
        };
        let with_text = |file| place(file).map(|path| (path, file.text.as_str()));
        files.iter().map(with_text).collect::<io::Result<_>>()?
    } else {
        let [file] = files else {
            let told = format!("{} files, and {} is one", files.len(), path.display());
            return Err(refused(told));
        };
        vec![(path.to_owned(), file.text.as_str())]
    };
    let mut done: Vec<Done> = Vec::new();
    let written = overwrite(path, &places, &mut done);
    if written.is_err() {
        for one in done.into_iter().rev() {
            if let Err(err) = one.undo() {
                tracing::error!(%err, "a file of the configuration is not as it was");
            }
        }
    }
    written
}

/// `gateway.toml`, or a file right below `conf.d`.
fn is_own(name: &str) -> bool {
    let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('/');
    name == "gateway.toml"
        || name.strip_prefix("conf.d/").is_some_and(|part| {
            is_plain(part) && Path::new(part).extension().is_some_and(|end| end == "toml")
        })
}

/// What was done to a file.
enum Done {
    /// It had this text, or was not there.
    Written(PathBuf, Option<Vec<u8>>),
    /// It has this name now.
    Renamed(PathBuf, PathBuf),
}

impl Done {
    fn undo(self) -> io::Result<()> {
        match self {
            Self::Written(path, Some(before)) => disk::replace(&RealDisk, &path, &before),
            Self::Written(path, None) => std::fs::remove_file(path),
            Self::Renamed(from, to) => std::fs::rename(to, from),
        }
    }
}

fn overwrite(path: &Path, places: &[(PathBuf, &str)], done: &mut Vec<Done>) -> io::Result<()> {
    for (place, text) in places {
        let before = match std::fs::read(place) {
            Ok(before) if before == text.as_bytes() => continue,
            Ok(before) => Some(before),
            Err(err) if err.kind() == io::ErrorKind::NotFound => None,
            Err(err) => return Err(err),
        };
        if let Some(folder) = place.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let rights = std::fs::metadata(place).map(|file| file.permissions()).ok();
        disk::replace(&RealDisk, place, text.as_bytes())?;
        done.push(Done::Written(place.clone(), before));
        if let Some(rights) = rights {
            std::fs::set_permissions(place, rights)?;
        }
    }
    // One file, or a configuration without parts, has no such folder.
    let Ok(entries) = std::fs::read_dir(path.join("conf.d")) else { return Ok(()) };
    for entry in entries {
        let there = entry?.path();
        let is_part = there.extension().is_some_and(|end| end == "toml");
        if is_part && places.iter().all(|(place, _)| *place != there) {
            let aside = there.with_extension("toml.removed");
            std::fs::rename(&there, &aside)?;
            done.push(Done::Renamed(there, aside));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> ConfigText {
        ConfigText { name: name.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_folder_becomes_what_it_was_and_files_that_came_later_are_read_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let was = [file("gateway.toml", "a"), file("conf.d/one.toml", "b")];
        put_back(folder.path(), &was).unwrap();
        std::fs::write(path("gateway.toml"), "changed").unwrap();
        std::fs::write(path("conf.d/two.toml"), "later").unwrap();
        std::fs::write(path("conf.d/motor.dbc"), "a database").unwrap();
        put_back(folder.path(), &was).unwrap();
        let text = |name: &str| std::fs::read_to_string(path(name)).unwrap();
        assert_eq!((text("gateway.toml"), text("conf.d/one.toml")), ("a".into(), "b".into()));
        assert!(!path("conf.d/two.toml").try_exists().unwrap());
        assert_eq!(text("conf.d/two.toml.removed"), "later", "nothing is thrown away");
        assert!(path("conf.d/motor.dbc").try_exists().unwrap());
    }

    #[test]
    fn when_a_file_cannot_be_written_none_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("gateway.toml"), "now").unwrap();
        // A folder where a file should be: it cannot be written.
        std::fs::create_dir_all(path("conf.d/one.toml")).unwrap();
        let was = [file("gateway.toml", "then"), file("conf.d/one.toml", "b")];
        assert!(put_back(folder.path(), &was).is_err());
        assert_eq!(std::fs::read_to_string(path("gateway.toml")).unwrap(), "now");
    }

    #[test]
    fn names_that_leave_the_folder_and_parts_for_a_single_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../gateway.toml", "conf.d/../../x.toml", "/etc/passwd", "conf.d/.toml", "x"] {
            let err = put_back(folder.path(), &[file(name, "x")]).unwrap_err();
            assert_eq!(err.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
        let single = folder.path().join("gateway.toml");
        std::fs::write(&single, "now").unwrap();
        let two = [file("gateway.toml", "a"), file("conf.d/one.toml", "b")];
        assert_eq!(put_back(&single, &two).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        put_back(&single, &[file("other-name.toml", "a")]).unwrap();
        assert_eq!(std::fs::read_to_string(&single).unwrap(), "a");
    }
}
