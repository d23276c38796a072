//! Free loopback ports.

use std::net::TcpListener;

/// So many different ports that nobody listens on. They are free when this returns, and another process may take one before
/// the service does: start again with others then.
pub(crate) fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    // All are held until the last one is chosen, so that no two are the same.
    let held = [(); COUNT].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free loopback port"));
    held.each_ref().map(|listener| listener.local_addr().expect("an address").port())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn ports_of_one_call_differ() {
        let ports = super::free_ports::<20>();
        assert_eq!(HashSet::from(ports).len(), 20);
    }
}
