#!/usr/bin/env python3
"""Checks of the layer that need none of OpenEmbedded's metadata: its recipes are parsed by BitBake
itself (its package on PyPI) over the few settings in `core`, and what matters in the end is asserted.

    check.py parse      every recipe and append, every variable expanded
    check.py values     final values for each machine
    check.py crates     the crate list against Cargo.lock
    check.py layout     partitions, slots and boot scripts name the same things
    check.py kas        every kas file against kas's own schema
    check.py lint       oelint-adv
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
YOCTO = HERE.parent
ROOT = YOCTO.parent
# FIELDGATE_LAYER: a copy with a fault in it, to see that it is found.
LAYER = pathlib.Path(os.environ.get("FIELDGATE_LAYER", YOCTO / "meta-fieldgate"))
RELEASE = "wrynose"
# Machines and the overrides that theirs bring.
MACHINES = {
    "raspberrypi4-64": "rpi:aarch64",
    "raspberrypi5": "rpi:aarch64",
    "genericx86-64": "x86-64",
    "qemuarm64": "qemuall:aarch64",
}
problems: list[str] = []


def holds(condition: bool, problem: str) -> None:
    """Notes a problem where the condition does not hold."""
    if not condition:
        problems.append(problem)


def generated() -> str:
    """The crate list as `prepare` makes it."""
    command = [sys.executable, YOCTO / "prepare", "--crates", ROOT / "Cargo.lock"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def version() -> str:
    """The workspace's version."""
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


class Parser:
    """BitBake's parser over a copy of the layer with the crate list made."""

    def __init__(self, folder: str):
        sys.path.insert(0, str(HERE / "py"))
        import bb.data
        import bb.parse

        self.bb = bb
        self.layer = pathlib.Path(folder) / "meta-fieldgate"
        # A crate list of the working tree's own must not be what is parsed.
        shutil.copytree(LAYER, self.layer, ignore=shutil.ignore_patterns("fieldgate-crates.inc", "*.tar.gz"))
        (self.layer / "recipes-fieldgate/fieldgate/fieldgate-crates.inc").write_text(generated())

    def settings(self, machine: str):
        """What stands before every recipe."""
        d = self.bb.data.init()
        d.setVar("BBPATH", f"{HERE}/core:{self.layer}")
        d.setVar("TOPDIR", "/w")
        d.setVar("__bbclasstype", "recipe")
        d.setVar("MACHINE", machine)
        d.setVar("MACHINEOVERRIDES", MACHINES[machine])
        self.bb.parse.init_parser(d)
        d = self.bb.parse.handle("conf/bitbake.conf", d, True)
        # As the release does it at the end of its settings.
        opted_out = (d.getVar("DISTRO_FEATURES_OPTED_OUT") or "").split()
        defaults = (d.getVar("DISTRO_FEATURES_DEFAULTS") or "").split()
        kept = " ".join(feature for feature in defaults if feature not in opted_out)
        d.setVar("DISTRO_FEATURES", f"{d.getVar('DISTRO_FEATURES') or ''} {kept}")
        return d

    def recipe(self, path: pathlib.Path, machine: str, more=()):
        """A recipe with what is set before it; every variable expands."""
        d = self.bb.data.createCopy(self.settings(machine))
        d.setVar("FILE", str(path))
        for name, value in more:
            d.setVar(name, value)
        self.bb.parse.handle("classes/base.bbclass", d, True)
        d = self.bb.parse.handle(str(path), d)
        d = d[""] if isinstance(d, dict) else d
        self.bb.data.expandKeys(d)
        for name in list(d.keys()):
            if not d.getVarFlag(name, "func", False):
                d.getVar(name)
        return d

    def layer_settings(self):
        """conf/layer.conf."""
        d = self.bb.data.init()
        d.setVar("LAYERDIR", str(self.layer))
        d.setVar("BBPATH", "")
        self.bb.parse.init_parser(d)
        return self.bb.parse.handle(str(self.layer / "conf/layer.conf"), d, True)


SIGNED = (("FIELDGATE_SIGN_KEY", "/keys/key.pem"), ("FIELDGATE_SIGN_CERT", "/keys/cert.pem"))


def parse(parser: Parser) -> None:
    """Every recipe for every machine, every append beside it."""
    recipes = sorted(parser.layer.glob("recipes-*/*/*.bb"))
    appends = sorted([*parser.layer.glob("**/*.bbappend")])
    holds(len(recipes) >= 4 and len(appends) >= 2, f"{len(recipes)} recipes, {len(appends)} appends: too few")
    for append in appends:
        # Read by itself, an append has no name of its own: it stands in for the recipe.
        shutil.copy(append, append.with_suffix(".bb"))
    alone = [append.with_suffix(".bb") for append in appends]
    for machine in MACHINES:
        for recipe in [*recipes, *alone]:
            try:
                d = parser.recipe(recipe, machine, SIGNED)
                holds(not d.getVar("__SKIPPED"), f"{recipe.name} for {machine}: {d.getVar('__SKIPPED')}")
            except (Exception, SystemExit) as err:  # whatever the parser has to say
                problems.append(f"{recipe.name} for {machine}: {type(err).__name__}: {err}")
    print(f"{len(recipes)} recipes and {len(appends)} appends, each for {len(MACHINES)} machines")


