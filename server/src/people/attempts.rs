//! Bounds attempts to sign in, by address and by name, so that passwords cannot be guessed by trying.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use governor::{
    DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock, QuantaInstant},
};

/// When more keys than this are remembered, those that have recovered are forgotten.
const KEYS_BEFORE_CLEANING: usize = 10_000;

/// Counts attempts. Its memory is of this process: with several servers each allows as many.
///
/// Who tries a name ten times a minute holds back only their own network: others still get in by that name, until so many
/// networks try it that it must be guessing. Names that nobody has are counted as those of users are.
#[derive(Debug)]
pub(super) struct Attempts {
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    /// By name and where it is tried from: [`site_of`] an address, or nowhere for who is signed in by that name.
    by_name: DefaultKeyedRateLimiter<(String, Option<IpAddr>)>,
    by_name_in_all: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
}

impl Attempts {
    /// So many attempts a minute for each address, for each name from one place, and for each name from all addresses.
    pub(super) fn new(per_address: u32, per_name: u32, per_name_in_all: u32) -> Self {
        let quota = |count: u32| Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
        Self {
            by_address: RateLimiter::keyed(quota(per_address)),
            by_name: RateLimiter::keyed(quota(per_name)),
            by_name_in_all: RateLimiter::keyed(quota(per_name_in_all)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts an attempt; when there were too many, the time after which one is allowed again. What is refused counts nowhere
    /// further on, so that one place cannot use up what a name has in all.
    pub(super) fn count(&self, address: IpAddr, name: Option<&str>) -> Result<(), Duration> {
        if self.by_address.len() + self.by_name.len() + self.by_name_in_all.len() > KEYS_BEFORE_CLEANING {
            self.by_address.retain_recent();
            self.by_name.retain_recent();
            self.by_name_in_all.retain_recent();
        }
        self.wait(self.by_address.check_key(&network_of(address)))?;
        let Some(name) = name else { return Ok(()) };
        self.wait(self.by_name.check_key(&(name.to_owned(), Some(site_of(address)))))?;
        self.wait(self.by_name_in_all.check_key(&name.to_owned()))
    }

    /// Counts an attempt by somebody who is signed in by this name: strangers who try it do not hold them back.
    pub(super) fn count_own(&self, name: &str) -> Result<(), Duration> {
        self.wait(self.by_name.check_key(&(name.to_owned(), None)))
    }

    fn wait(&self, checked: Result<(), NotUntil<QuantaInstant>>) -> Result<(), Duration> {
        checked.map_err(|refused| refused.wait_time_from(self.clock.now()))
    }
}

/// The address for IPv4; for IPv6 the /64 network, because that is what one household or machine gets.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    network(address, 64)
}

/// As [`network_of`], but for IPv6 the /48 network: whoever asks for one gets it, and has 65,536 of the others in it.
fn site_of(address: IpAddr) -> IpAddr {
    network(address, 48)
}

fn network(address: IpAddr, bits: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !(u128::MAX >> bits)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn one_address_is_held_back_and_others_are_not() {
        let attempts = Attempts::new(2, 100, 100);
        let (a, b) = (from("192.0.2.1"), from("192.0.2.2"));
        assert!(attempts.count(a, None).is_ok() && attempts.count(a, None).is_ok());
        let wait = attempts.count(a, None).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(60), "{wait:?}");
        assert!(attempts.count(b, None).is_ok());
    }

    #[test]
    fn who_tries_a_name_holds_back_nobody_elsewhere() {
        let attempts = Attempts::new(100, 2, 4);
        let (a, b) = (from("192.0.2.1"), from("192.0.2.2"));
        let tried = (0..50).filter(|_| attempts.count(a, Some("ada")).is_ok()).count();
        assert_eq!(tried, 2);
        assert!(attempts.count(a, Some("bob")).is_ok(), "another name");
        assert!(attempts.count(b, Some("ada")).is_ok(), "what was refused did not count for the name");
        assert!(attempts.count_own("ada").is_ok(), "nor for who is signed in");
    }

    #[test]
    fn name_is_held_back_from_all_addresses_when_many_try_it() {
        let attempts = Attempts::new(100, 2, 4);
        let tried =
            (1..10).filter(|last| attempts.count(IpAddr::from([192, 0, 2, *last]), Some("ada")).is_ok()).count();
        assert_eq!(tried, 4);
        assert!(attempts.count_own("ada").is_ok());
    }

    #[test]
    fn neighbours_in_one_ipv6_network_count_as_one() {
        let attempts = Attempts::new(1, 100, 100);
        assert!(attempts.count(from("2001:db8::1"), None).is_ok());
        assert!(attempts.count(from("2001:db8::2"), None).is_err());
        assert!(attempts.count(from("2001:db8:0:1::2"), None).is_ok());
    }

    #[test]
    fn networks_of_one_ipv6_site_try_a_name_as_one() {
        let attempts = Attempts::new(100, 1, 100);
        assert!(attempts.count(from("2001:db8:1:2::1"), Some("ada")).is_ok());
        assert!(attempts.count(from("2001:db8:1:3::1"), Some("ada")).is_err());
        assert!(attempts.count(from("2001:db8:2:2::1"), Some("ada")).is_ok());
    }

    #[test]
    fn ipv4_within_ipv6_is_ipv4() {
        assert_eq!(network_of(from("::ffff:192.0.2.1")), from("192.0.2.1"));
    }
}
