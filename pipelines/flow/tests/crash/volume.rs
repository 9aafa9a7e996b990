//! A small ext4 volume whose power can be cut.
//!
//! The file system is told to shut down without writing its log (`EXT4_IOC_SHUTDOWN`, no log
//! flush): from then on nothing reaches the image. Mounted again, it replays its journal as after
//! a power cut.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::ground;

/// Cuts on demand: one line in, one line out.
const SWITCH: &str = r#"
import fcntl, os, struct, sys
NO_LOG_FLUSH, SHUTDOWN = 2, 0x8004587d
for mount in sys.stdin:
    folder = os.open(mount.rstrip("\n"), os.O_RDONLY)
    fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
    os.close(folder)
    print("off", flush=True)
"#;

/// An image that is mounted.
pub(crate) struct Mount(PathBuf);

impl Mount {
    /// Mounts an image on a new folder.
    pub(crate) fn of(image: &Path, root: &Path) -> Self {
        std::fs::create_dir(root).unwrap();
        run("mount", &["-o", "loop", text(image), text(root)]);
        Self(root.to_owned())
    }

    /// The folder of its root.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

/// A mounted volume.
pub(crate) struct Volume {
    image: PathBuf,
    mount: PathBuf,
    switch: (Child, ChildStdin, BufReader<ChildStdout>),
    _folder: tempfile::TempDir,
}

impl Volume {
    /// A new volume of so many MiB.
    pub(crate) fn make(mebibytes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (image, mount) = (folder.path().join("volume.img"), folder.path().join("volume"));
        std::fs::create_dir(&mount).unwrap();
        run("truncate", &["-s", &format!("{mebibytes}M"), text(&image)]);
        run("mkfs.ext4", &["-q", "-F", text(&image)]);
        let mut switch = Command::new(ground::python())
            .args(["-c", SWITCH])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (switch.stdin.take().unwrap(), switch.stdout.take().unwrap());
        let switch = (switch, input, BufReader::new(output));
        let volume = Self { image, mount, switch, _folder: folder };
        volume.mount();
        volume
    }

    /// The folder of the volume's root.
    pub(crate) fn root(&self) -> &Path {
        &self.mount
    }

    /// Cuts the power now.
    pub(crate) fn cut(&mut self) {
        let (_, input, output) = &mut self.switch;
        writeln!(input, "{}", self.mount.display()).unwrap();
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        assert_eq!(answer, "off\n", "the volume could not be shut down");
    }

    /// Switches it on again. Nobody may have a file of it open.
    pub(crate) fn back(&self) {
        unmount(&self.mount);
        self.mount();
    }

    fn mount(&self) {
        run("mount", &["-o", "loop", text(&self.image), text(&self.mount)]);
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _gone = self.switch.0.kill().and_then(|()| self.switch.0.wait());
        unmount(&self.mount);
    }
}

/// Unmounts a folder. A process that another test is about to start may hold its files open for a
/// moment.
fn unmount(root: &Path) {
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let gone = Command::new("umount").arg(root).stderr(Stdio::null()).status();
        if gone.is_ok_and(|gone| gone.success()) {
            return;
        }
        let is_over = Instant::now() > patience;
        assert!(!is_over || std::thread::panicking(), "{}: cannot be unmounted", root.display());
        if is_over {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs a program of the system; loud when it is not there or fails.
pub(crate) fn run(program: &str, arguments: &[&str]) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output();
    let output = output.unwrap_or_else(|err| panic!("{program}: {err}; see tests/README.md"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\npower cuts need root and loop devices; FIELDGATE_POWERCUT=skip \
         leaves them out",
        String::from_utf8_lossy(&output.stderr)
    );
}
