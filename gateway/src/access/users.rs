//! People who log in at the page. Kept in `DATA/users.json`, mode 0600, with the hash of each
//! password.

use std::path::Path;

use serde::{Deserialize, Serialize};
use signals::Timestamp;

use super::kept::Kept;
use super::{AccessError, Role, check_name, password};
use crate::audit::hash_of;

/// Users there may be.
const USERS_MAX: usize = 64;

/// Somebody who logs in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    /// The `who` of records.
    pub name: String,
    /// What they may.
    pub role: Role,
    /// argon2id, as a PHC string.
    password: String,
    /// When they came.
    pub created: Timestamp,
}

impl User {
    /// Another one with every new password.
    pub(super) fn stamp(&self) -> String {
        hash_of(self.password.as_bytes())
    }

    /// Whether it is their password. Takes a while.
    pub(super) fn has_password(&self, password: &str) -> bool {
        password::is(password, Some(&self.password))
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Content {
    users: Vec<User>,
}

/// The users of one gateway.
#[derive(Debug)]
pub struct Users {
    kept: Kept<Content>,
}

impl Users {
    /// Those in `data/users.json`.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        let remedy = "remove it to claim the gateway anew; tokens stay";
        Self { kept: Kept::new(data.join("users.json"), remedy) }
    }

    /// Whether there is anybody who can say who may.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_claimed(&self) -> anyhow::Result<bool> {
        Ok(self.kept.read()?.users.iter().any(|user| user.role == Role::Admin))
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> anyhow::Result<Vec<User>> {
        Ok(self.kept.read()?.users.clone())
    }

    /// The user of that name.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn find(&self, name: &str) -> anyhow::Result<Option<User>> {
        Ok(self.kept.read()?.users.iter().find(|user| user.name == name).cloned())
    }

    /// A new user. Hashes the password, which takes a while.
    ///
    /// # Errors
    /// When the name is taken or unusable, the password too weak, or the file cannot be written.
    pub fn add(
        &self,
        name: &str,
        role: Role,
        (password, now): (&str, Timestamp),
    ) -> Result<(), AccessError> {
        let added = added(name, role, (password, now))?;
        self.kept.change(|content| join(content, added))
    }

    /// The first admin.
    ///
    /// # Errors
    /// As [`Users::add`], and when there is an admin already.
    pub fn claim(&self, name: &str, at: (&str, Timestamp)) -> Result<(), AccessError> {
        let admin = added(name, Role::Admin, at)?;
        self.kept.change(|content| {
            if content.users.iter().any(|user| user.role == Role::Admin) {
                let told = "the gateway is claimed already; log in, or ask an admin for an account";
                return Err(AccessError::Conflict(told.to_owned()));
            }
            join(content, admin)
        })
    }

    /// Takes a user away.
    ///
    /// # Errors
    /// When there is none of that name, they are the last admin, or the file cannot be written.
    pub fn remove(&self, name: &str) -> Result<(), AccessError> {
        self.kept.change(|content| {
            find_in(&mut content.users, name)?;
            content.users.retain(|user| user.name != name);
            keeps_an_admin(&content.users)
        })
    }

    /// Gives a user another role.
    ///
    /// # Errors
    /// When there is none of that name, they are the last admin, or the file cannot be written.
    pub fn set_role(&self, name: &str, role: Role) -> Result<(), AccessError> {
        self.kept.change(|content| {
            find_in(&mut content.users, name)?.role = role;
            keeps_an_admin(&content.users)
        })
    }

    /// Gives a user another password, which ends every session. Takes a while.
    ///
    /// # Errors
    /// When there is none of that name, it is too weak, or the file cannot be written.
    pub fn set_password(&self, name: &str, password: &str) -> Result<(), AccessError> {
        password::check(password, name)?;
        let hashed = password::hash(password)?;
        self.kept.change(|content| {
            find_in(&mut content.users, name)?.password = hashed;
            Ok(())
        })
    }
}

/// A user to be. Hashes the password, which takes a while.
fn added(name: &str, role: Role, (password, now): (&str, Timestamp)) -> Result<User, AccessError> {
    check_name(name)?;
    password::check(password, name)?;
    let password = password::hash(password)?;
    Ok(User { name: name.to_owned(), role, password, created: now })
}

fn join(content: &mut Content, user: User) -> Result<(), AccessError> {
    if content.users.iter().any(|known| known.name == user.name) {
        let told = format!("there is a user {} already; choose another name", user.name);
        return Err(AccessError::Conflict(told));
    }
    if content.users.len() >= USERS_MAX {
        let told = format!("there are {USERS_MAX} users already; remove those who left");
        return Err(AccessError::Conflict(told));
    }
    content.users.push(user);
    Ok(())
}

fn find_in<'a>(users: &'a mut [User], name: &str) -> Result<&'a mut User, AccessError> {
    let told = || format!("there is no user {name}; `fieldgate user list` names them");
    users.iter_mut().find(|user| user.name == name).ok_or_else(|| AccessError::Unknown(told()))
}

fn keeps_an_admin(users: &[User]) -> Result<(), AccessError> {
    if users.iter().any(|user| user.role == Role::Admin) {
        return Ok(());
    }
    let told = "nobody would be left who can say who may; make another admin first";
    Err(AccessError::Conflict(told.to_owned()))
}
