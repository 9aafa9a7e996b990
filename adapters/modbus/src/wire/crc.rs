//! The checksum of RTU frames (Modbus over Serial Line V1.02, clause 2.5.1.2 and appendix B).

/// CRC-16 of one byte after another: polynomial 0xA001, reflected.
const TABLE: [u16; 256] = table();

/// The checksum of `bytes`; on the line its low byte comes first.
pub(super) fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc: u16, byte| {
        let [low, high] = crc.to_le_bytes();
        let step = TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default();
        step ^ u16::from(high)
    })
}

/// Whether the last two bytes of a frame are the checksum of those before.
pub(super) fn is_right(frame: &[u8]) -> bool {
    let Some((body, stated)) = frame.split_last_chunk::<2>() else { return false };
    u16::from_le_bytes(*stated) == crc(body)
}

#[expect(clippy::indexing_slicing, reason = "the index runs over the array's own length")]
const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte: u16 = 0;
    while byte < 256 {
        let mut crc = byte;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xA001 } else { crc >> 1 };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{crc, is_right};

    #[test]
    fn the_example_of_the_serial_line_guide_has_its_checksum() {
        assert_eq!(crc(&[0x02, 0x07]), 0x1241, "appendix B");
        assert_eq!(crc(b"123456789"), 0x4B37, "the check value of CRC-16/MODBUS");
        assert!(is_right(&[0x02, 0x07, 0x41, 0x12]));
        assert!(!is_right(&[0x02, 0x07, 0x12, 0x41]) && !is_right(&[0x41]));
    }
}
