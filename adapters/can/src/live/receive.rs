//! Receive: a socket that hears one interface, and the messages of many frames in one call.
//!
//! In: a name and filters. Out: frames with the kernel's time of arrival and its count of frames
//! that found the queue full.
//! X-1 Nothing here can send: the socket is private, and what is offered only reads.
//! X-2 What the kernel hands over is read as far as it is well formed; nothing else is believed.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, getsockopt, recvmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use signals::Timestamp;
use socket2::{Domain, Protocol, SockAddr, Type};
use socketcan::{CanAddr, CanFdSocket, CanFilter, Socket as _, SocketOptions as _};

use crate::frame::{EXTENDED_ID_MAX, Frame, FrameKind, STANDARD_ID_MAX};

/// Messages of one call.
const MESSAGES_MAX: usize = 64;
/// Bytes of the longest message, `struct canfd_frame`.
const MESSAGE_BYTES: usize = libc::CANFD_MTU;
/// Receive buffer asked for: 10,923 frames as the kernel accounts for them, more than half a second
/// of a full bus at 1 Mbit/s.
const BUFFER_BYTES: usize = 8 << 20;
/// Filters that the kernel takes for one socket (`CAN_RAW_FILTER_MAX`).
pub(crate) const FILTERS_MAX: usize = 512;
/// Place of the drop count in what `SO_MEMINFO` gives (`SK_MEMINFO_DROPS`).
const MEMINFO_DROPS: usize = 8;

/// Which identifiers to let through: an identifier with its flags, and the bits that count.
pub(crate) type IdFilter = (u32, u32);

/// A message as it was received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Received<'a> {
    /// The bytes of `struct can_frame` or `struct canfd_frame`.
    pub(crate) bytes: &'a [u8],
    /// When the kernel received it, by its wall clock; `None` when it did not say.
    pub(crate) at: Option<Timestamp>,
    /// Frames that found the queue full since the socket was opened, as of this message; `None`
    /// while there were none.
    pub(crate) lost: Option<u32>,
}

/// A socket that hears one interface.
pub(crate) struct Receiver {
    socket: CanFdSocket,
    /// Number of the interface it was bound to.
    pub(crate) index: u32,
    /// Receive buffer that was granted, in bytes as the kernel accounts for them.
    pub(crate) buffer_bytes: usize,
}

impl Receiver {
    /// Opens a socket on the interface with number `index`; an empty list of filters lets all
    /// frames through. Error frames always come.
    ///
    /// Every option is set before the socket is bound: no frame comes without its time.
    ///
    /// # Errors
    /// Those of the system; `ENODEV` when there is no such interface, or it is none of CAN.
    pub(crate) fn open(index: u32, filters: &[IdFilter]) -> io::Result<Self> {
        let raw = socket2::Socket::new_raw(
            Domain::from(libc::AF_CAN),
            Type::RAW,
            Some(Protocol::from(libc::CAN_RAW)),
        )?;
        raw.set_nonblocking(true)?;
        let socket = CanFdSocket::from(std::os::fd::OwnedFd::from(raw));
        socket.set_socket_option_int(libc::SOL_CAN_RAW, libc::CAN_RAW_FD_FRAMES, 1)?;
        socket.set_error_filter_accept_all()?;
        let buffer_bytes = prepare(socket.as_fd())?;
        let receiver = Self { socket, index, buffer_bytes };
        if !filters.is_empty() {
            receiver.set_filters(filters)?;
        }
        receiver.socket.as_raw_socket().bind(&SockAddr::from(CanAddr::new(index)))?;
        Ok(receiver)
    }

    /// Lets other frames through from now on; an empty list lets all through. Frames that wait in
    /// the queue stay.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn set_filters(&self, filters: &[IdFilter]) -> io::Result<()> {
        // To the kernel an empty list is a socket that hears nothing.
        let filters = if filters.is_empty() { &[(0, 0)] } else { filters };
        let filters: Vec<CanFilter> =
            filters.iter().map(|(id, mask)| CanFilter::new(*id, *mask)).collect();
        self.socket.set_filters(&filters)
    }

    /// Waits up to `span` for a frame or an error; whether there is one.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn wait(&self, span: Duration) -> io::Result<bool> {
        let mut wanted = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(span).unwrap_or(PollTimeout::MAX);
        match poll(&mut wanted, patience) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Hands up to 64 messages to `take`, in the order of their arrival; how many there were.
    ///
    /// # Errors
    /// `WouldBlock` when none waits. `ENETDOWN` once when the interface was set down, `ENODEV` once
    /// when it was removed.
    pub(crate) fn receive(&self, take: impl FnMut(Received<'_>)) -> io::Result<usize> {
        receive(self.socket.as_fd(), take)
    }

    /// Frames that found the queue full since the socket was opened, up to now.
    pub(crate) fn lost(&self) -> Option<u32> {
        let mut bytes = [0; 4 * (MEMINFO_DROPS + 1)];
        let (level, name) = (libc::SOL_SOCKET, libc::SO_MEMINFO);
        let read = self.socket.get_socket_option_bytes(level, name, &mut bytes).ok()?;
        let word = bytes.get(..read)?.chunks_exact(4).nth(MEMINFO_DROPS)?;
        Some(u32::from_ne_bytes(word.try_into().ok()?))
    }
}

