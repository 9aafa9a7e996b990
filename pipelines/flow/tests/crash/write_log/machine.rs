//! The machine that the victims live in: Debian's kernel in QEMU, a disk for each, every write and
//! flush of it logged.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::log::WriteLog;
use crate::victim::{DISK_BYTES, RANGE, SECTOR, Syncs, WORDS_AT};
use crate::volume;

#[path = "../../../../../tests/guest/archive.rs"]
mod archive;

use archive::{Archive, found};

/// Patience with the machine: boot and all victims.
const PATIENCE: Duration = Duration::from_secs(240);
/// How many promises are waited for, so many tenths of a second at most.
const PROMISES: u32 = 200;
const TENTHS_MAX: u32 = 400;
const MODULES: [&str; 11] = [
    "drivers/virtio/virtio_ring.ko",
    "drivers/virtio/virtio.ko",
    "drivers/virtio/virtio_pci_legacy_dev.ko",
    "drivers/virtio/virtio_pci_modern_dev.ko",
    "drivers/virtio/virtio_pci.ko",
    "drivers/block/virtio_blk.ko",
    "crypto/crc32c_generic.ko",
    "lib/crc16.ko",
    "fs/mbcache.ko",
    "fs/jbd2/jbd2.ko",
    "fs/ext4/ext4.ko",
];
/// The first program. A victim ends as a process does that is killed; its disk is not unmounted.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox --install -s /bin 2>/dev/null
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
for m in @MODULES@; do insmod /modules/$m || echo no $m; done
victim() {
    mkdir -p /mnt/$1 && mount -t ext4 /dev/$1 /mnt/$1 || return
    FIELDGATE_VICTIM_DATA=/mnt/$1/data FIELDGATE_VICTIM_FIRST=@FIRST@ FIELDGATE_VICTIM_SYNCS=$2 \\
        FIELDGATE_VICTIM_WORDS=/dev/$1 \\
        /guest --exact victim --ignored --nocapture --test-threads=1 >/tmp/$1 2>&1 &
    life=$! tenths=0 kept=0
    while [ $kept -lt @PROMISES@ ] && [ $tenths -lt @TENTHS@ ]; do
        sleep 0.1
        tenths=$((tenths + 1)) kept=$(grep -c '^kept' /tmp/$1)
    done
    kill -9 $life && echo \"@@ $2: $kept promises in $tenths tenths of a second\" || cat /tmp/$1
}
@VICTIMS@
poweroff -f
";

/// A place on a disk, and what stands there.
type Block = (u64, Vec<u8>);

/// What was recorded of a victim.
pub(crate) struct Recording {
    /// What it synced.
    pub(crate) syncs: Syncs,
    /// Everything that was written to its disk.
    pub(crate) log: WriteLog,
    /// What was on the disk before: places, and what is not zero there.
    pub(super) made: Vec<Block>,
}

/// Lets each victim live on a disk of its own.
pub(super) fn record(victims: &[Syncs]) -> Result<Vec<Recording>, String> {
    let begun = Instant::now();
    let guest = peers();
    let kernel = guest.join("vmlinuz");
    if !kernel.is_file() {
        return Err(format!("{}: not there; run tests/run peers", kernel.display()));
    }
    let scratch = tempfile::tempdir().map_err(|err| format!("no temporary folder: {err}"))?;
    let initrd = scratch.path().join("initrd");
    fs::write(&initrd, archive(&guest, victims)?)
        .map_err(|err| format!("{}: {err}", initrd.display()))?;
    let disks: Vec<_> = victims.iter().map(|syncs| scratch.path().join(syncs.word())).collect();
    for disk in &disks {
        make(disk);
    }
    let made: Vec<_> = disks.iter().map(|disk| blocks(&fs::read(disk).expect("made"))).collect();
    let console = boot(&kernel, &initrd, &disks)?;
    for (_, told) in console.lines().filter_map(|line| line.split_once("@@ ")) {
        println!("guest: {}", told.trim());
    }
    println!("guest: {:.1} s from start to end", begun.elapsed().as_secs_f64());
    let recording = |((syncs, disk), made): ((&Syncs, &PathBuf), Vec<Block>)| {
        if !console.contains(&format!("@@ {}: ", syncs.word())) {
            return Err(format!("the victim {} did not live:\n{console}", syncs.word()));
        }
        let log = WriteLog::read(&disk.with_extension("log"))?;
        Ok(Recording { syncs: *syncs, log, made })
    };
    victims.iter().zip(&disks).zip(made).map(recording).collect()
}

