//! Networks of addresses, `203.0.113.0/24` or `2001:db8::/32` (RFC 4632, RFC 4291).

use crate::base::digits;
use core::net::IpAddr;

/// A range of addresses that share a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Parses `address/bits`, or a single address, which matches only itself. An IPv4 network written in
    /// IPv6 (`::ffff:203.0.113.0/120`) becomes that IPv4 network. Returns `None` when the bits after the
    /// prefix are not zero, because it would be a guess which network was meant.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = width(address);
        let bits = match bits {
            None => width,
            Some(length) => digits::parse(length)?,
        };
        let network = Self { address, bits };
        let (value, mask) = (number(address), network.mask()?);
        (bits <= width && value & !mask == 0).then_some(())?;
        Some(match address.to_canonical() {
            // A mapped address has 96 fixed bits before the IPv4 address, so its prefix cannot be
            // shorter.
            IpAddr::V4(v4) if address.is_ipv6() => {
                Self { address: v4.into(), bits: bits.checked_sub(96)? }
            }
            IpAddr::V4(_) | IpAddr::V6(_) => network,
        })
    }

    /// Returns true if `address` is in the network. An IPv4 address written in IPv6
    /// (`::ffff:203.0.113.7`, RFC 4291 section 2.5.5.2) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let Some(mask) = self.mask() else {
            return false;
        };
        width(address) == width(self.address)
            && (number(address) ^ number(self.address)) & mask == 0
    }

    /// Returns the mask of the prefix, left-aligned within 128 bits.
    fn mask(&self) -> Option<u128> {
        match self.bits {
            0 => Some(0),
            1..=128 => u128::MAX.checked_shl(128_u32.checked_sub(self.bits)?),
            _ => None,
        }
    }
}

const fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Returns an address as a number, left-aligned within 128 bits.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn an_address_is_in_or_just_outside() {
        assert!(contains("203.0.113.0/24", "203.0.113.255"));
        assert!(!contains("203.0.113.0/24", "203.0.114.0"));
        assert!(contains("203.0.113.7", "203.0.113.7"));
        assert!(!contains("203.0.113.7", "203.0.113.6"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::"));
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(!contains("::/0", "8.8.8.8"));
        assert!(contains("203.0.113.0/24", "::ffff:203.0.113.9"));
        for address in ["203.0.113.7", "::ffff:203.0.113.7", "::ffff:cb00:7107"] {
            assert!(contains("::ffff:203.0.113.7", address), "{address}");
            assert!(contains("::ffff:203.0.113.7/128", address), "{address}");
            assert!(contains("::ffff:203.0.113.0/120", address), "{address}");
            assert!(contains("::FFFF:CB00:7100/120", address), "{address}");
            assert!(contains("::ffff:0:0/96", address), "{address}");
            assert!(!contains("::ffff:203.0.113.6", address), "{address}");
            assert!(!contains("::ffff:203.0.114.0/120", address), "{address}");
        }
        assert!(!contains("::ffff:0:0/96", "2001:db8::1"));
    }

    #[test]
    fn what_is_no_network_does_not_parse() {
        for text in [
            "", "203.0.113.0/33", "203.0.113.0/", "203.0.113.0/+8", "203.0.113.1/24", "203.0.113",
            "2001:db8::/129", "2001:db8::1/32", "10.0.0.0/8/8", "010.0.0.0/8",
            "::ffff:203.0.113.7/120", "::ffff:0:0/95", "::ffff:203.0.113.0/24",
            "::ffff:203.0.113.7/129", "::ffff:203.0.113.007",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