/// Asks for times, for the count of lost frames and for a large buffer; the buffer granted.
fn prepare(socket: BorrowedFd<'_>) -> io::Result<usize> {
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    setsockopt(&socket, sockopt::RxqOvfl, &1)?;
    // The kernel doubles what is asked. Beyond `net.core.rmem_max` it takes CAP_NET_ADMIN.
    let half = BUFFER_BYTES / 2;
    if setsockopt(&socket, sockopt::RcvBufForce, &half).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &half)?;
    }
    Ok(getsockopt(&socket, sockopt::RcvBuf)?)
}

/// Whether `granted` bytes are what was asked for.
pub(crate) const fn is_large_enough(granted: usize) -> bool {
    granted >= BUFFER_BYTES
}

fn receive(socket: BorrowedFd<'_>, mut take: impl FnMut(Received<'_>)) -> io::Result<usize> {
    let mut buffers = [[0_u8; MESSAGE_BYTES]; MESSAGES_MAX];
    let mut slices: Vec<[IoSliceMut<'_>; 1]> =
        buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
    // Made anew for every call: the kernel shortens the lengths in it to what it wrote.
    let space = cmsg_space!(TimeSpec, u32);
    let mut headers = MultiHeaders::<()>::preallocate(MESSAGES_MAX, Some(space));
    let flags = MsgFlags::MSG_DONTWAIT;
    let messages = recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None)?;
    let mut count = 0;
    for message in messages {
        count += 1;
        let (mut at, mut lost) = (None, None);
        // Control messages that were cut short cannot be told from others: none is believed.
        for control in message.cmsgs().into_iter().flatten() {
            if let ControlMessageOwned::ScmTimestampns(time) = control {
                at = timestamp(time);
            } else if let ControlMessageOwned::RxqOvfl(count) = control {
                lost = Some(count);
            }
        }
        let bytes = message.iovs().next().unwrap_or_default();
        take(Received { bytes, at, lost });
    }
    Ok(count)
}

fn timestamp(time: TimeSpec) -> Option<Timestamp> {
    let micros = time.tv_sec().checked_mul(1_000_000)?.checked_add(time.tv_nsec() / 1_000)?;
    Some(Timestamp::from_micros(micros))
}

/// Reads a message into `frame`; false when it is no frame of CAN.
///
/// `linux/can.h`: identifier with flags in the machine's byte order, length, flags, two bytes,
/// payload.
pub(crate) fn read_frame(bytes: &[u8], frame: &mut Frame) -> bool {
    let is_fd = match bytes.len() {
        libc::CAN_MTU => false,
        MESSAGE_BYTES => true,
        _ => return false,
    };
    let [a, b, c, d, len, flags, _, _, payload @ ..] = bytes else { return false };
    let word = u32::from_ne_bytes([*a, *b, *c, *d]);
    let kind = if word & libc::CAN_ERR_FLAG != 0 {
        FrameKind::Error
    } else if word & libc::CAN_RTR_FLAG != 0 {
        FrameKind::Remote
    } else {
        FrameKind::Data
    };
    let extended = word & libc::CAN_EFF_FLAG != 0 && kind != FrameKind::Error;
    let is_short = !extended && kind != FrameKind::Error;
    let id = word & if is_short { STANDARD_ID_MAX } else { EXTENDED_ID_MAX };
    let Some(len) = Some(*len).filter(|len| usize::from(*len) <= payload.len()) else {
        return false;
    };
    *frame = Frame {
        id,
        extended,
        fd: is_fd,
        fd_flags: if is_fd { *flags & FD_FLAGS } else { 0 },
        kind,
        len,
        ..Frame::default()
    };
    // Past the length a controller may have left anything.
    if kind != FrameKind::Remote {
        let sent = payload.iter().take(usize::from(len));
        frame.payload.iter_mut().zip(sent).for_each(|(to, from)| *to = *from);
    }
    true
}

/// Flags of CAN FD frames that say something: the kernel adds one that says that it is one.
const FD_FLAGS: u8 = crate::frame::FD_RATE_SWITCHED | crate::frame::FD_SENDER_PASSIVE;

#[cfg(test)]
mod tests;
