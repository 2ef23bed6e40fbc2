//! Patterns of tokens whose makers gave them a prefix, so that a search finds them.

/// The bytes that a token's rest is made of.
#[derive(Clone, Copy)]
pub(crate) enum Alphabet {
    /// `A–Z a–z 0–9`
    Alphanumeric,
    /// `A–Z a–z 0–9 _ -`
    Url,
    /// `A–Z a–z 0–9 _ - .`
    Dotted,
    /// `0–9 a–f`
    Hex,
    /// `A–Z 2–7`
    Base32,
}

impl Alphabet {
    pub(crate) const fn has(self, byte: u8) -> bool {
        match self {
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Url => byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-',
            Self::Dotted => Self::Url.has(byte) || byte == b'.',
            Self::Hex => byte.is_ascii_digit() || (byte >= b'a' && byte <= b'f'),
            Self::Base32 => byte.is_ascii_uppercase() || (byte >= b'2' && byte <= b'7'),
        }
    }
}

/// One kind of token: its prefix, and of how many bytes its rest may be.
pub(crate) struct TokenPattern {
    pub(crate) kind: &'static str,
    pub(crate) prefix: &'static str,
    pub(crate) alphabet: Alphabet,
    pub(crate) min: usize,
    pub(crate) max: usize,
}

const fn pattern(
    kind: &'static str,
    prefix: &'static str,
    alphabet: Alphabet,
    min: usize,
    max: usize,
) -> TokenPattern {
    TokenPattern { kind, prefix, alphabet, min, max }
}

use Alphabet::{Alphanumeric, Base32, Dotted, Hex, Url};

/// Longer prefixes before those that they begin with.
pub(crate) const TOKEN_PATTERNS: [TokenPattern; 51] = [
    pattern("a key's secret of writegate", "sk_", Url, 43, 43),
    pattern("a session key of writegate", "ss_", Url, 43, 43),
    pattern("a Cloudflare API token", "cfut_", Alphanumeric, 40, 64),
    pattern("a Cloudflare account's API token", "cfat_", Alphanumeric, 40, 64),
    pattern("a Cloudflare global API key", "cfk_", Alphanumeric, 40, 64),
    pattern("a Cloudflare origin CA key", "v1.0-", Url, 160, 200),
    pattern("a GitHub token", "ghp_", Alphanumeric, 36, 255),
    pattern("a GitHub token", "gho_", Alphanumeric, 36, 255),
    pattern("a GitHub token", "ghu_", Alphanumeric, 36, 255),
    pattern("a GitHub token", "ghs_", Alphanumeric, 36, 255),
    pattern("a GitHub token", "ghr_", Alphanumeric, 36, 255),
    pattern("a GitHub token", "github_pat_", Url, 60, 255),
    pattern("a GitLab token", "glpat-", Dotted, 20, 300),
    pattern("a GitLab token", "gldt-", Url, 20, 64),
    pattern("a GitLab token", "glrt-", Dotted, 20, 300),
    pattern("a GitLab token", "glptt-", Url, 40, 64),
    pattern("an AWS access key", "AKIA", Base32, 16, 16),
    pattern("an AWS access key", "ASIA", Base32, 16, 16),
    pattern("an OpenAI or similar key", "sk-", Url, 32, 255),
    pattern("a Stripe key", "sk_live_", Alphanumeric, 16, 255),
    pattern("a Stripe key", "rk_live_", Alphanumeric, 16, 255),
    pattern("a Stripe key", "sk_test_", Alphanumeric, 16, 255),
    pattern("a Stripe webhook secret", "whsec_", Alphanumeric, 32, 64),
    pattern("a Slack token", "xoxb-", Url, 24, 255),
    pattern("a Slack token", "xoxp-", Url, 24, 255),
    pattern("a Slack token", "xoxa-", Url, 24, 255),
    pattern("a Slack token", "xoxs-", Url, 24, 255),
    pattern("a Slack token", "xoxe-", Url, 24, 255),
    pattern("a Slack token", "xapp-", Url, 24, 255),
    pattern("a Google API key", "AIza", Url, 35, 35),
    pattern("a Google access token", "ya29.", Url, 40, 400),
    pattern("a Google client secret", "GOCSPX-", Url, 28, 28),
    pattern("an npm token", "npm_", Alphanumeric, 36, 36),
    pattern("a PyPI token", "pypi-", Url, 60, 255),
    pattern("a SendGrid key", "SG.", Dotted, 60, 80),
    pattern("a DigitalOcean token", "dop_v1_", Hex, 64, 64),
    pattern("a Shopify token", "shpat_", Hex, 32, 32),
    pattern("a Hugging Face token", "hf_", Alphanumeric, 30, 40),
    pattern("a Contentful token", "CFPAT-", Url, 40, 50),
    pattern("a Sentry token", "sntrys_", Url, 60, 400),
    pattern("a Sentry token", "sntryu_", Hex, 64, 64),
    pattern("a Vault token", "hvs.", Url, 80, 200),
    pattern("a Databricks token", "dapi", Hex, 32, 32),
    pattern("a Linear key", "lin_api_", Alphanumeric, 40, 48),
    pattern("a Notion token", "ntn_", Alphanumeric, 40, 60),
    pattern("a Terraform token", "atlasv1.", Url, 60, 80),
    pattern("a Grafana token", "glsa_", Url, 41, 41),
    pattern("a Grafana token", "glc_", Alphanumeric, 32, 400),
    pattern("a Docker token", "dckr_pat_", Url, 27, 27),
    pattern("a Figma token", "figd_", Url, 40, 40),
    pattern("a Groq key", "gsk_", Alphanumeric, 52, 52),
];

/// Returns the form of what begins here, and how long it is.
pub(crate) fn at(text: &[u8]) -> Option<(&'static TokenPattern, usize)> {
    TOKEN_PATTERNS.iter().find_map(|pattern| {
        if text.get(1) != pattern.prefix.as_bytes().get(1) {
            return None;
        }
        let rest = text.strip_prefix(pattern.prefix.as_bytes())?;
        let length = rest.iter().take_while(|byte| pattern.alphabet.has(**byte)).count();
        let fits = (pattern.min..=pattern.max).contains(&length);
        // Not the beginning of something longer.
        let ends = rest.get(length).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        (fits && ends).then_some((pattern, pattern.prefix.len() + length))
    })
}

/// Returns the bytes that a form begins with.
pub(crate) fn first_bytes() -> [bool; 256] {
    let mut first = [false; 256];
    for pattern in &TOKEN_PATTERNS {
        if let Some(byte) = pattern.prefix.bytes().next() {
            first[usize::from(byte)] = true;
        }
    }
    first
}
