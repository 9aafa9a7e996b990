use std::net::{Ipv4Addr, SocketAddr};

use pipelines_flow::disk::RealDisk;

use super::*;
use crate::clock::SystemClock;

const PASSWORD: &str = "four words make it";

struct Gateway {
    folder: tempfile::TempDir,
    access: Arc<Access>,
}

fn gateway() -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let audit = Arc::new(Audit::new(folder.path(), Arc::new(RealDisk), Arc::clone(&clock)));
    audit.open(None).unwrap();
    let access = Access::new("gw", folder.path(), Reading::Login, (audit, clock));
    access.open();
    Gateway { folder, access: Arc::new(access) }
}

fn from(host: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, host), 50_000))
}

impl Gateway {
    async fn claimed(&self) -> Entered {
        let code = self.access.claim.current().unwrap();
        let who = ("eva".to_owned(), PASSWORD.to_owned());
        self.access.claim(code, who, from(1)).await.unwrap()
    }

    async fn log_in(&self, name: &str, password: &str) -> Result<Entered, EntryError> {
        self.access.log_in(name.to_owned(), password.to_owned(), from(1)).await
    }

    /// Everything the gateway keeps, but for the claim code and the token of local commands.
    fn kept(&self) -> String {
        let mut text = String::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("claim-code") && !path.ends_with("local-token") {
                    text += &std::fs::read_to_string(path).unwrap();
                }
            }
        }
        text
    }

    fn audited(&self) -> Vec<String> {
        let mut records = self.access.audit.latest(100).unwrap();
        records.reverse();
        records.iter().map(|record| record["kind"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_new_gateway_lets_in_who_has_the_code_once() {
    let gateway = gateway();
    let code = gateway.access.claim.current().unwrap();
    assert!(matches!(gateway.log_in("admin", "admin").await, Err(EntryError::Wrong)));
    let who = || ("eva".to_owned(), PASSWORD.to_owned());
    let wrong = gateway.access.claim("0000-0000-0000".to_owned(), who(), from(1)).await;
    assert!(matches!(wrong, Err(EntryError::Wrong)), "{wrong:?}");
    let weak = ("eva".to_owned(), "short".to_owned());
    let weak = gateway.access.claim(code.clone(), weak, from(1)).await;
    assert!(matches!(weak, Err(EntryError::Access(AccessError::Unfit(_)))), "{weak:?}");
    let entered = gateway.access.claim(code.clone(), who(), from(1)).await.unwrap();
    assert_eq!((entered.caller.name.as_str(), entered.caller.role), ("eva", Role::Admin));
    let again = gateway.access.claim(code, who(), from(1)).await;
    assert!(matches!(again, Err(EntryError::Access(AccessError::Conflict(_)))), "{again:?}");
    assert!(!gateway.folder.path().join("claim-code").try_exists().unwrap());
    assert_eq!(gateway.audited(), ["login_failed", "claim_failed", "claimed"]);
}

#[tokio::test]
async fn of_two_who_claim_at_once_one_is_the_admin() {
    let gateway = gateway();
    let code = gateway.access.claim.current().unwrap();
    let claim = |name: &str, host| {
        let who = (name.to_owned(), PASSWORD.to_owned());
        gateway.access.claim(code.clone(), who, from(host))
    };
    let (eva, adam) = tokio::join!(claim("eva", 1), claim("adam", 2));
    assert_eq!(u8::from(eva.is_ok()) + u8::from(adam.is_ok()), 1, "{eva:?} {adam:?}");
    assert_eq!(gateway.access.users.list().unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_opens_until_it_its_user_or_its_password_is_taken_away() {
    let gateway = gateway();
    let (access, eva) = (&gateway.access, gateway.claimed().await);
    let by = (&eva.caller, from(1));
    let known = |cookie: &str| access.by_cookie(cookie).unwrap().map(|caller| caller.role);
    assert_eq!(known(&eva.cookie), Some(Role::Admin));
    assert_eq!(known("guess"), None);
    access.add_user(by, ("adam", Role::Operator), PASSWORD).unwrap();
    let adam = gateway.log_in("adam", PASSWORD).await.unwrap();
    assert_eq!(known(&adam.cookie), Some(Role::Operator));
    access.change_user(by, "adam", (Some(Role::Viewer), None)).unwrap();
    assert_eq!(known(&adam.cookie), Some(Role::Viewer), "a role counts at once");
    access.change_user(by, "adam", (None, Some("other words make it"))).unwrap();
    assert_eq!(known(&adam.cookie), None, "a password ends sessions");
    assert!(!access.still(&adam.caller).unwrap());
    assert!(gateway.log_in("adam", PASSWORD).await.is_err());
    let adam = gateway.log_in("adam", "other words make it").await.unwrap();
    let told = access.sessions().into_iter().find(|session| session.user == "adam").unwrap();
    access.end_session(by, &told.id).unwrap();
    assert_eq!(known(&adam.cookie), None);
    let adam = gateway.log_in("adam", "other words make it").await.unwrap();
    // As a command on the box does it, in another process.
    Users::of(gateway.folder.path()).remove("adam").unwrap();
    assert_eq!(known(&adam.cookie), None);
    access.log_out(&eva.caller, from(1));
    assert_eq!(known(&eva.cookie), None);
}

#[tokio::test]
async fn a_token_opens_until_it_is_revoked_or_over() {
    let gateway = gateway();
    let (access, eva) = (&gateway.access, gateway.claimed().await);
    let by = (&eva.caller, from(1));
    let (token, _) = access.add_token(by, ("grafana", Role::Viewer), Some(1)).unwrap();
    let caller = access.by_token(&token).unwrap().unwrap();
    assert_eq!((caller.name.as_str(), caller.role), ("grafana", Role::Viewer));
    access.revoke_token(by, "grafana").unwrap();
    assert!(access.by_token(&token).unwrap().is_none());
    assert!(!access.still(&caller).unwrap());
    let local = LocalToken::read(gateway.folder.path()).unwrap();
    assert_eq!(access.by_token(&local).unwrap().unwrap().role, Role::Viewer);
    access.open();
    assert!(access.by_token(&local).unwrap().is_none(), "that of an earlier run");
    assert!(access.add_token(by, ("eva", Role::Viewer), None).is_err(), "as a user is called");
    assert!(access.add_token(by, ("long", Role::Viewer), Some(0)).is_err());
}

#[tokio::test]
async fn guesses_wait_and_an_owner_elsewhere_does_not() {
    let gateway = gateway();
    gateway.claimed().await;
    for _ in 0..5 {
        assert!(matches!(gateway.log_in("eva", "wrong").await, Err(EntryError::Wrong)));
    }
    let waits = gateway.log_in("eva", PASSWORD).await;
    assert!(matches!(waits, Err(EntryError::Wait(_))), "the right one too: {waits:?}");
    let elsewhere = gateway.access.log_in("eva".to_owned(), PASSWORD.to_owned(), from(2)).await;
    assert!(elsewhere.is_ok());
    for _ in 0..5 {
        assert!(matches!(gateway.log_in("nobody", "wrong").await, Err(EntryError::Wrong)));
    }
    let waits = gateway.log_in("nobody", "wrong").await;
    assert!(matches!(waits, Err(EntryError::Wait(_))), "as if there were such a user");
}

#[tokio::test]
async fn no_secret_is_in_any_file() {
    let gateway = gateway();
    let code = gateway.access.claim.current().unwrap();
    let eva = gateway.claimed().await;
    let (token, _) =
        gateway.access.add_token((&eva.caller, from(1)), ("ci", Role::Viewer), None).unwrap();
    // A password in the field of the name.
    assert!(gateway.log_in("hunter2-hunter2", "eva").await.is_err());
    assert!(gateway.log_in("eva", "wrong-but-close").await.is_err());
    let kept = gateway.kept();
    assert!(kept.contains("\"eva\"") && kept.contains("login_failed"), "{kept}");
    for secret in [&*code, PASSWORD, &eva.cookie, &token, "hunter2", "wrong-but-close"] {
        assert!(!kept.contains(secret), "{secret} is kept");
    }
}

#[tokio::test]
async fn an_admin_is_left_whatever_is_done() {
    let gateway = gateway();
    let (access, eva) = (&gateway.access, gateway.claimed().await);
    let by = (&eva.caller, from(1));
    let last = |done: Result<(), AccessError>| matches!(done, Err(AccessError::Conflict(_)));
    assert!(last(access.remove_user(by, "eva")));
    assert!(last(access.change_user(by, "eva", (Some(Role::Engineer), None))));
    assert!(access.users.is_claimed().unwrap());
    access.add_user(by, ("adam", Role::Admin), PASSWORD).unwrap();
    access.remove_user(by, "eva").unwrap();
    assert!(access.by_cookie(&eva.cookie).unwrap().is_none());
}

#[tokio::test]
async fn ones_own_password_keeps_ones_own_session_alone() {
    let gateway = gateway();
    let (access, eva) = (&gateway.access, gateway.claimed().await);
    let other = gateway.log_in("eva", PASSWORD).await.unwrap();
    let change = |old, new| access.change_own_password(&eva.caller, (old, new), from(1));
    assert!(matches!(change("wrong", "other words make it"), Err(EntryError::Wrong)));
    assert!(change(PASSWORD, "short").is_err());
    change(PASSWORD, "other words make it").unwrap();
    assert!(access.by_cookie(&eva.cookie).unwrap().is_some());
    assert!(access.by_cookie(&other.cookie).unwrap().is_none());
    assert!(gateway.log_in("eva", PASSWORD).await.is_err());
}

#[test]
fn addresses_of_one_network_are_one_place() {
    let place = |text: &str| place_of(text.parse().unwrap());
    assert_eq!(place("2001:db8::1"), place("2001:db8::ffff:1"));
    assert_ne!(place("2001:db8::1"), place("2001:db8:0:1::1"));
    assert_eq!(place("::ffff:192.0.2.1"), place("192.0.2.1"));
    assert_ne!(place("192.0.2.1"), place("192.0.2.2"));
}

#[tokio::test]
async fn a_change_on_the_box_is_told_once_and_none_through_the_door_twice() {
    let gateway = gateway();
    let (access, eva) = (&gateway.access, gateway.claimed().await);
    let by = (&eva.caller, from(1));
    access.add_user(by, ("adam", Role::Viewer), PASSWORD).unwrap();
    let (_, _) = access.add_token(by, ("ci", Role::Viewer), None).unwrap();
    access.look_outside().unwrap();
    let door = ["claimed", "user_added", "token_added"];
    assert_eq!(gateway.audited(), door);
    let box_users = Users::of(gateway.folder.path());
    box_users.set_role("adam", Role::Admin).unwrap();
    access.look_outside().unwrap();
    access.look_outside().unwrap();
    assert_eq!(gateway.audited(), [&door[..], &["who_may"]].concat());
    let newest = access.audit.latest(1).unwrap().remove(0);
    assert_eq!(newest["body"]["may"]["users"], serde_json::json!(["eva (admin)", "adam (admin)"]));
    // A change on the box right before one through the door is not lost in it.
    box_users.set_role("adam", Role::Viewer).unwrap();
    access.revoke_token(by, "ci").unwrap();
    access.look_outside().unwrap();
    let after = ["who_may", "token_revoked", "who_may"];
    assert_eq!(gateway.audited(), [&door[..], &after[..]].concat());
    // While nothing ran.
    box_users.remove("adam").unwrap();
    access.open();
    access.open();
    assert_eq!(gateway.audited(), [&door[..], &after[..], &["who_may"]].concat());
}

#[tokio::test]
async fn damaged_files_let_nobody_in_and_keep_nothing_from_starting() {
    for damaged in ["users.json", "tokens.json", "claim-code", "local-token", "who-may"] {
        let gateway = gateway();
        let eva = gateway.claimed().await;
        let path = gateway.folder.path().join(damaged);
        for content in [&b""[..], b"{", b"\xFF\xFE", b"{\"users\": 3, \"tokens\": 3}"] {
            std::fs::write(&path, content).unwrap();
            gateway.access.open();
            for token in ["", "{", "fgt_0"] {
                let known = gateway.access.by_token(token);
                assert!(known.is_err() || known.is_ok_and(|caller| caller.is_none()), "{damaged}");
            }
            let code = String::from_utf8_lossy(content).into_owned();
            let who = ("mallory".to_owned(), PASSWORD.to_owned());
            let claimed = gateway.access.claim(code, who, from(9)).await;
            assert!(claimed.is_err(), "{damaged}: {claimed:?}");
        }
        let known = gateway.access.by_cookie(&eva.cookie);
        assert_eq!(known.is_ok(), damaged != "users.json", "{damaged}");
    }
}
