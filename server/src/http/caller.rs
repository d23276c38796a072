//! Who sent a request, and from where.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{Extensions, HeaderMap, request::Parts},
};
use coderoom_protocol::problem::ErrorCode;

use super::problem::HttpError;
use crate::{app::App, people::Identity};

/// The signed-in sender of a request; without one the request is answered with `sign_in_required`.
#[derive(Clone, Debug)]
pub struct Caller(pub Identity);

impl FromRequestParts<App> for Caller {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        match app.people.by_headers(&parts.headers).await? {
            Some(identity) => {
                app.people.pace_user(identity.user)?;
                // For the body, which may come much later (`body.rs`).
                parts.extensions.insert(identity.clone());
                Ok(Self(identity))
            }
            None => Err(ErrorCode::SignInRequired.into()),
        }
    }
}

/// The sender of a request with a credential that stands for them in everything: a session, or a token with the scope
/// `admin` for all tasks. Others are answered with `not_allowed`.
#[derive(Clone, Debug)]
pub struct Account(pub Identity);

impl FromRequestParts<App> for Account {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let Caller(identity) = Caller::from_request_parts(parts, app).await?;
        identity.require_whole()?;
        Ok(Self(identity))
    }
}

/// An administrator; others are answered with `not_allowed`.
#[derive(Clone, Debug)]
pub struct Admin(pub Identity);

impl FromRequestParts<App> for Admin {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let Caller(identity) = Caller::from_request_parts(parts, app).await?;
        if identity.is_admin { Ok(Self(identity)) } else { Err(ErrorCode::NotAllowed.into()) }
    }
}

/// The address a request came from: the connection's, or what a trusted proxy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<App> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self(address_of(&parts.extensions, &parts.headers, app)))
    }
}

/// The address that a request came from.
pub(crate) fn address_of(extensions: &Extensions, headers: &HeaderMap, app: &App) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    client_address(peer, headers, &app.settings.server.trusted_proxies)
}

/// Whether `trusted`, the setting `server.trusted_proxies`, has this address.
pub(crate) fn is_trusted_proxy(address: IpAddr, trusted: &[String]) -> bool {
    trusted.iter().any(|text| text.parse::<IpAddr>().is_ok_and(|trusted| trusted == address.to_canonical()))
}

/// Walks back from the connection's other end as long as trusted proxies vouch for the one before them.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[String]) -> IpAddr {
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut address = peer;
    for hop in forwarded.iter().rev() {
        let before = hop.trim().parse::<IpAddr>();
        match (is_trusted_proxy(address, trusted), before) {
            (true, Ok(before)) => address = before,
            _ => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.2".parse().unwrap());
        let proxies = ["10.0.0.1".to_owned(), "10.0.0.2".to_owned()];
        let from =
            |peer: &str, proxies: &[String]| client_address(peer.parse().unwrap(), &headers, proxies).to_string();
        assert_eq!(from("198.51.100.7", &proxies), "198.51.100.7", "a stranger's header says nothing");
        assert_eq!(from("10.0.0.1", &proxies), "203.0.113.9", "what the first untrusted hop wrote is not believed");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
    }
}
