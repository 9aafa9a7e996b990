//! `fieldgate support-bundle`: what somebody who helps from afar needs to see, in one file: no
//! secrets, and of samples only what events and alarms quote.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use pipelines_flow::disk::RealDisk;
use serde_json::json;
use signals::{Clock as _, Disk as _};
use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::doctor::{self, running};
use super::finding;
use crate::clock::SystemClock;
use crate::config::{self, WebSettings};

/// Bytes of one file in the bundle: the beginning of a longer one.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Configuration files taken.
const FILES_MAX: usize = 256;
/// Files of the data folder that are listed.
const LISTED_MAX: usize = 20_000;
/// Keys whose values are not shown, unless they only say where the secret is kept.
const SECRET_WORDS: [&str; 6] = ["password", "secret", "token", "passphrase", "access_key", "psk"];
const PLACES: [&str; 3] = ["file:", "env:", "credential:"];
const REDACTED: &str = "<redacted>";
/// What the machine says of itself.
const MACHINE: [&str; 6] = [
    "/etc/os-release",
    "/proc/version",
    "/proc/uptime",
    "/proc/meminfo",
    "/proc/mounts",
    "/proc/net/dev",
];

/// Options of `fieldgate support-bundle`.
///
/// Examples:
///   fieldgate support-bundle --config /etc/fieldgate --data /var/lib/fieldgate --out bundle.tar.gz
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct SupportBundleArgs {
    /// The configuration: a file, or a folder of gateway.toml and conf.d/*.toml
    #[arg(long, value_name = "PATH")]
    config: PathBuf,
    /// Folder the gateway writes to
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// File to write, readable for you alone; must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes the bundle and says what is in it.
///
/// # Errors
/// When the file cannot be written.
pub fn run(args: &SupportBundleArgs) -> anyhow::Result<()> {
    let entries = gather(args);
    let mut open = OpenOptions::new();
    let file = open.write(true).create_new(true).mode(0o600).open(&args.out);
    let file = file.with_context(|| {
        format!("{}: cannot be made; give --out another name or folder", args.out.display())
    })?;
    let packed = pack(&entries, file);
    if packed.is_err() {
        // Half a bundle looks like a whole one.
        let _gone = fs::remove_file(&args.out);
    }
    packed.with_context(|| format!("{}: cannot be written", args.out.display()))?;
    for (name, content) in &entries {
        super::print(&format!("{:>9} {name}\n", content.len()))?;
    }
    super::print(&format!("{}: look through it before you send it\n", args.out.display()))
}

fn pack(entries: &[(String, Vec<u8>)], file: fs::File) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, format!("fieldgate-support/{name}"), &**content)?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()
}

/// Everything, by its name in the bundle. What cannot be had says why in its place.
fn gather(args: &SupportBundleArgs) -> Vec<(String, Vec<u8>)> {
    let clock = SystemClock::new();
    let about = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "made": clock.now().to_string(),
        "clock": clock.state(),
        "config": args.config,
        "data": args.data,
    });
    let mut entries = vec![("about.json".to_owned(), pretty(&about))];
    let findings = doctor::examine(&args.config, &args.data, true);
    entries.push(("doctor.txt".to_owned(), finding::told(&findings).into_bytes()));
    let listen = config::load(&args.config)
        .map_or_else(|_| WebSettings::default().listen, |config| config.web.listen);
    let asked = [
        ("status.json", "/api/v1/status"),
        ("events.json", "/api/v1/events"),
        ("alarms.json", "/api/v1/alarms"),
        ("lake.json", "/api/v1/lake"),
        ("lines.json", "/api/v1/lines"),
        ("metrics.txt", "/metrics"),
    ];
    for (name, path) in asked {
        let answer = running::fetch((listen, &args.data), path);
        let answer = answer.unwrap_or_else(|err| format!("{path}: {err:#}\n"));
        entries.push((name.to_owned(), answer.into_bytes()));
    }
    entries.push(("data.txt".to_owned(), listing(&args.data).into_bytes()));
    for path in configuration(&args.config) {
        let base = if args.config.is_dir() { &*args.config } else { Path::new("/") };
        let name = path.strip_prefix(base).unwrap_or(&path).display().to_string();
        let text = redacted(&String::from_utf8_lossy(&start_of(&path)));
        entries.push((format!("config/{}", name.trim_start_matches('/')), text.into_bytes()));
    }
    for path in MACHINE {
        entries.push((format!("machine{path}"), start_of(Path::new(path))));
    }
    entries
}

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

/// The file, up to [`FILE_BYTES_MAX`]; why not, when it cannot be read.
fn start_of(path: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    let read = fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut content).map(drop));
    match read {
        Ok(()) => content,
        Err(err) => format!("{}: {err}\n", path.display()).into_bytes(),
    }
}