fn peers() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers");
    std::env::var_os("FIELDGATE_PEERS").map_or_else(default, PathBuf::from).join("guest")
}

/// The machine's file system: this program, what it calls, and what they need.
fn archive(guest: &Path, victims: &[Syncs]) -> Result<Vec<u8>, String> {
    let mut archive = Archive::default();
    for name in ["bin", "dev", "etc", "mnt", "proc", "sys", "tmp"] {
        archive.folder(name);
    }
    let names: Vec<&str> = MODULES.iter().filter_map(|path| path.rsplit('/').next()).collect();
    let each = victims
        .iter()
        .zip('a'..)
        .map(|(syncs, letter)| format!("victim vd{letter} {}", syncs.word()));
    let init = INIT
        .replace("@MODULES@", &names.join(" "))
        .replace("@FIRST@", &RANGE.to_string())
        .replace("@PROMISES@", &PROMISES.to_string())
        .replace("@TENTHS@", &TENTHS_MAX.to_string())
        .replace("@VICTIMS@", &each.collect::<Vec<_>>().join("\n"));
    archive.file("init", init.as_bytes());
    archive.modules(&guest.join("kernel"), &MODULES)?;
    let this = std::env::current_exe().map_err(|err| err.to_string())?;
    archive.program(&this, "guest")?;
    archive.program(&found("busybox")?, "bin/busybox")?;
    Ok(archive.finish())
}

/// A disk with an empty file system, room for words behind it, and an empty log beside it.
fn make(disk: &Path) {
    let image = File::create_new(disk).expect("the folder is new");
    image.set_len(DISK_BYTES).expect("there is room");
    File::create_new(disk.with_extension("log")).expect("the folder is new");
    let blocks = format!("{}k", WORDS_AT >> 10);
    // Nothing is left to be made by the kernel later on.
    let whole = "lazy_itable_init=0,lazy_journal_init=0";
    let path = volume::text(disk);
    volume::run("mkfs.ext4", &["-q", "-F", "-b", "4096", "-E", whole, path, &blocks]);
}

/// Blocks that are not zero, and where they are.
fn blocks(image: &[u8]) -> Vec<Block> {
    let block = SECTOR * 8;
    let places = (0..).step_by(block).zip(image.chunks(block));
    let there = places.filter(|(_, content)| content.iter().any(|byte| *byte != 0));
    there.map(|(at, content)| (at, content.to_vec())).collect()
}

/// Runs the machine to its end; what it wrote on its console.
fn boot(kernel: &Path, initrd: &Path, disks: &[PathBuf]) -> Result<String, String> {
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args(["-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024"])
        .args(["-nographic", "-no-reboot", "-net", "none", "-monitor", "none"])
        .args(["-append", "console=ttyS0 quiet loglevel=1 panic=-1"])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initrd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    for (number, disk) in disks.iter().enumerate() {
        let (path, log) = (volume::text(disk), disk.with_extension("log"));
        // That this machine stays on is taken for granted: its own flushes would only take time.
        let file = |name: &str, path: &str| {
            format!("driver=file,node-name={name}{number},filename={path},cache.no-flush=on")
        };
        command
            .args(["-blockdev", &file("image", path)])
            .args(["-blockdev", &file("writes", volume::text(&log))])
            .args(["-blockdev", &format!(
                "driver=blklogwrites,node-name=disk{number},file=image{number},log=writes{number}"
            )])
            .args(["-device", &format!("virtio-blk-pci,drive=disk{number},write-cache=on")]);
    }
    let child =
        command.spawn().map_err(|err| format!("qemu-system-x86_64: {err}; run tests/run peers"))?;
    listen(child)
}

/// What a machine writes on its console until it powers off.
fn listen(mut child: Child) -> Result<String, String> {
    let mut console = child.stdout.take().expect("the console is piped");
    let reader = std::thread::spawn(move || {
        let mut told = Vec::new();
        let read = console.read_to_end(&mut told);
        read.map(|_| String::from_utf8_lossy(&told).into_owned())
    });
    let begun = Instant::now();
    while !reader.is_finished() && begun.elapsed() < PATIENCE {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let is_late = !reader.is_finished();
    // It has ended, or must.
    child.kill().ok();
    child.wait().map_err(|err| err.to_string())?;
    let told = reader.join().expect("the reader ends with the console");
    let told = told.map_err(|err| err.to_string())?;
    if is_late {
        Err(format!("the machine has not ended after {PATIENCE:?}:\n{told}"))
    } else {
        Ok(told)
    }
}
