//! Sets of HTTP methods.

/// The methods that a route may take and a key may be allowed.
pub const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The hint for a method that does not exist.
pub const METHODS_HINT: &str =
    "expected some of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, in capitals";

/// A set of [`METHODS`]. GET implies HEAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods([bool; METHODS.len()]);

impl Methods {
    /// All of them.
    pub const ALL: Self = Self([true; METHODS.len()]);

    /// Returns the set of those names that are a method: no other can be allowed by being listed.
    pub fn of<'m>(names: impl IntoIterator<Item = &'m str> + Clone) -> Self {
        Self(METHODS.map(|method| names.clone().into_iter().any(|name| name == method)))
    }

    /// Returns true if the set has `method`, or has GET and `method` is HEAD.
    pub fn contains(self, method: &str) -> bool {
        self.listed().any(|listed| listed == method || (method == "HEAD" && listed == "GET"))
    }

    /// Returns the methods that were listed, in the order of [`METHODS`].
    pub fn listed(self) -> impl Iterator<Item = &'static str> {
        METHODS
            .into_iter()
            .zip(self.0)
            .filter_map(|(method, is_listed)| is_listed.then_some(method))
    }

    /// Returns the value of `Allow` (RFC 9110 section 10.2.1).
    pub fn allow(self) -> String {
        let allowed: Vec<&str> =
            METHODS.into_iter().filter(|method| self.contains(method)).collect();
        allowed.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_listed_and_get_has_head() {
        for (names, allow) in [
            (&[][..], ""),
            (&["GET"][..], "GET, HEAD"),
            (&["POST", "GET"][..], "GET, HEAD, POST"),
            (&["HEAD"][..], "HEAD"),
            (&["post", "FETCH", "DELETE"][..], "DELETE"),
        ] {
            let set = Methods::of(names.iter().copied());
            assert_eq!(set.allow(), allow, "{names:?}");
            for method in METHODS.into_iter().chain(["FETCH", "get", ""]) {
                let is_allowed = !method.is_empty() && allow.split(", ").any(|one| one == method);
                assert_eq!(set.contains(method), is_allowed, "{names:?}: {method}");
            }
        }
        assert_eq!(Methods::ALL.listed().count(), METHODS.len());
    }
}