/// The TOML files of a configuration. Databases and spreadsheets stay at home: they are often not
/// ours to show.
fn configuration(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let in_folder = |folder: PathBuf| {
        let listed = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        listed
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "toml"))
    };
    let mut files: Vec<PathBuf> =
        in_folder(path.to_owned()).chain(in_folder(path.join("conf.d"))).take(FILES_MAX).collect();
    files.sort();
    files
}

/// A configuration as it may be shown: a secret that stands in it by mistake does not. What is no
/// TOML stays at home, since nobody can tell what of it is one; `doctor.txt` has its mistake.
fn redacted(text: &str) -> String {
    let Ok(mut document) = text.parse::<DocumentMut>() else {
        return "# left out: not TOML, see doctor.txt\n".to_owned();
    };
    hide_in_table(document.as_table_mut());
    // Comments too: an old password that was only commented out.
    let shown = document.to_string();
    let line = |line: &str| match line.split_once('#') {
        Some((before, comment)) if is_secret(comment) => format!("{before}# <redacted>\n"),
        Some(_) | None => format!("{line}\n"),
    };
    shown.lines().map(line).collect::<Vec<_>>().concat()
}

fn is_secret(text: &str) -> bool {
    let text = text.to_lowercase();
    SECRET_WORDS.iter().any(|word| text.contains(word))
}

fn hide_in_table(table: &mut dyn TableLike) {
    for (key, item) in table.iter_mut() {
        hide(&key, item);
    }
}

fn hide(key: &str, item: &mut Item) {
    if let Some(value) = item.as_value_mut() {
        hide_in_value(is_secret(key), value);
    } else if let Some(tables) = item.as_array_of_tables_mut() {
        tables.iter_mut().for_each(|table| hide_in_table(table));
    } else if let Some(table) = item.as_table_like_mut() {
        hide_in_table(table);
    }
}

fn hide_in_value(is_under_secret_key: bool, value: &mut Value) {
    match value {
        Value::InlineTable(table) => {
            for (key, value) in table.iter_mut() {
                hide_in_value(is_under_secret_key || is_secret(&key), value);
            }
        }
        Value::Array(values) => {
            values.iter_mut().for_each(|value| hide_in_value(is_under_secret_key, value));
        }
        Value::String(text) => {
            let is_place = PLACES.iter().any(|place| text.value().starts_with(place));
            let has_user =
                text.value().split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
            if has_user || (is_under_secret_key && !is_place) {
                *value = REDACTED.into();
            }
        }
        Value::Integer(_) | Value::Float(_) if is_under_secret_key => *value = REDACTED.into(),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

/// Names and sizes below the data folder, and the room on its volume.
fn listing(data: &Path) -> String {
    let mut lines = match RealDisk.room(data) {
        Ok(room) => vec![format!("{} of {} bytes free", room.free, room.total)],
        Err(err) => vec![format!("{}: {err}", data.display())],
    };
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> =
            fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if lines.len() > LISTED_MAX {
                lines.push("and more".to_owned());
                return lines.join("\n");
            }
            match entry.metadata() {
                Ok(about) if about.is_dir() => folders.push(path),
                Ok(about) => {
                    let name = path.strip_prefix(data).unwrap_or(&path).display();
                    lines.push(format!("{:>12} {name}", about.len()));
                }
                Err(_) => {}
            }
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_a_configuration_is_not_shown_wherever_it_stands_and_where_one_is_kept_is() {
        let text = "[[uplink]]\nname = \"cloud\" # token: hunter1\npassword = \"hunter2\"\n\
                    tls = { key_password = 'hunter3' }\nsecret_key = \"credential:s3\"\n\
                    # password = \"hunter4\"\nTOKEN = [\"hunter5\"]\npsk = 123456789\n\
                    endpoint = \"https://eva:hunter6@store\"\n\
                    passphrase = \"\"\"\nhunter7\n\"\"\"\n";
        let shown = redacted(text);
        assert!(!shown.contains("hunter") && !shown.contains("123456789"), "{shown}");
        assert!(shown.contains("secret_key = \"credential:s3\""), "{shown}");
        assert!(shown.contains("name = \"cloud\""), "{shown}");
        let broken = redacted("password = \"hunter2\nname = \"x\"\n");
        assert_eq!(broken, "# left out: not TOML, see doctor.txt\n");
    }

    #[test]
    fn a_whole_configuration_is_shown_as_it_is() {
        let text =
            "# the plant\n[gateway]\nid = \"gw\"   # ours\n\n[[line]]\nhost = \"10.0.0.5:502\"\n";
        assert_eq!(redacted(text), text);
    }

    #[test]
    fn a_long_listing_ends() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lake")).unwrap();
        fs::write(folder.path().join("lake/a.parquet"), [0; 12]).unwrap();
        let told = listing(folder.path());
        assert!(told.ends_with("          12 lake/a.parquet"), "{told}");
    }
}
