use super::*;
use crate::frame::FrameKind;

/// The error frame that `cansend <id>#<bytes>` injects.
fn report(id: u32, bytes: [u8; 8]) -> Report {
    let mut frame = Frame { id, kind: FrameKind::Error, len: 8, ..Frame::default() };
    frame.payload[..8].copy_from_slice(&bytes);
    Report::of(&frame)
}

#[test]
fn bus_off_and_a_restart_are_states_and_causes() {
    let off = report(0x040, [0; 8]);
    assert_eq!((off.causes, off.confinement), (vec![Cause::BusOff], Some(Confinement::BusOff)));
    let again = report(0x100, [0; 8]);
    let wanted = (vec![Cause::Restarted], Some(Confinement::Active));
    assert_eq!((again.causes, again.confinement), wanted);
}

#[test]
fn warning_in_both_directions_is_one_cause_and_passive_outweighs_it() {
    let warning = report(0x004, [0, 0x0C, 0, 0, 0, 0, 0, 0]);
    let wanted = (vec![Cause::Warning], Some(Confinement::Warning));
    assert_eq!((warning.causes, warning.confinement), wanted);
    let passive = report(0x004, [0, 0x3C, 0, 0, 0, 0, 0, 0]);
    let wanted = (vec![Cause::Warning, Cause::Passive], Some(Confinement::Passive));
    assert_eq!((passive.causes, passive.confinement), wanted);
    let active = report(0x004, [0, 0x40, 0, 0, 0, 0, 0, 0]);
    assert_eq!(active.confinement, Some(Confinement::Active));
}

#[test]
fn counters_are_believed_only_when_the_frame_says_that_it_has_them() {
    assert_eq!(report(0x200, [0, 0, 0, 0, 0, 0, 97, 3]).counters, Some((97, 3)));
    assert_eq!(report(0x080, [0, 0, 0, 0, 0, 0, 97, 3]).counters, None);
}

#[test]
fn protocol_errors_are_told_apart_by_type_and_by_place() {
    assert_eq!(report(0x088, [0, 0, 0x04, 0, 0, 0, 0, 0]).causes, [Cause::Stuff, Cause::BusError]);
    assert_eq!(report(0x008, [0, 0, 0x88, 0, 0, 0, 0, 0]).causes, [Cause::Bit]);
    assert_eq!(report(0x008, [0, 0, 0, 0x08, 0, 0, 0, 0]).causes, [Cause::Crc]);
    assert_eq!(report(0x008, [0, 0, 0, 0x19, 0, 0, 0, 0]).causes, [Cause::NoAck]);
    assert_eq!(report(0x008, [0, 0, 0x80, 0x0A, 0, 0, 0, 0]).causes, [Cause::Protocol]);
    assert_eq!(report(0x020, [0; 8]).causes, [Cause::NoAck]);
    assert_eq!(report(0x004, [0, 0x01, 0, 0, 0, 0, 0, 0]).causes, [Cause::ReceiveOverflow]);
}

#[test]
fn every_error_frame_has_a_cause_and_counts_add_up() {
    let mut counts = CauseCounts::default();
    let before = counts;
    for bits in 0..0x400 {
        let causes = report(bits, [0xFF; 8]).causes;
        // The counters alone are not an error: such a frame counts as unknown.
        assert!(!causes.is_empty(), "{bits:x}");
        for cause in causes {
            counts.count(cause);
        }
    }
    let added = counts.since(&before);
    assert_eq!(added, counts);
    assert!(counts.iter().all(|(_, count)| count > 0));
    assert_eq!(counts.since(&counts), CauseCounts::default());
}
