//! The one error that needs more than a code: when to try again.

use std::time::Duration;

use coderoom_protocol::problem::{ErrorCode, WireError};

/// Why somebody is not signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInError {
    /// Too many attempts from this address or for this name; the next one is allowed after so long.
    TooMany(Duration),
    /// Anything else.
    Refused(WireError),
}

impl From<WireError> for SignInError {
    fn from(error: WireError) -> Self {
        Self::Refused(error)
    }
}

impl SignInError {
    /// Whole seconds until the next attempt, for `Retry-After`.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::TooMany(wait) => Some(wait.as_secs() + 1),
            Self::Refused(_) => None,
        }
    }

    /// The error for the client.
    #[must_use]
    pub fn into_wire(self) -> WireError {
        match self {
            Self::Refused(error) => error,
            Self::TooMany(wait) => WireError::new(
                ErrorCode::TooManyRequests,
                format!("Too many attempts to sign in; try again in {} seconds.", wait.as_secs() + 1),
            )
            .retry_after(wait.as_secs() + 1),
        }
    }
}
