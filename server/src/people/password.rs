//! Hashes passwords with argon2id (19 MiB, 2 passes, 1 lane: the crate's and OWASP's recommendation) beside the
//! runtime, few at once. Checking a user who does not exist takes as long as checking one who does.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        phc::{Output, PasswordHash, Salt},
        try_generate_salt,
    },
};
use coderoom_protocol::problem::{ErrorCode, WireError};
use tokio::sync::Semaphore;

/// Longest password in bytes: more is no safer and costs time to hash.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// What a hash is computed in: 19 MiB.
type Memory = Vec<Block>;

/// Hashes and checks passwords.
#[derive(Clone, Debug)]
pub(super) struct PasswordHasher {
    /// One permit for each hash that is computed now.
    permits: Arc<Semaphore>,
    /// What hashes were computed in and the next will be. Given back to the allocator, it would stay in holes of each
    /// thread's arena.
    memory: Arc<Mutex<Vec<Memory>>>,
}

impl PasswordHasher {
    pub(super) fn new(at_once: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(at_once)), memory: Arc::default() }
    }

    /// The hash of a password in PHC form.
    pub(super) async fn hash(&self, password: String) -> Result<String, WireError> {
        self.compute(move |memory| phc(&password, memory)).await?.ok_or_else(|| WireError::plain(ErrorCode::Internal))
    }

    /// Whether the password belongs to the hash. Without a hash the answer is no, after the same work.
    pub(super) async fn verify(&self, hash: Option<String>, password: String) -> Result<bool, WireError> {
        self.compute(move |memory| {
            let known = hash.is_some();
            let hash = hash.or_else(|| nobody(memory).clone()).unwrap_or_default();
            matches(&hash, &password, memory).unwrap_or(false) && known
        })
        .await
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, WireError> {
        let permit =
            Arc::clone(&self.permits).acquire_owned().await.map_err(|_| WireError::plain(ErrorCode::Internal))?;
        let free = Arc::clone(&self.memory);
        // The permit goes along: a caller that gives up does not free a core that is still computing.
        let done = tokio::task::spawn_blocking(move || {
            let mut memory = lock(&free).pop().unwrap_or_default();
            let result = work(&mut memory);
            lock(&free).push(memory);
            drop(permit);
            result
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "hashing a password failed");
            WireError::plain(ErrorCode::Internal)
        })
    }
}

fn lock(memory: &Mutex<Vec<Memory>>) -> MutexGuard<'_, Vec<Memory>> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The hash of a password in PHC form, with a salt of its own.
fn phc(password: &str, memory: &mut Memory) -> Option<String> {
    let argon2 = Argon2::default();
    let salt = Salt::new(&try_generate_salt().ok()?).ok()?;
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: argon2.params().try_into().ok()?,
        salt: Some(salt),
        hash: Some(output(&argon2, password, &salt, memory)?),
    };
    Some(hash.to_string())
}

/// Whether a password belongs to a hash in PHC form; `None` when it is no such hash.
fn matches(hash: &str, password: &str, memory: &mut Memory) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let algorithm = hash.algorithm.as_str().try_into().ok()?;
    let argon2 = Argon2::new(algorithm, hash.version?.try_into().ok()?, Params::try_from(&hash).ok()?);
    // Outputs are compared in constant time.
    Some(output(&argon2, password, &hash.salt?, memory)? == hash.hash?)
}

fn output(argon2: &Argon2<'_>, password: &str, salt: &Salt, memory: &mut Memory) -> Option<Output> {
    memory.resize_with(argon2.params().block_count(), Block::default);
    let mut output = [0; Output::MAX_LENGTH];
    let output = output.get_mut(..argon2.params().output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN))?;
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, memory).ok()?;
    Output::new(output).ok()
}

/// A hash that belongs to nobody, for users who do not exist.
fn nobody(memory: &mut Memory) -> &'static Option<String> {
    static HASH: OnceLock<Option<String>> = OnceLock::new();
    HASH.get_or_init(|| phc("nobody", memory))
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
impl PasswordHasher {
    /// Computes nothing until the answer is dropped.
    pub(super) async fn hold(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(self.permits.available_permits()).unwrap();
        Arc::clone(&self.permits).acquire_many_owned(all).await.unwrap()
    }

    /// How many wait while it is held: each has a handle to the permits, as this and who holds them have.
    pub(super) fn waiting(&self) -> usize {
        Arc::strong_count(&self.permits) - 2
    }
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

    #[tokio::test]
    async fn hashes_are_those_of_everybody_else() {
        use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
        let ours = PasswordHasher::new(1).hash("correct horse".into()).await.unwrap();
        let theirs = Argon2::default();
        assert!(theirs.verify_password(b"correct horse", &PasswordHash::new(&ours).unwrap()).is_ok());
        assert!(theirs.verify_password(b"battery staple", &PasswordHash::new(&ours).unwrap()).is_err());
        let cheaper = Argon2::new(Algorithm::Argon2i, Version::V0x10, Params::new(64, 1, 1, Some(16)).unwrap());
        for argon2 in [theirs, cheaper] {
            let hash = argon2.hash_password(b"correct horse").unwrap().to_string();
            let hasher = PasswordHasher::new(1);
            assert!(hasher.verify(Some(hash.clone()), "correct horse".into()).await.unwrap(), "{hash}");
            assert!(!hasher.verify(Some(hash), "battery staple".into()).await.unwrap());
        }
    }

    #[test]
    fn short_and_huge_passwords_are_refused() {
        assert!(check_rules("1234567", 8).is_err());
        assert!(check_rules("12345678", 8).is_ok());
        assert!(check_rules(&"x".repeat(MAX_PASSWORD_BYTES + 1), 8).is_err());
    }
}