def values(parser: Parser) -> None:
    """What is in force in the end, not what is written somewhere."""
    image = parser.layer / "recipes-core/images/fieldgate-image.bb"
    gateway = next(parser.layer.glob("recipes-fieldgate/fieldgate/fieldgate_*.bb"))
    bundle = parser.layer / "recipes-core/bundles/fieldgate-bundle.bb"
    for machine, overrides in MACHINES.items():
        d = parser.recipe(image, machine)
        layout = "fieldgate-rpi.wks.in" if "rpi" in overrides else "fieldgate-efi.wks.in"
        holds(d.getVar("WKS_FILE") == layout, f"{machine}: WKS_FILE is {d.getVar('WKS_FILE')}")
        holds((parser.layer / "files/wic" / layout).is_file(), f"{machine}: no {layout}")
        features = set((d.getVar("IMAGE_FEATURES") or "").split())
        holds(features == {"read-only-rootfs"}, f"{machine}: IMAGE_FEATURES are {sorted(features)}")
        installed = set((d.getVar("IMAGE_INSTALL") or "").split())
        wanted = {"fieldgate", "fieldgate-boot", "rauc", "chrony", "chronyc", "kernel-image"}
        holds(wanted <= installed, f"{machine}: not installed: {sorted(wanted - installed)}")
        doors = [name for name in installed if re.search(r"ssh|dropbear|telnet|debug", name)]
        holds(not doors, f"{machine}: {doors} in the image")
        holds("ext4" in d.getVar("IMAGE_FSTYPES").split(), f"{machine}: no ext4 for the bundle")
        distro = set(d.getVar("DISTRO_FEATURES").split())
        holds({"rauc", "seccomp", "usbhost"} <= distro, f"{machine}: DISTRO_FEATURES are {sorted(distro)}")
        radio = distro & {"wifi", "bluetooth", "nfc", "3g", "x11", "wayland", "ptest", "zeroconf", "debuginfod"}
        holds(not radio, f"{machine}: {sorted(radio)} are on")
        holds(d.getVar("INIT_MANAGER") == "systemd", f"{machine}: INIT_MANAGER is {d.getVar('INIT_MANAGER')}")

        d = parser.recipe(gateway, machine)
        holds(d.getVar("PV") == version(), f"recipe {d.getVar('PV')}, workspace {version()}")
        flags = d.getVar("CARGO_BUILD_FLAGS")
        holds("--frozen" in flags and "--profile image" in flags, f"cargo is called with {flags}")
        holds("--bin fieldgate" in flags and "--release" not in flags, f"cargo is called with {flags}")
        holds(d.getVar("CARGO_TARGET_SUBDIR").endswith("/image"), d.getVar("CARGO_TARGET_SUBDIR"))
        holds("fieldgate.service" in d.getVar("SYSTEMD_SERVICE:fieldgate").split(), "the unit is not enabled")

        d = parser.recipe(bundle, machine, SIGNED)
        holds(d.getVar("RAUC_BUNDLE_FORMAT") == "verity", "the bundle is not verity")
        holds(d.getVar("RAUC_BUNDLE_COMPATIBLE") == f"fieldgate-{machine}", "the bundle fits another machine")
        holds(d.getVarFlag("RAUC_SLOT_rootfs", "fstype") == "ext4", "the bundle has another file system")
        skipped = parser.recipe(bundle, machine).getVar("__SKIPPED") or ""
        holds("FIELDGATE_SIGN_KEY" in skipped, f"an update without a key is built: {skipped}")
    layer = parser.layer_settings()
    holds(layer.getVar("LAYERSERIES_COMPAT_fieldgate") == RELEASE, "the layer is for another release")
    distro = parser.settings("qemuarm64")
    holds(distro.getVar("DISTRO_VERSION") == version(), "the distribution has another version")
    print(f"final values for {', '.join(MACHINES)}")


