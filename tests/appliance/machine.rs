//! What a machine needs beside the binary: the unit and its exposure, names of interfaces, the
//! programs of the appliance.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::{binary, root, text};

fn packaging(file: &str) -> PathBuf {
    root().join("gateway/packaging").join(file)
}

fn run(command: &mut Command) -> (i32, String) {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|err| panic!("{command:?}: {err}; run tests/run first"));
    let told = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (status.code().unwrap_or(-1), told)
}

#[test]
fn the_units_exposure_is_at_most_two() {
    let unit = packaging("fieldgate.service");
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--no-pager", "--offline=true", "--threshold=20", text(&unit)]);
    let (code, told) = run(&mut command);
    let last = told.lines().last().unwrap_or_default();
    assert_eq!(code, 0, "{told}");
    assert!(last.contains("Overall exposure level"), "{told}");
    println!("{last}");
}

#[test]
fn a_unit_without_its_walls_would_be_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fieldgate.service");
    let unit = fs::read_to_string(packaging("fieldgate.service")).unwrap();
    let weak: Vec<&str> = unit.lines().filter(|line| !line.starts_with("Protect")).collect();
    fs::write(&path, weak.join("\n")).unwrap();
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--no-pager", "--offline=true", "--threshold=20", text(&path)]);
    let (code, told) = run(&mut command);
    assert_ne!(code, 0, "{told}");
}

#[test]
fn can_interfaces_are_named_by_where_they_are_plugged_in() {
    let name =
        |arguments: &str| run(Command::new(packaging("can-name")).args(arguments.split(' ')));
    for (arguments, wanted) in [
        ("pci-0000:00:04.0 0 0x0", "canp0s4"),
        ("pci-0000:0a:1f.1 0 0x1", "canp10s31f1d1"),
        ("pci-0001:02:00.0 1 0x0", "canP1p2s0d1"),
        ("pci-0000:00:14.0-usb-0:1.2:1.0 0 0x0", "canu1-2"),
        ("platform-3f980000.usb-usb-0:1.4:1.0 1 0x0", "canu1-4d1"),
        ("platform-fe204000.spi-cs-1 0 0x0", "cans4000-1"),
    ] {
        let (code, told) = name(arguments);
        assert_eq!((code, told.trim()), (0, wanted), "{arguments}");
    }
    // Nothing better than the kernel's name is known, or the kernel would refuse it.
    for arguments in ["acpi-PNP0C09:00 0 0x0", "pci-0000:00:14.0-usb-0:1.2.3.4.1.2.3:1.0 0 0x0"] {
        assert_ne!(name(arguments).0, 0, "{arguments}");
    }
}

#[test]
fn a_bundle_of_ours_is_confirmed_by_the_gateway_and_given_up_only_after_an_update() {
    // The service manager and RAUC need a machine of their own: what they are told is noted.
    for (active, trying, told, code) in [
        (true, true, "status mark-good\n", 0),
        (true, false, "status mark-good\n", 0),
        (false, true, "status mark-bad\nreboot\n", 1),
        (false, false, "status mark-good\n", 0),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let active_code = i32::from(!active);
        let systemctl = format!(
            "#!/bin/sh\ncase \"$1\" in\nshow) echo 0 ;;\nis-active) exit {active_code} ;;\n\
             reboot) echo reboot >> {} ;;\nesac\n",
            text(&place("told"))
        );
        program(&place("systemctl"), &systemctl);
        program(&place("rauc"), &format!("#!/bin/sh\necho \"$@\" >> {}\n", text(&place("told"))));
        program(&place("sleep"), "#!/bin/sh\n");
        if trying {
            fs::write(place("trying"), "").unwrap();
        }
        let mut command = Command::new(packaging("appliance/confirm"));
        command
            .env("PATH", format!("{}:/usr/bin:/bin", text(folder.path())))
            .env("FIELDGATE_TRYING", place("trying"));
        let (found, out) = run(&mut command);
        let noted = fs::read_to_string(place("told")).unwrap();
        assert_eq!((noted.as_str(), found), (told, code), "{active} {trying}: {out}");
        assert!(!place("trying").try_exists().unwrap(), "a trial ends");
    }
}

fn program(path: &Path, script: &str) {
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_configuration_to_start_from_and_the_annotated_plant_are_right() {
    for file in [packaging("gateway.toml"), root().join("config/plant.toml")] {
        let (code, told) = run(Command::new(binary()).args(["check", "--offline", text(&file)]));
        assert_eq!(code, 0, "{}: {told}", file.display());
    }
}

#[test]
fn an_image_gets_the_very_files_that_are_tested_here() {
    let folder = tempfile::tempdir().unwrap();
    let (code, told) = run(Command::new(packaging("appliance/install")).arg(folder.path()));
    assert_eq!(code, 0, "{told}");
    for (put, from) in [
        ("usr/lib/systemd/system/fieldgate.service", "fieldgate.service"),
        ("usr/lib/udev/rules.d/71-fieldgate.rules", "71-fieldgate.rules"),
        ("usr/lib/sysusers.d/fieldgate.conf", "fieldgate.sysusers"),
        ("usr/lib/systemd/system/data.mount", "appliance/data.mount"),
        ("usr/lib/fieldgate/confirm", "appliance/confirm"),
    ] {
        let put = fs::read(folder.path().join(put)).unwrap_or_else(|err| panic!("{put}: {err}"));
        assert!(put == fs::read(packaging(from)).unwrap(), "{from} is another file in an image");
    }
}

#[test]
fn an_image_forwards_nothing_and_keeps_its_logs_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (code, told) = run(Command::new(packaging("appliance/install")).arg(folder.path()));
    assert_eq!(code, 0, "{told}");
    for (file, lines) in [
        (
            "usr/lib/sysctl.d/60-fieldgate.conf",
            &["net.ipv4.ip_forward = 0", "net.ipv6.conf.all.forwarding = 0"][..],
        ),
        (
            "usr/lib/systemd/journald.conf.d/60-fieldgate.conf",
            &["Storage=volatile", "RuntimeMaxUse=32M"],
        ),
        ("usr/lib/systemd/system.conf.d/60-fieldgate.conf", &["RuntimeWatchdogSec=30s"]),
        ("usr/lib/systemd/network/70-fieldgate-can.network", &["ListenOnly=yes"]),
        ("etc/chrony/chrony.conf", &["port 0", "bindcmdaddress 127.0.0.1"]),
    ] {
        let text = fs::read_to_string(folder.path().join(file)).expect(file);
        for line in lines {
            assert!(text.lines().any(|found| found == *line), "{file}: no line {line}");
        }
    }
    let masked = folder.path().join("etc/systemd/system-generators/systemd-getty-generator");
    assert_eq!(
        fs::read_link(masked).expect("a link"),
        Path::new("/dev/null"),
        "consoles get logins"
    );
    let data = folder.path().join("usr/lib/systemd/system/data.mount");
    let data = fs::read_to_string(data).expect("data.mount");
    let options = data.lines().find_map(|line| line.strip_prefix("Options=")).unwrap_or_default();
    for option in ["nodev", "nosuid", "noexec"] {
        assert!(options.split(',').any(|found| found == option), "data.mount: {options}");
    }
}
