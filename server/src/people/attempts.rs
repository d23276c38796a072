//! Bounds attempts to sign in, by address and by name, so that passwords cannot be guessed by trying.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};

/// When more keys than this are remembered, those that have recovered are forgotten.
const KEYS_BEFORE_CLEANING: usize = 10_000;

/// Counts attempts. Its memory is of this process: with several servers each allows as many.
#[derive(Debug)]
pub(super) struct Attempts {
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    by_name: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
}

impl Attempts {
    /// So many attempts a minute for each address and for each name.
    pub(super) fn new(per_address: u32, per_name: u32) -> Self {
        let quota = |count: u32| Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
        Self {
            by_address: RateLimiter::keyed(quota(per_address)),
            by_name: RateLimiter::keyed(quota(per_name)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts an attempt; when there were too many, the time after which one is allowed again.
    pub(super) fn count(&self, address: IpAddr, name: Option<&str>) -> Result<(), Duration> {
        if self.by_address.len() + self.by_name.len() > KEYS_BEFORE_CLEANING {
            self.by_address.retain_recent();
            self.by_name.retain_recent();
        }
        let now = self.clock.now();
        self.by_address.check_key(&network_of(address)).map_err(|refused| refused.wait_time_from(now))?;
        name.map_or(Ok(()), |name| self.count_name(name))
    }

    /// Counts an attempt for a name alone.
    pub(super) fn count_name(&self, name: &str) -> Result<(), Duration> {
        let now = self.clock.now();
        self.by_name.check_key(&name.to_owned()).map(|_| ()).map_err(|refused| refused.wait_time_from(now))
    }
}

/// The address for IPv4; for IPv6 the /64 network, because that is what one household or machine gets.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_held_back_and_others_are_not() {
        let attempts = Attempts::new(2, 100);
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        assert!(attempts.count(a, None).is_ok() && attempts.count(a, None).is_ok());
        let wait = attempts.count(a, None).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(60), "{wait:?}");
        assert!(attempts.count(b, None).is_ok());
    }

    #[test]
    fn one_name_is_held_back_from_whatever_address() {
        let attempts = Attempts::new(100, 2);
        let address = |last: u8| IpAddr::from([192, 0, 2, last]);
        assert!(attempts.count(address(1), Some("ada")).is_ok() && attempts.count(address(2), Some("ada")).is_ok());
        assert!(attempts.count(address(3), Some("ada")).is_err());
        assert!(attempts.count(address(3), Some("bob")).is_ok());
    }

    #[test]
    fn neighbours_in_one_ipv6_network_count_as_one() {
        let attempts = Attempts::new(1, 100);
        assert!(attempts.count("2001:db8::1".parse().unwrap(), None).is_ok());
        assert!(attempts.count("2001:db8::2".parse().unwrap(), None).is_err());
    }
}
