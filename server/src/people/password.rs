//! Hashes passwords with argon2id (19 MiB, 2 passes, 1 lane: the crate's and OWASP's recommendation) beside the
//! runtime, few at once. Checking a user who does not exist takes as long as checking one who does.

use std::sync::{Arc, OnceLock};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use coderoom_protocol::problem::{ErrorCode, WireError};
use tokio::sync::Semaphore;

/// Longest password in bytes: more is no safer and costs time to hash.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Hashes and checks passwords.
#[derive(Clone, Debug)]
pub(super) struct PasswordHasher {
    /// One permit for each hash that is computed now.
    permits: Arc<Semaphore>,
}

impl PasswordHasher {
    pub(super) fn new(at_once: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(at_once)) }
    }

    /// The hash of a password in PHC form.
    pub(super) async fn hash(&self, password: String) -> Result<String, WireError> {
        self.compute(move || phc(&password)).await?.ok_or_else(|| WireError::plain(ErrorCode::Internal))
    }

    /// Whether the password belongs to the hash. Without a hash the answer is no, after the same work.
    pub(super) async fn verify(&self, hash: Option<String>, password: String) -> Result<bool, WireError> {
        self.compute(move || {
            let known = hash.is_some();
            let hash = hash.or_else(|| nobody().clone()).unwrap_or_default();
            let matches = PasswordHash::new(&hash)
                .is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok());
            known && matches
        })
        .await
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, WireError> {
        let permit =
            Arc::clone(&self.permits).acquire_owned().await.map_err(|_| WireError::plain(ErrorCode::Internal))?;
        // The permit goes along: a caller that gives up does not free a core that is still computing.
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "hashing a password failed");
            WireError::plain(ErrorCode::Internal)
        })
    }
}

fn phc(password: &str) -> Option<String> {
    let hash: Result<PasswordHash, _> = Argon2::default().hash_password(password.as_bytes());
    hash.ok().map(|hash| hash.to_string())
}

/// A hash that belongs to nobody, for users who do not exist.
fn nobody() -> &'static Option<String> {
    static HASH: OnceLock<Option<String>> = OnceLock::new();
    HASH.get_or_init(|| phc("nobody"))
}

/// Whether a password may be used; the error says why not.
pub(super) fn check_rules(password: &str, min_characters: usize) -> Result<(), WireError> {
    let length = password.chars().count();
    if length < min_characters {
        let text = format!("The password has {length} characters; it needs at least {min_characters}.");
        return Err(WireError::new(ErrorCode::Invalid, text));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        let text = format!("The password is longer than {MAX_PASSWORD_BYTES} bytes.");
        return Err(WireError::new(ErrorCode::Invalid, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let hasher = PasswordHasher::new(2);
        let hash = hasher.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(hasher.verify(Some(hash.clone()), "correct horse".into()).await.unwrap());
        assert!(!hasher.verify(Some(hash), "battery staple".into()).await.unwrap());
        assert!(!hasher.verify(None, "nobody".into()).await.unwrap(), "a user who does not exist never matches");
        assert!(!hasher.verify(Some("rubbish".into()), "x".into()).await.unwrap());
    }

    #[test]
    fn short_and_huge_passwords_are_refused() {
        assert!(check_rules("1234567", 8).is_err());
        assert!(check_rules("12345678", 8).is_ok());
        assert!(check_rules(&"x".repeat(MAX_PASSWORD_BYTES + 1), 8).is_err());
    }
}
