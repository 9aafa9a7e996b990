//! Makes cargo notice a rebuilt page: a binary compiled before would go on serving the old one.

fn main() {
    println!("cargo:rerun-if-changed=ui/dist");
}
