use super::*;
use crate::dbc::Database;
use crate::plan::Matching;
use crate::source::Source;

fn plan(text: &'static str, matching: Matching) -> DecodePlan {
    let source = Source::Embedded { name: "a.dbc".to_owned(), bytes: text.as_bytes() };
    DecodePlan::new(&[Database::load(&source).unwrap()], matching, |_, _| true)
}

/// Whether a filter of the kernel lets an identifier with its flags through (`af_can.c`).
fn passes(filters: &[IdFilter], id: u32) -> bool {
    filters.is_empty() || filters.iter().any(|(wanted, mask)| id & mask == wanted & mask)
}

#[test]
fn a_filter_for_11_bits_lets_no_29_bit_identifier_and_no_remote_frame_through() {
    let text = "BO_ 256 A: 8 X\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" X\n";
    let filters = filters_of(&plan(text, Matching::Exact));
    assert!(passes(&filters, 0x100));
    for id in [0x101, EXTENDED | 0x100, EXTENDED | 0x18FE_F100, REMOTE | 0x100] {
        assert!(!passes(&filters, id), "{id:X}");
    }
}

#[test]
fn a_filter_for_a_parameter_group_lets_every_priority_and_sender_through() {
    // 0x18FEF1FE and 0x18EAFFFE: cruise control, and a request, which goes to a destination.
    let text = "BO_ 2566844926 CCVS: 8 X\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" X\n\n\
                BO_ 2565537790 Request: 3 X\n SG_ T : 0|8@1+ (1,0) [0|0] \"\" X\n";
    let filters = filters_of(&plan(text, Matching::Pgn));
    for id in [0x18FE_F100, 0x0CFE_F1FE, 0x18EA_0017, 0x1CEC_FF00, 0x18EB_FF00] {
        assert!(passes(&filters, EXTENDED | id), "{id:X}");
    }
    for id in [EXTENDED | 0x18FE_F200, EXTENDED | 0x19FE_F100, 0x100] {
        assert!(!passes(&filters, id), "{id:X}");
    }
}

#[test]
fn nothing_in_this_crate_can_send_a_frame() {
    let sending = ["write_frame", "sendmsg", "sendmmsg", ".send(", ".send_to(", "transmit("];
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![folder];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                files += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                let found = sending.iter().find(|word| text.contains(**word));
                assert_eq!(found, None, "{}", path.display());
            }
        }
    }
    assert!(files > 30, "only {files} files were looked at");
}
