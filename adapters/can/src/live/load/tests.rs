use proptest::prelude::*;

use super::*;

fn frame(id: u32, extended: bool, bytes: &[u8]) -> Frame {
    let mut frame =
        Frame { id, extended, len: u8::try_from(bytes.len()).unwrap(), ..Frame::default() };
    frame.payload[..bytes.len()].copy_from_slice(bytes);
    frame
}

/// The bits of a classic frame up to its checksum, one by one, and the checksum bit by bit: the
/// standard's own procedure, sharing nothing with the tables.
fn slow_classic(frame: &Frame) -> u64 {
    let mut bits = vec![0_u8];
    let put = |bits: &mut Vec<u8>, value: u32, count: u32| {
        bits.extend((0..count).rev().map(|place| u8::try_from(value >> place & 1).unwrap()));
    };
    let remote = u32::from(frame.kind == FrameKind::Remote);
    if frame.extended {
        put(&mut bits, frame.id >> 18, 11);
        put(&mut bits, 0b11, 2);
        put(&mut bits, frame.id & 0x3_FFFF, 18);
        put(&mut bits, remote, 1);
        put(&mut bits, 0, 2);
    } else {
        put(&mut bits, frame.id, 11);
        put(&mut bits, remote, 1);
        put(&mut bits, 0, 2);
    }
    put(&mut bits, u32::from(frame.len), 4);
    frame.bytes().iter().for_each(|byte| put(&mut bits, u32::from(*byte), 8));
    let mut crc = 0_u32;
    for bit in &bits {
        let next = u32::from(*bit) ^ (crc >> 14 & 1);
        crc = crc << 1 & 0x7FFF;
        if next == 1 {
            crc ^= 0x4599;
        }
    }
    put(&mut bits, crc, 15);
    let (mut sent, mut last, mut run) = (0, 2, 0);
    for bit in bits {
        run = if bit == last { run + 1 } else { 1 };
        last = bit;
        sent += 1;
        if run == 5 {
            sent += 1;
            last = 1 - bit;
            run = 1;
        }
    }
    sent + 13
}

proptest! {
    #[test]
    fn a_classic_frame_has_the_bits_that_the_procedure_of_the_standard_gives(
        id in 0_u32..=0x1FFF_FFFF,
        extended: bool,
        remote: bool,
        // Few different bytes make many runs.
        bytes in prop::collection::vec(
            prop::sample::select(vec![0x00, 0xFF, 0x07, 0xE0, 0x1F, 0xA5]), 0..=8),
    ) {
        let mut frame = frame(if extended { id } else { id & 0x7FF }, extended, &bytes);
        if remote {
            frame.kind = FrameKind::Remote;
        }
        let wanted = WireBits { nominal: slow_classic(&frame), fast: 0 };
        prop_assert_eq!(WireBits::of(&frame), wanted);
    }
}

#[test]
fn frames_without_a_run_of_five_have_the_lengths_of_the_textbook() {
    // Without stuffing: 47 and 67 bits with the pause, and 8 per byte. These have one stuff bit
    // or a few more: the bound from above is the standard's worst case.
    let bits = |frame: &Frame| WireBits::of(frame).nominal;
    for len in 0..=8_u64 {
        let bytes = vec![0x55; usize::try_from(len).unwrap()];
        let standard = bits(&frame(0x555, false, &bytes));
        let worst = 47 + 8 * len + (33 + 8 * len) / 4;
        assert!((47 + 8 * len..=worst).contains(&standard), "{len}: {standard}");
        let extended = bits(&frame(0x1555_5555, true, &bytes));
        let worst = 67 + 8 * len + (53 + 8 * len) / 4;
        assert!((67 + 8 * len..=worst).contains(&extended), "{len}: {extended}");
    }
}

#[test]
fn a_fd_frame_spends_its_payload_at_the_higher_rate_only_when_it_switches() {
    let mut plain = frame(0x555, false, &[0x55; 64]);
    plain.fd = true;
    // 17 header bits without a run of five, ESI and length code 15 after 0b..0: `0 1111` and the
    // payload 0101… hold no run of five either.
    let (header, payload) = (17, 5 + 512 + FD_CHECK_BITS_21);
    let wanted = WireBits { nominal: header + payload + 13, fast: 0 };
    assert_eq!(WireBits::of(&plain), wanted);
    let switched = Frame { fd_flags: FD_RATE_SWITCHED, ..plain };
    let wanted = WireBits { nominal: header + 13, fast: payload };
    assert_eq!(WireBits::of(&switched), wanted);
}

#[test]
fn a_run_of_five_at_the_end_of_a_fd_payload_is_followed_by_the_fixed_bit_alone() {
    let bits = |last: u8| {
        let mut frame = frame(0x555, false, &[0x55, last]);
        frame.fd = true;
        WireBits::of(&frame).nominal
    };
    // 0x5F ends in five equal bits, 0x57 in three.
    assert_eq!(bits(0x5F), bits(0x57));
}

#[test]
fn seconds_need_the_rate_of_every_bit_there_is() {
    let bits = WireBits { nominal: 500, fast: 2_000 };
    let about = |seconds: Option<f64>, wanted: f64| (seconds.unwrap() - wanted).abs() < 1e-12;
    assert!(about(bits.seconds(Some(500_000), Some(2_000_000)), 0.002));
    // Without a rate of its own the payload goes at the nominal one.
    assert!(about(bits.seconds(Some(500_000), None), 0.005));
    assert_eq!(bits.seconds(None, Some(2_000_000)), None);
    assert_eq!(WireBits::default().seconds(None, None), Some(0.0));
}
