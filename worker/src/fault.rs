//! What can go wrong inside the engine, and how it is told to clients.

use coderoom_backing::{bus::BusError, objects::ObjectsError, queue::QueueError, tables::TablesError};
use coderoom_protocol::problem::{ErrorCode, WireError};

/// Any failure of the engine. Only [`Fault::Wire`] has words for clients; the causes of the others stay inside.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Refused, with words for the client.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The tables failed.
    #[error("tables: {0}")]
    Tables(#[from] TablesError),
    /// The object store failed.
    #[error("objects: {0}")]
    Objects(#[from] ObjectsError),
    /// The bus failed.
    #[error("bus: {0}")]
    Bus(#[from] BusError),
    /// The queue failed.
    #[error("queue: {0}")]
    Queue(#[from] QueueError),
    /// Something stored is not what it must be, or a local file could not be used.
    #[error("{0}")]
    Broken(String),
}

/// The result of the engine's inner calls.
pub(crate) type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    /// The same failure for somebody else who waited for the same work.
    pub(crate) fn shared(&self) -> Self {
        match self {
            Self::Wire(error) => Self::Wire(error.clone()),
            other if other.is_permanent() => Self::Broken(other.to_string()),
            other => Self::Bus(BusError::Unavailable(other.to_string())),
        }
    }

    /// Whether trying the same again cannot help.
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::Wire(_) | Self::Broken(_) => true,
            Self::Tables(error) => error.is_permanent(),
            Self::Objects(error) => error.is_permanent(),
            Self::Bus(_) | Self::Queue(_) => false,
        }
    }
}

impl From<Fault> for WireError {
    /// The client's view. The cause is logged here, once.
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Wire(error) => error,
            Fault::Tables(error @ TablesError::Nul) => Self::new(ErrorCode::BadRequest, error.to_string()),
            fault if fault.is_permanent() => {
                tracing::error!(cause = %fault, "request to the runs failed");
                Self::plain(ErrorCode::Internal)
            }
            fault => {
                tracing::warn!(cause = %fault, "a service behind the runs does not answer");
                Self::plain(ErrorCode::Unavailable)
            }
        }
    }
}

/// A refusal with words.
pub(crate) fn refuse<T>(code: ErrorCode, message: impl Into<String>) -> Result<T> {
    Err(WireError::new(code, message).into())
}
