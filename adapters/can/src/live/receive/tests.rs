use std::net::UdpSocket;
use std::time::Instant;

use super::*;

/// Two sockets of the loopback interface: what is sent by the one, the other receives. Times,
/// counts of lost messages and calls are those of any Linux socket.
struct Pair {
    sender: UdpSocket,
    hearer: UdpSocket,
}

impl Pair {
    fn new() -> Self {
        let hearer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(hearer.local_addr().unwrap()).unwrap();
        prepare(hearer.as_fd()).unwrap();
        let pair = Self { sender, hearer };
        pair.wait_for_times_of_arrival();
        pair
    }

    /// The kernel begins to stamp at arrival a moment after the first socket has asked for it
    /// (`net_enable_timestamp` defers it to a work queue); until then a message has the time at
    /// which it was read.
    fn wait_for_times_of_arrival(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            self.send(0);
            let sent = wall_micros();
            let at = self.drain().first().map(|(_, at, _)| at.micros());
            if at.is_some_and(|at| at <= sent) {
                return;
            }
            assert!(Instant::now() < deadline, "no message has the time of its arrival");
        }
    }

    fn send(&self, number: u32) {
        let mut message = [0_u8; libc::CAN_MTU];
        message[8..12].copy_from_slice(&number.to_le_bytes());
        self.sender.send(&message).unwrap();
    }

    /// Numbers, times and counts of everything that waits.
    fn drain(&self) -> Vec<(u32, Timestamp, u32)> {
        let mut seen = Vec::new();
        loop {
            let taken = receive(self.hearer.as_fd(), |received| {
                let number = u32::from_le_bytes(received.bytes[8..12].try_into().unwrap());
                seen.push((number, received.at.unwrap(), received.lost.unwrap_or(0)));
            });
            match taken {
                Ok(count) => assert!((1..=MESSAGES_MAX).contains(&count)),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    return seen;
                }
            }
        }
    }
}

/// The kernel's wall clock, µs since 1970.
fn wall_micros() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the kernel's own clock is the judge")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_micros()).unwrap()
}

#[test]
fn messages_of_many_calls_come_in_order_each_with_its_time() {
    let pair = Pair::new();
    (0..200).for_each(|number| pair.send(number));
    let seen = pair.drain();
    assert_eq!(seen.iter().map(|(n, ..)| *n).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
    assert!(seen.is_sorted_by_key(|(_, at, _)| *at));
    let age = wall_micros() - seen[0].1.micros();
    assert!(age < 10_000_000, "{age} µs");
}

#[test]
fn a_queue_that_ran_over_says_how_many_are_missing_with_the_next_message() {
    let pair = Pair::new();
    // A buffer of a few messages.
    setsockopt(&pair.hearer, sockopt::RcvBuf, &4_096).unwrap();
    (0..1_000).for_each(|number| pair.send(number));
    let first = pair.drain();
    assert!(first.len() < 1_000, "nothing was lost");
    pair.send(1_000);
    let deadline = Instant::now() + Duration::from_secs(10);
    let next = loop {
        if let Some(next) = pair.drain().first() {
            break *next;
        }
        assert!(Instant::now() < deadline, "the message did not come");
    };
    let missing = 1_000 - u32::try_from(first.len()).unwrap();
    assert_eq!((next.0, next.2), (1_000, missing));
}

#[test]
fn a_message_is_read_as_the_kernel_lays_it_out() {
    let mut frame = Frame::default();
    let mut classic = [0_u8; libc::CAN_MTU];
    classic[..4].copy_from_slice(&(0x18FE_F100 | libc::CAN_EFF_FLAG).to_ne_bytes());
    classic[4] = 2;
    classic[8..12].copy_from_slice(&[0xAB, 0xCD, 0xEE, 0xEE]);
    assert!(read_frame(&classic, &mut frame));
    assert_eq!((frame.id, frame.extended, frame.fd), (0x18FE_F100, true, false));
    assert_eq!(frame.bytes(), [0xAB, 0xCD]);
    assert_eq!(frame.payload[2], 0, "what stands behind the length is not taken");
    let mut long = [0_u8; libc::CANFD_MTU];
    long[..4].copy_from_slice(&0x123_u32.to_ne_bytes());
    (long[4], long[5]) = (64, 0x05);
    long[8..].fill(7);
    assert!(read_frame(&long, &mut frame));
    assert_eq!((frame.fd, frame.fd_flags, frame.bytes()), (true, 0x01, &[7; 64][..]));
}

#[test]
fn remote_and_error_frames_are_told_by_their_flags() {
    let mut frame = Frame::default();
    let mut message = [0_u8; libc::CAN_MTU];
    message[..4].copy_from_slice(&(0x123 | libc::CAN_RTR_FLAG).to_ne_bytes());
    message[4] = 8;
    message[8..].fill(9);
    assert!(read_frame(&message, &mut frame));
    assert_eq!((frame.kind, frame.id, frame.len), (FrameKind::Remote, 0x123, 8));
    assert_eq!(frame.payload, [0; 64]);
    message[..4].copy_from_slice(&(0x40 | libc::CAN_ERR_FLAG).to_ne_bytes());
    assert!(read_frame(&message, &mut frame));
    assert_eq!((frame.kind, frame.id, frame.extended), (FrameKind::Error, 0x40, false));
}

#[test]
fn messages_of_other_lengths_or_with_impossible_ones_are_no_frames() {
    let mut frame = Frame::default();
    for bytes in 0..100 {
        let is_frame = bytes == libc::CAN_MTU || bytes == libc::CANFD_MTU;
        assert_eq!(read_frame(&vec![0; bytes], &mut frame), is_frame, "{bytes}");
    }
    let mut message = [0_u8; libc::CAN_MTU];
    message[4] = 9;
    assert!(!read_frame(&message, &mut frame));
}
