//! Secrets that the server makes: session keys, link codes and API tokens. Each has 256 random bits; the tables
//! hold its SHA-256 only, so a copy of the tables signs nobody in.

use rand::RngExt as _;
use sha2::{Digest as _, Sha256};

/// SHA-256 of a secret: what is stored and looked up.
pub(super) type SecretHash = [u8; 32];

/// How an API token begins, so that people and secret scanners recognise it.
pub const TOKEN_PREFIX: &str = "crt_";

/// Characters of a secret: 62 possible ones each, so 43 of them have 256 bits.
const SECRET_CHARACTERS: usize = 43;

/// A new secret of letters and digits (43 characters, 256 bits).
pub(super) fn new_secret() -> String {
    rand::rng().sample_iter(rand::distr::Alphanumeric).take(SECRET_CHARACTERS).map(char::from).collect()
}

/// What is stored of a secret.
pub(super) fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether two hashes are equal, in a time that does not depend on where they differ.
pub(super) fn same(a: &SecretHash, b: &SecretHash) -> bool {
    a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_are_long() {
        let (a, b) = (new_secret(), new_secret());
        assert_ne!(a, b);
        assert_eq!(a.len(), 43);
        assert!(a.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn equal_hashes_are_the_same_and_others_are_not() {
        assert!(same(&hash("a"), &hash("a")));
        assert!(!same(&hash("a"), &hash("b")));
    }
}
