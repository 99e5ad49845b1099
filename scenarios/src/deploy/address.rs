//! Where a node listens, as a person writes it.

use std::fmt;
use std::str::FromStr;

use seedbed_core::written;

/// `host:port`. The host is a name or an IP address, one of version 6 in brackets.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address {
    host: String,
    port: u16,
}

/// Why a text is no address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// No colon, or nothing before it.
    #[error("`{0}` has no host and port")]
    Incomplete(String),
    /// What follows the last colon is no port.
    #[error("`{0}` is no port")]
    Port(String),
    /// Spaces, slashes and the like.
    #[error("`{0}` is no host")]
    Host(String),
}

/// The longest name of a host (RFC 1035, 2.3.4).
const HOST_MAX: usize = 255;

impl Address {
    /// A port of a host.
    ///
    /// # Errors
    /// If the host cannot be one.
    pub fn new(host: &str, port: u16) -> Result<Self, AddressError> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_good = match bare {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)),
        };
        match is_good && !host.is_empty() && host.len() <= HOST_MAX {
            true => Ok(Self { host: host.into(), port }),
            false => Err(AddressError::Host(host.chars().take(40).collect())),
        }
    }

    /// The name or IP address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 0 lets the system choose one.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let shown = || text.chars().take(40).collect();
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() => {
                let port = port.parse().map_err(|_| AddressError::Port(port.chars().take(40).collect()))?;
                Self::new(host, port)
            }
            _ => Err(AddressError::Incomplete(shown())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

written! { Address: "an address such as \"127.0.0.1:7100\"" }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_address_prints_as_it_was_written() {
        for text in ["127.0.0.1:7100", "n0:0", "node-1.example:65535", "[::1]:80"] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(text.into()));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "7100", ":7100", "a b:1", "host:", "host:65536", "host:-1", "http://host:1", "::1:80"]
        {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
