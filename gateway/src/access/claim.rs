//! The code that makes the first admin. In `DATA/claim-code`, mode 0600: whoever can read it has
//! the box already.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pipelines_flow::disk::RealDisk;
use signals::Disk as _;

use super::{kept, random};
use crate::audit::hash_of;

/// Digits without those that are taken for each other: no I, L, O, U (Crockford's base 32).
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Digits of a code: 60 bits.
const LENGTH: usize = 12;

/// The claim code of one gateway.
#[derive(Debug)]
pub struct ClaimCode {
    path: PathBuf,
}

impl ClaimCode {
    /// That in `data/claim-code`.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self { path: data.join("claim-code") }
    }

    /// The code, for example `7KQ2-M9XJ-4TB0`; made when there is none.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn current(&self) -> anyhow::Result<String> {
        if let Some(code) = self.kept()? {
            return Ok(code);
        }
        let told = || {
            format!(
                "{}: cannot be written; check the disk and its permissions",
                self.path.display()
            )
        };
        let mut bits = random().with_context(told)?;
        let mut code = String::with_capacity(LENGTH + 2);
        for place in 0..LENGTH {
            if place > 0 && place % 4 == 0 {
                code.push('-');
            }
            let digit = DIGITS.get(usize::try_from(bits % 32)?).copied().unwrap_or(b'0');
            code.push(char::from(digit));
            bits /= 32;
        }
        kept::publish(&self.path, code.as_bytes()).with_context(told)?;
        Ok(code)
    }

    /// Whether that is the code. Spaces, hyphens and small letters are as good; O is 0, I and L are 1.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is(&self, given: &str) -> anyhow::Result<bool> {
        let Some(code) = self.kept()? else { return Ok(false) };
        // Hashes are compared: how long it takes says nothing about the code.
        Ok(hash_of(plain(&code).as_bytes()) == hash_of(plain(given).as_bytes()))
    }

    /// There is no code any more.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn forget(&self) -> io::Result<()> {
        RealDisk.remove(&self.path)
    }

    fn kept(&self) -> anyhow::Result<Option<String>> {
        match std::fs::read_to_string(&self.path) {
            Ok(code) if plain(&code).len() == LENGTH => Ok(Some(code.trim().to_owned())),
            // Torn by whoever wrote it by hand: a new one is made.
            Ok(_) => Ok(None),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(err).with_context(|| {
                format!("{}: cannot be read; check its permissions", self.path.display())
            }),
        }
    }
}

fn plain(code: &str) -> String {
    let letters = code.chars().filter(char::is_ascii_alphanumeric).take(2 * LENGTH);
    let digit = |c: char| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    letters.map(digit).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_code_stays_until_it_is_used_and_is_read_as_people_write() {
        let data = tempfile::tempdir().unwrap();
        let claim = ClaimCode::of(data.path());
        assert!(!claim.is("").unwrap(), "no code is no code");
        let code = claim.current().unwrap();
        assert_eq!((code.len(), plain(&code).len()), (LENGTH + 2, LENGTH), "{code}");
        assert_eq!(claim.current().unwrap(), code);
        let mode = std::fs::metadata(data.path().join("claim-code")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let written = code.replace('-', " ").to_lowercase().replace('0', "o").replace('1', "l");
        assert!(claim.is(&written).unwrap());
        for wrong in ["", "0", &code[1..], &format!("{code}0")] {
            assert!(!claim.is(wrong).unwrap(), "{wrong}");
        }
        claim.forget().unwrap();
        assert!(!claim.is(&code).unwrap());
        assert_ne!(claim.current().unwrap(), code);
    }
}
