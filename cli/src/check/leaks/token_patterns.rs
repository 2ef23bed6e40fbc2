//! What tokens look like: those whose makers gave them a prefix, so that a search finds them.

/// The bytes that a token's rest is made of.
#[derive(Clone, Copy)]
pub(super) enum Alphabet {
    /// `A–Z a–z 0–9`
    Alphanumeric,
    /// The same, `_` and `-`
    Url,
    /// The same and `.`
    Dotted,
    /// `0–9 a–f`
    Hex,
    /// `A–Z 2–7`
    Base32,
}

impl Alphabet {
    pub(super) const fn has(self, byte: u8) -> bool {
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
pub(super) struct Form {
    pub(super) kind: &'static str,
    pub(super) prefix: &'static str,
    pub(super) alphabet: Alphabet,
    pub(super) least: usize,
    pub(super) most: usize,
}

const fn form(
    kind: &'static str,
    prefix: &'static str,
    alphabet: Alphabet,
    least: usize,
    most: usize,
) -> Form {
    Form { kind, prefix, alphabet, least, most }
}

use Alphabet::{Alphanumeric, Base32, Dotted, Hex, Url};

/// Longer prefixes before those that they begin with.
pub(super) const FORMS: [Form; 46] = [
    form("a key's secret of writegate", "sk_", Url, 43, 43),
    form("a session key of writegate", "ss_", Url, 43, 43),
    form("a Cloudflare API token", "cfut_", Alphanumeric, 40, 64),
    form("a Cloudflare account's API token", "cfat_", Alphanumeric, 40, 64),
    form("a Cloudflare global API key", "cfk_", Alphanumeric, 40, 64),
    form("a Cloudflare origin CA key", "v1.0-", Url, 160, 200),
    form("a GitHub token", "ghp_", Alphanumeric, 36, 255),
    form("a GitHub token", "gho_", Alphanumeric, 36, 255),
    form("a GitHub token", "ghu_", Alphanumeric, 36, 255),
    form("a GitHub token", "ghs_", Alphanumeric, 36, 255),
    form("a GitHub token", "ghr_", Alphanumeric, 36, 255),
    form("a GitHub token", "github_pat_", Url, 60, 255),
    form("a GitLab token", "glpat-", Dotted, 20, 300),
    form("a GitLab token", "gldt-", Url, 20, 64),
    form("a GitLab token", "glrt-", Dotted, 20, 300),
    form("a GitLab token", "glptt-", Url, 40, 64),
    form("an AWS access key", "AKIA", Base32, 16, 16),
    form("an AWS access key", "ASIA", Base32, 16, 16),
    form("an OpenAI or similar key", "sk-", Url, 32, 255),
    form("a Stripe key", "sk_live_", Alphanumeric, 16, 255),
    form("a Stripe key", "rk_live_", Alphanumeric, 16, 255),
    form("a Stripe key", "sk_test_", Alphanumeric, 16, 255),
    form("a Stripe webhook secret", "whsec_", Alphanumeric, 32, 64),
    form("a Slack token", "xoxb-", Url, 24, 255),
    form("a Slack token", "xoxp-", Url, 24, 255),
    form("a Slack token", "xoxa-", Url, 24, 255),
    form("a Slack token", "xoxs-", Url, 24, 255),
    form("a Slack token", "xoxe-", Url, 24, 255),
    form("a Slack token", "xapp-", Url, 24, 255),
    form("a Google API key", "AIza", Url, 35, 35),
    form("a Google access token", "ya29.", Url, 40, 400),
    form("a Google client secret", "GOCSPX-", Url, 28, 28),
    form("an npm token", "npm_", Alphanumeric, 36, 36),
    form("a PyPI token", "pypi-", Url, 60, 255),
    form("a SendGrid key", "SG.", Dotted, 60, 80),
    form("a DigitalOcean token", "dop_v1_", Hex, 64, 64),
    form("a Shopify token", "shpat_", Hex, 32, 32),
    form("a Hugging Face token", "hf_", Alphanumeric, 30, 40),
    form("a Contentful token", "CFPAT-", Url, 40, 50),
    form("a Sentry token", "sntrys_", Url, 60, 400),
    form("a Sentry token", "sntryu_", Hex, 64, 64),
    form("a Vault token", "hvs.", Url, 80, 200),
    form("a Databricks token", "dapi", Hex, 32, 32),
    form("a Linear key", "lin_api_", Alphanumeric, 40, 48),
    form("a Notion token", "ntn_", Alphanumeric, 40, 60),
    form("a Terraform token", "atlasv1.", Url, 60, 80),
];

/// The form of what begins here, and how long it is.
pub(super) fn at(text: &[u8]) -> Option<(&'static Form, usize)> {
    FORMS.iter().find_map(|form| {
        if text.get(1) != form.prefix.as_bytes().get(1) {
            return None;
        }
        let rest = text.strip_prefix(form.prefix.as_bytes())?;
        let length = rest.iter().take_while(|byte| form.alphabet.has(**byte)).count();
        let fits = (form.least..=form.most).contains(&length);
        // Not the beginning of something longer.
        let ends = rest.get(length).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        (fits && ends).then_some((form, form.prefix.len() + length))
    })
}

/// The bytes that a form begins with.
pub(super) fn first_bytes() -> [bool; 256] {
    let mut first = [false; 256];
    for form in &FORMS {
        if let Some(byte) = form.prefix.bytes().next() {
            first[usize::from(byte)] = true;
        }
    }
    first
}
