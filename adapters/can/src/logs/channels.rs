//! Channels: the buses of a log, by name or by number.

/// Channels told apart in one log.
pub const CHANNELS_MAX: usize = 64;

const TOO_MANY: &str = "more interfaces than one log can have";

/// Interface names in the order in which they appeared.
#[derive(Debug, Default)]
pub(super) struct Channels {
    names: Vec<String>,
    /// Numbers that have been given a name.
    numbers: Vec<(u32, u16)>,
}

impl Channels {
    /// All names; [`Frame::channel`](crate::frame::Frame::channel) is a place in here.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of a name; it is added when it is new.
    pub(super) fn named(&mut self, name: &[u8]) -> Result<u16, &'static str> {
        let place = match self.names.iter().position(|known| known.as_bytes() == name) {
            Some(place) => place,
            None if self.names.len() < CHANNELS_MAX => {
                self.names.push(String::from_utf8_lossy(name).into_owned());
                self.names.len() - 1
            }
            None => return Err(TOO_MANY),
        };
        u16::try_from(place).map_err(|_| TOO_MANY)
    }

    /// The place of a channel that the log numbers from 1: 1 is `can0`, as candump calls it.
    pub(super) fn numbered(&mut self, number: u32) -> Result<u16, &'static str> {
        if let Some((_, place)) = self.numbers.iter().find(|(known, _)| *known == number) {
            return Ok(*place);
        }
        let place = self.named(format!("can{}", number.saturating_sub(1)).as_bytes())?;
        if self.numbers.len() < CHANNELS_MAX {
            self.numbers.push((number, place));
        }
        Ok(place)
    }
}
