//! Ports that are free, where nobody says which to take.

use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::net::TcpListener;

use super::Address;
use super::home::HomeError;

/// Chooses ports of one host. Those chosen stay taken until all are: no port is chosen twice.
#[derive(Debug)]
pub(super) struct Ports {
    host: String,
    next: u16,
    held: Vec<TcpListener>,
    /// Of nodes that are down, and will want them back.
    kept: Vec<u16>,
}

/// A free port of a host, but none of some that are kept.
pub(super) fn free(host: &str, kept: &[u16]) -> Result<Address, HomeError> {
    Ports::of(host, kept.to_vec()).settle(0, 0, None)
}

/// Below the ports that systems give to connections that go out (Linux: from 32,768 on): whoever dials a node that is
/// down would otherwise, sooner or later, be given the node's own port, and be connected with itself.
const FIRST: u16 = 20_000;
const LAST: u16 = 32_767;

impl Ports {
    /// Those of a host, but for some that are kept.
    pub(super) fn of(host: &str, kept: Vec<u16>) -> Self {
        // Not always the same, so that two who choose at the same time hardly meet.
        let random = RandomState::new().hash_one(host);
        let next = FIRST + (random % u64::from(LAST - FIRST)) as u16;
        Self { host: host.into(), next, held: Vec::new(), kept }
    }

    /// The address of node `index`, if the first is to have the port `base`; 0 lets the last address stay, or a free one
    /// be chosen.
    pub(super) fn settle(
        &mut self,
        base: u16,
        index: u32,
        last: Option<&Address>,
    ) -> Result<Address, HomeError> {
        let port = match (base, last) {
            (0, Some(last)) if last.host() == self.host && last.port() != 0 => last.port(),
            (0, _) => self.free()?,
            (base, _) => base.saturating_add(u16::try_from(index).unwrap_or(u16::MAX)),
        };
        Address::new(&self.host, port).map_err(|_| HomeError::Ports(self.host.clone()))
    }

    fn free(&mut self) -> Result<u16, HomeError> {
        for _ in FIRST..=LAST {
            let port = self.next;
            self.next = if port >= LAST { FIRST } else { port + 1 };
            let host = self.host.trim_matches(['[', ']']);
            if self.kept.contains(&port) {
                continue;
            }
            match TcpListener::bind((host, port)) {
                Ok(listener) => {
                    self.held.push(listener);
                    return Ok(port);
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                // It is the host that is wrong, and would be with every port.
                Err(error) => return Err(HomeError::Host { host: self.host.clone(), error }),
            }
        }
        Err(HomeError::Ports(self.host.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_kept_is_not_chosen_and_none_is_chosen_twice() {
        let mut ports = Ports::of("127.0.0.1", Vec::new());
        let (first, second) = (ports.settle(0, 0, None).unwrap(), ports.settle(0, 1, None).unwrap());
        assert_ne!(first, second);
        assert_eq!(ports.settle(0, 0, Some(&first)).unwrap(), first);
        assert_eq!(ports.settle(7000, 2, Some(&first)).unwrap().port(), 7002);
    }

    #[test]
    fn a_host_that_is_not_this_machine_is_named_at_the_first_port() {
        // TEST-NET-1 (RFC 5737) is nobody's.
        let error = free("192.0.2.1", &[]).unwrap_err();
        assert!(matches!(&error, HomeError::Host { host, .. } if host == "192.0.2.1"), "{error}");
        assert!(error.to_string().contains("a name or an address of this machine"), "{error}");
    }
}
