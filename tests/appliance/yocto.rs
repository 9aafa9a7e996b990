//! The layer of the appliance, as far as machines without `OpenEmbedded`'s metadata can tell: its
//! recipes are parsed by `BitBake` itself, and the values that are in force in the end are looked at.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::programs::python_of;
use crate::harness::{root, text};

/// The compiler of the Yocto release that images are built with.
const COMPILER: (u64, u64) = (1, 94);

/// A check of `yocto/check/check.py`, of the layer itself or of a copy.
fn check(what: &str, layer: Option<&Path>) -> Output {
    let mut command = python_of(&root().join("yocto/check/check.py"));
    command.arg(what).env("LC_ALL", "C.UTF-8");
    if let Some(layer) = layer {
        command.env("FIELDGATE_LAYER", layer);
    }
    command.output().expect("the check can be run")
}

fn holds(what: &str) {
    let Output { status, stdout, stderr } = check(what, None);
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{what}: {status}\n{out}{err}");
    println!("{what}: {}", out.trim());
}

#[test]
fn every_recipe_and_append_of_the_layer_parses_for_every_machine() {
    holds("parse");
}

#[test]
fn layout_features_and_flags_have_the_values_that_matter_in_the_end() {
    holds("values");
}

#[test]
fn the_crate_list_is_exactly_the_lock_file() {
    holds("crates");
}

#[test]
fn partitions_slots_and_boot_scripts_name_the_same_things() {
    holds("layout");
}

#[test]
fn every_kas_file_is_one() {
    holds("kas");
}

#[test]
fn the_linter_of_recipes_has_nothing_to_say() {
    holds("lint");
}

/// A fault put into a copy of the layer: file, what stands there, what is put there instead.
fn faulty(what: &str, (file, from, to): (&str, &str, &str)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let layer = folder.path().join("meta-fieldgate");
    let copied = Command::new("cp")
        .args(["-r", text(&root().join("yocto/meta-fieldgate")), text(&layer)])
        .status()
        .expect("cp can be run");
    assert!(copied.success());
    let path = layer.join(file);
    let before = fs::read_to_string(&path).unwrap();
    assert!(before.contains(from), "{file}: no {from}");
    fs::write(&path, before.replace(from, to)).unwrap();
    let Output { status, stderr, .. } = check(what, Some(&layer));
    assert_eq!(status.code(), Some(1), "{what} has not found {to} in {file}");
    String::from_utf8_lossy(&stderr).into_owned()
}

#[test]
fn faults_put_into_the_layer_are_found() {
    const IMAGE: &str = "recipes-core/images/fieldgate-image.bb";
    for (what, fault, told) in [
        ("parse", (IMAGE, "inherit core-image", "inherit core-imago"), "core-imago"),
        ("parse", (IMAGE, "IMAGE_LINGUAS = \"\"", "IMAGE_LINGUAS = \""), "fieldgate-image"),
        (
            "values",
            (IMAGE, "WKS_FILE:forcevariable", "WKS_FILE:append:none"),
            "stock-machine-layout",
        ),
        ("values", (IMAGE, "allow-empty-password ", ""), "allow-empty-password"),
        ("values", (IMAGE, "    chrony \\\n", "    chrony openssh \\\n"), "openssh"),
        (
            "layout",
            ("files/wic/fieldgate-efi.wks.in", "--part-name data", "--part-name date"),
            "date",
        ),
        ("lint", (IMAGE, "SUMMARY = ", "SUMARY = "), "SUMARY"),
    ] {
        let found = faulty(what, fault);
        assert!(found.contains(told), "{what}, {fault:?}:\n{found}");
    }
}

#[test]
fn no_dependency_needs_a_newer_compiler_than_images_are_built_with() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    // Other platforms' crates need not be there, and are not built.
    for platform in ["x86_64", "aarch64"] {
        cargo.args(["--filter-platform", &format!("{platform}-unknown-linux-gnu")]);
    }
    let Output { status, stdout, stderr } = cargo.current_dir(root()).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let metadata: Value = serde_json::from_slice(&stdout).unwrap();
    let packages = metadata["packages"].as_array().expect("packages");
    let mut newest = (0, 0);
    let mut newer = Vec::new();
    for package in packages {
        let Some(wanted) = package["rust_version"].as_str() else { continue };
        let mut numbers = wanted.split('.').map(|part| part.parse().expect("a number"));
        let wanted = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(0));
        if !package["source"].is_null() {
            newest = newest.max(wanted);
        }
        if wanted > COMPILER {
            newer.push(format!("{} {}: {wanted:?}", package["name"], package["version"]));
        }
    }
    assert!(packages.len() > 300, "{} packages: too few to be all", packages.len());
    assert!(newer.is_empty(), "images are built with {COMPILER:?}: {newer:#?}");
    println!("{} packages; the newest compiler one of them needs is {newest:?}", packages.len());
}
