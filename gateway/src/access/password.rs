//! Passwords: argon2id, 19 MiB, two passes, one lane: the first choice of the OWASP password
//! storage cheat sheet. Some 30 ms on a PC, 150 on a small board.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};

use super::AccessError;

/// Characters a password must have.
const CHARACTERS_MIN: usize = 12;
/// Bytes it may have: hashing more is work for nothing.
pub(super) const BYTES_MAX: usize = 512;

/// What it must be to be taken: long, not one letter or a row of keys, not the name.
///
/// # Errors
/// What is wrong with it; never the password.
pub(super) fn check(password: &str, name: &str) -> Result<(), AccessError> {
    let unfit = |what: &str| {
        Err(AccessError::Unfit(format!(
            "the password {what}; take {CHARACTERS_MIN} characters or more, for example four words"
        )))
    };
    if password.chars().count() < CHARACTERS_MIN {
        return unfit("is too short");
    }
    if password.len() > BYTES_MAX {
        return unfit("is too long");
    }
    let lower = password.to_lowercase();
    let mut letters: Vec<char> = lower.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let rows = ["abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "qwertyuiopasdfghjklzxcvbnm"];
    let is_row = rows.iter().any(|row| row.contains(&lower));
    if letters.len() < 5 || is_row || lower.contains("password") || lower.contains("fieldgate") {
        return unfit("is easily guessed");
    }
    if name.chars().count() > 2 && lower.contains(&name.to_lowercase()) {
        return unfit("has the name in it");
    }
    Ok(())
}

/// Its hash, with a salt of its own, as a PHC string. Takes a while.
///
/// # Errors
/// When the operating system gives no salt or no memory.
pub(super) fn hash(password: &str) -> Result<String, AccessError> {
    let hashed: Result<PasswordHash, _> = Argon2::default().hash_password(password.as_bytes());
    let hashed = hashed.map_err(|err| anyhow::anyhow!("the password cannot be hashed: {err}"))?;
    Ok(hashed.to_string())
}

/// Whether it is the password of that hash. Takes as long when there is no hash, so that nobody
/// learns which users there are.
pub(super) fn is(password: &str, hash: Option<&str>) -> bool {
    static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| self::hash("nobody").ok());
    let known = hash.or(NOBODY.as_deref()).and_then(|hash| PasswordHash::new(hash).ok());
    let Some(known) = known else { return false };
    let matches = Argon2::default().verify_password(password.as_bytes(), &known).is_ok();
    matches && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_opens_only_its_own_hash() {
        let hashed = hash("four words make it").unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(is("four words make it", Some(&hashed)));
        assert!(!is("four words make it ", Some(&hashed)));
        assert_ne!(hash("four words make it").unwrap(), hashed, "no salt");
        assert!(!is("nobody", None), "there is no user of that name");
        assert!(!is("anything", Some("no hash")));
    }

    #[test]
    fn what_is_easily_guessed_is_not_taken() {
        for (password, name) in [
            ("elevenchars", "eva"),
            ("aaaaaaaaaaaaaaaa", "eva"),
            ("abababababab", "eva"),
            ("0123456789012", "eva"),
            ("qwertyuiopas", "eva"),
            ("MyPassword2026", "eva"),
            ("fieldgate-gw-7", "eva"),
            ("long-Adam-long", "adam"),
            (&"ab3!x".repeat(200), "eva"),
        ] {
            let err = check(password, name).expect_err(password).to_string();
            assert!(!err.contains(password), "{err}");
        }
        for password in ["four words make it", "dü8-äöüß-Ω-ξ9k", "Tr0ub4dor&3xyz"] {
            check(password, "eva").unwrap();
        }
    }
}