def crates() -> None:
    """The generated list has exactly the crates of the lock file, each with its checksum."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    wanted = {(p["name"], p["version"], p["checksum"]) for p in lock if "source" in p}
    text = generated()
    sums = dict(re.findall(r'^SRC_URI\[(\S+)\.sha256sum\] = "([0-9a-f]{64})"$', text, re.M))
    uris = re.findall(r"crate://crates\.io/([^/\s]+)/(\S+)", text)
    found = {(name, number, sums.get(f"{name}-{number}")) for name, number in uris}
    holds(found == wanted, f"missing {sorted(wanted - found)[:5]}, too many {sorted(found - wanted)[:5]}")
    holds(len(uris) == len(wanted) == len(sums), f"{len(uris)} addresses, {len(sums)} sums, {len(wanted)} crates")
    tracked = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "yocto/*crates*", "yocto/*.tar.gz"], check=True, stdout=subprocess.PIPE
    ).stdout
    holds(not tracked, f"committed although it is generated: {tracked.decode()}")
    print(f"{len(uris)} crates")


def layout() -> None:
    """What the disk is cut into is what RAUC, systemd and the boot loaders look for."""
    system = (LAYER / "recipes-core/rauc/files/system.conf").read_text()
    slots = re.findall(r"^device=/dev/disk/by-partlabel/(\S+)$", system, re.M)
    holds(slots == ["rootfs_a", "rootfs_b"], f"RAUC's slots are {slots}")
    holds("bundle-formats=-plain" in system and "check-purpose=codesign" in system, "RAUC takes weaker bundles")
    data = (ROOT / "gateway/packaging/appliance/data.mount").read_text()
    holds("What=/dev/disk/by-partlabel/data\n" in data, "data.mount looks for another partition")
    for name in ("fieldgate-efi.wks.in", "fieldgate-rpi.wks.in"):
        text = (LAYER / "files/wic" / name).read_text()
        parts = [line for line in text.splitlines() if line.startswith("part ")]
        labels = [re.search(r"--part-name (\S+)", line)[1] for line in parts]
        holds(labels == ["boot", "rootfs_a", "rootfs_b", "data"], f"{name}: {labels}")
        sizes = [re.search(r"--fixed-size (\S+)", line)[1] for line in parts]
        holds(sizes[1] == sizes[2] == "${FIELDGATE_SLOT_SIZE}", f"{name}: the slots differ: {sizes}")
        holds("--ptable gpt" in text, f"{name}: only GPT has partition names")
    boot = next(LAYER.glob("dynamic-layers/**/boot.cmd.in")).read_text()
    holds("setenv part 2" in boot and "setenv part 3" in boot, "boot.cmd.in names other partitions")
    for script in (boot, (LAYER / "files/wic/fieldgate-grub.cfg").read_text()):
        holds("rauc.slot=$" in script and "root=PARTLABEL=$" in script, "a boot script names no slot")
        holds(" ro " in script, "a boot script mounts the root for writing")
    print("partitions, slots and boot scripts agree")


def kas() -> None:
    """Every kas file is one, and names the release."""
    import jsonschema
    import yaml
    import kas as package

    schema = json.loads((pathlib.Path(package.__file__).parent / "schema-kas.json").read_text())
    files = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((YOCTO / "kas").glob("*.yml"))}
    for name, content in files.items():
        for err in jsonschema.Draft202012Validator(schema).iter_errors(content):
            problems.append(f"{name}.yml: {err.message}")
        for repo, where in content.get("repos", {}).items():
            known = where.get("branch")
            if "url" in where and repo != "bitbake":
                holds(known == RELEASE, f"{name}.yml: {repo} is of {known}")
        holds(name == "base" or content["machine"] == name, f"{name}.yml builds {content.get('machine')}")
    holds(set(files) == {"base", *MACHINES}, f"kas files: {sorted(files)}")
    print(f"{len(files)} kas files")


def lint(parser: Parser) -> None:
    """oelint-adv over the layer; the rules that are off stand in a file, each with its reason."""
    layer = parser.layer
    files = sorted([*layer.glob("recipes-*/**/*.bb"), *layer.glob("**/*.bbappend"), *layer.glob("conf/**/*.conf")])
    rules = (HERE / "oelint-off.txt").read_text().splitlines()
    off = [line.split()[0] for line in rules if line and not line.startswith("#")]
    linter = [pathlib.Path(sys.executable).parent / "oelint-adv", "--quiet", "--exit-zero", "--release", RELEASE]
    done = subprocess.run(
        [*linter, f"--constantmods=+{HERE}/oelint-constants.json", *[f"--suppress={rule}" for rule in off], *files],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        # It asks for home pages even where nobody wants to know: no network, no waiting.
        env={**os.environ, "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"},
    )
    holds(done.returncode == 0, f"oelint-adv ended with {done.returncode}")
    problems.extend(line for line in done.stdout.splitlines() if line.strip())
    print(f"{len(files)} files linted, {len(off)} rules off")


def main() -> None:
    what = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)
    if what in ("parse", "values", "lint"):
        with tempfile.TemporaryDirectory() as folder:
            {"parse": parse, "values": values, "lint": lint}[what](Parser(folder))
    else:
        {"crates": crates, "layout": layout, "kas": kas}[what]()
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.stdout.flush()
    # The parser leaves threads behind; nothing is waited for.
    os._exit(1 if problems else 0)


if __name__ == "__main__":
    main()
