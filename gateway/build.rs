//! Makes cargo notice a rebuilt page (a binary compiled before would go on serving the old one), and
//! packs the program's relocations where its C library can read them so.

use std::process::Command;

/// The first GNU C library that loads a program with packed relocations (`DT_RELR`).
const PACKED_SINCE: (u32, u32) = (2, 36);

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=ui/dist");
    // Unpacked they take 24 bytes each, 13 MB in all, and starting reads every one of them into
    // memory; packed they take a bit each.
    if runs_where_it_is_built() && c_library().is_some_and(|version| version >= PACKED_SINCE) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

fn runs_where_it_is_built() -> bool {
    let target = std::env::var("TARGET").unwrap_or_default();
    target.ends_with("linux-gnu") && std::env::var("HOST").is_ok_and(|host| host == target)
}

/// `glibc 2.36` as major and minor number.
fn c_library() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?.stdout;
    let text = String::from_utf8(told).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
