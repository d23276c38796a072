//! Hands a spec and open descriptors to the next stage through a socket, so that no number of a descriptor has to be
//! agreed on and nothing is inherited by accident.

use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use anyhow::{Context as _, bail};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Serialize, de::DeserializeOwned};

use super::spec::MAX_SPEC_BYTES;

/// Queues `value` and `fds` in a new socket and gives its reading end. Nobody needs to read yet.
pub fn send<T: Serialize>(value: &T, fds: &[BorrowedFd<'_>]) -> anyhow::Result<UnixStream> {
    let json = serde_json::to_vec(value).context("encode spec")?;
    if json.len() > MAX_SPEC_BYTES {
        bail!("spec is longer than {MAX_SPEC_BYTES} bytes");
    }
    let (ours, theirs) = UnixStream::pair().context("make socket pair")?;
    // A full buffer would block for ever, since the reader starts only after us.
    ours.set_nonblocking(true).context("set socket to not block")?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(fds)) {
        bail!("too many descriptors for one message");
    }
    let sent = sendmsg(&ours, &[IoSlice::new(&json)], &mut control, SendFlags::NOSIGNAL).context("send spec")?;
    if sent != json.len() {
        bail!("socket took {sent} of {} bytes", json.len());
    }
    Ok(theirs)
}

/// Reads what [`send`] queued until the other end is closed. The descriptors are closed on exec.
pub fn receive<T: DeserializeOwned>(socket: impl AsFd) -> anyhow::Result<(T, Vec<OwnedFd>)> {
    let (mut json, mut fds) = (Vec::new(), Vec::new());
    let mut piece = vec![0_u8; 16 * 1024];
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = recvmsg(&socket, &mut [IoSliceMut::new(&mut piece)], &mut control, RecvFlags::CMSG_CLOEXEC)
            .context("receive spec")?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                fds.extend(received);
            }
        }
        if got.bytes == 0 {
            break;
        }
        json.extend_from_slice(piece.get(..got.bytes).unwrap_or_default());
        if json.len() > MAX_SPEC_BYTES {
            bail!("spec is longer than {MAX_SPEC_BYTES} bytes");
        }
    }
    Ok((serde_json::from_slice(&json).context("decode spec")?, fds))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn spec_and_descriptors_arrive_together() {
        let (mut writing, reading) = UnixStream::pair().unwrap();
        let socket = send(&"x".repeat(100_000), &[reading.as_fd()]).unwrap();
        drop(reading);
        let (text, mut fds) = receive::<String>(&socket).unwrap();
        assert_eq!(text.len(), 100_000);
        writing.write_all(b"hi").unwrap();
        drop(writing);
        let mut got = String::new();
        UnixStream::from(fds.remove(0)).read_to_string(&mut got).unwrap();
        assert_eq!(got, "hi");
    }

    #[test]
    fn oversized_spec_is_refused() {
        assert!(send(&"x".repeat(MAX_SPEC_BYTES), &[]).is_err());
    }
}
