//! What can go wrong on the client's side of the wire.

use thiserror::Error;

use crate::{frame::FrameError, problem::WireError};

/// Why a call did not give what it should.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The server understood and refused; its sentence is for people.
    #[error(transparent)]
    Refused(#[from] WireError),
    /// The address of the server is none.
    #[error("{0:?} is not the address of a server; it looks like http://127.0.0.1:8080")]
    BadUrl(String),
    /// The server could not be reached, or the connection broke.
    #[error("reach the server")]
    Http(#[from] reqwest::Error),
    /// The socket broke.
    #[error("use the room's socket")]
    Socket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    /// The server ended the connection.
    #[error("the server closed the connection: {0}")]
    Closed(String),
    /// No answer in time; it is not known whether the server did it.
    #[error("no answer to {0} in time")]
    TimedOut(&'static str),
    /// The answer is not what this version understands.
    #[error("the server's answer is not understood: {0}")]
    Unexpected(String),
    /// A frame that cannot be read.
    #[error("the server sent a broken frame")]
    Frame(#[from] FrameError),
    /// More events wait than a client keeps; it asked for something and did not read on.
    #[error("{0} events wait to be read")]
    Backlog(usize),
}

impl ClientError {
    /// The server's code and sentence, when it was the server that refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&WireError> {
        if let Self::Refused(error) = self { Some(error) } else { None }
    }
}

impl From<tokio_tungstenite::tungstenite::Error> for ClientError {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        use tokio_tungstenite::tungstenite::Error;
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Closed("without a word".into()),
            other => Self::Socket(Box::new(other)),
        }
    }
}
