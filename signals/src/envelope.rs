//! Envelopes: messages on their way out of the gateway.

use crate::Offset;

/// One message as it will be published, whatever happens in between: its bytes are made once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Envelope {
    /// The journal record it was made from; forwarding resumes behind the last one.
    pub source: Offset,
    /// The payload, which carries `gateway`, `stream` and `seq`.
    pub payload: Vec<u8>,
}
