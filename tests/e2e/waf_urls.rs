//! WAF-token URLs.
