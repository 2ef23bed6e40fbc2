//! Presets for gates in front of known APIs. `docs/recipes/` describes each one,
//! and the tests run its examples.

/// The answers that `init` need not ask for.
pub(super) struct Preset {
    pub(super) name: &'static str,
    /// Its purpose, in a few words.
    pub(super) about: &'static str,
    /// The paths at the gate that go to the API.
    pub(super) path: &'static str,
    pub(super) upstream: Address,
    pub(super) probe: Option<&'static str>,
    /// Further members of the route's table, as TOML.
    pub(super) route: &'static [&'static str],
    pub(super) key_name: &'static str,
    pub(super) methods: &'static [&'static str],
    /// Empty: asked.
    pub(super) paths: &'static [&'static str],
    /// The first key must name the origins of its pages.
    pub(super) origins: bool,
    /// Further members of the first key's table.
    pub(super) key: &'static [&'static str],
    /// With keys in KV beside those of the configuration.
    pub(super) registry: bool,
    /// The rate limiter that comes with it.
    pub(super) limiter: Option<Limiter>,
    /// Some of its answers are cached, which needs a host name.
    pub(super) cached: bool,
    /// Its first key mints sessions for pages, which needs a widget of Turnstile's.
    pub(super) mint: bool,
}

/// A rate limiter, as the configuration binds it.
#[derive(Clone, Copy)]
pub(super) struct Limiter {
    /// Explains it.
    pub(super) comment: &'static str,
    /// In `RATES`, and after `RATE_` in capitals.
    pub(super) name: &'static str,
    pub(super) limit: u32,
    pub(super) period: u32,
}

/// The limiter of the first key's requests.
pub(super) const STANDARD: Limiter = Limiter {
    comment: "The rate limit of keys with rate = \"standard\", in each data centre.",
    name: "standard",
    limit: 100,
    period: 60,
};

/// The address of an API.
pub(super) enum Address {
    /// Only the operator knows it; this is an example.
    Asked(&'static str),
    Fixed(&'static str),
    /// `{account}` stands for the Cloudflare account's id.
    OfAccount(&'static str),
}

/// Any other API.
pub(super) const OTHER: Preset = Preset {
    name: "other",
    about: "any other API",
    path: "/*",
    upstream: Address::Asked("https://api.example.com"),
    probe: None,
    route: &[],
    key_name: "First key",
    methods: &[],
    paths: &[],
    origins: false,
    key: &[],
    registry: false,
    limiter: None,
    cached: false,
    mint: false,
};

/// A headless CMS: servers and scripts that write content.
const CMS: Preset = Preset {
    name: "cms",
    about: "a headless CMS that servers and scripts write to",
    upstream: Address::Asked("https://cms.example.com/api"),
    key_name: "Editors' tools",
    methods: &["GET", "POST", "PUT", "PATCH"],
    ..OTHER
};

/// Workers AI, spoken to as OpenAI-style clients do.
const WORKERS_AI: Preset = Preset {
    name: "workers-ai",
    about: "Workers AI, as OpenAI-style clients call it",
    path: "/ai/*",
    upstream: Address::OfAccount("https://api.cloudflare.com/client/v4/accounts/{account}/ai"),
    probe: Some("/models/search"),
    key_name: "The application",
    methods: &["POST"],
    paths: &["/ai/v1/chat/completions", "/ai/v1/embeddings"],
    ..OTHER
};

/// The Cloudflare API itself.
const CLOUDFLARE_API: Preset = Preset {
    name: "cloudflare-api",
    about: "the Cloudflare API itself",
    path: "/client/v4/*",
    upstream: Address::Fixed("https://api.cloudflare.com/client/v4"),
    probe: Some("/user/tokens/verify"),
    key_name: "Automation",
    methods: &["GET", "POST", "PUT", "PATCH"],
    ..OTHER
};

/// Images that pages show, from a store that needs a token for reads too.
const IMAGES: Preset = Preset {
    name: "images",
    about: "images that pages show, cached, from a store that needs a token",
    path: "/img/*",
    upstream: Address::Asked("https://images.example.com/v1"),
    route: &[
        "methods = [\"GET\"]",
        "# The key is checked before the cache is asked; all keys share its answers.",
        "cache = { ttl = 86400, scope = \"shared\" }",
    ],
    key_name: "The website",
    methods: &["GET"],
    paths: &["/img/*"],
    origins: true,
    key: &[
        "# Pages use only its id; its secret signs URLs that work anywhere until they expire.",
        "schemes = [\"public-key\", \"url\"]",
    ],
    registry: true,
    limiter: Some(Limiter {
        comment: "The rate limit of keys with rate = \"standard\", in each data centre, here per visitor's address.",
        ..STANDARD
    }),
    cached: true,
    ..OTHER
};

/// A form on a static site: its visitors write to an API, and no server of the site's own is needed.
const FORM: Preset = Preset {
    name: "form",
    about: "a form on a static site, whose visitors write to an API",
    upstream: Address::Asked("https://api.example.com"),
    key_name: "The form's page",
    methods: &["POST"],
    origins: true,
    key: &[
        "# The gate gives a session to each visitor of these pages whom Turnstile takes for a person.",
        "mint = { ttl = 300, bind = false }",
    ],
    limiter: Some(Limiter {
        comment: "How many sessions a visitor's address may ask for, in each data centre.",
        name: "mint",
        limit: 10,
        period: 60,
    }),
    mint: true,
    ..OTHER
};

const ALL: [&Preset; 6] = [&CMS, &FORM, &IMAGES, &WORKERS_AI, &CLOUDFLARE_API, &OTHER];

/// Returns the names of the presets, for a sentence.
pub(super) fn names() -> String {
    let [first @ .., last] = ALL.map(|preset| preset.name);
    format!("{} or {last}", first.join(", "))
}

/// Returns a line for each preset, with what it is for.
pub(super) fn descriptions() -> String {
    let lines = ALL.map(|preset| format!("  {:<16}{}\n", preset.name, preset.about));
    lines.concat()
}

/// Takes the name of a preset.
pub(super) fn name(text: &str) -> Result<String, String> {
    named(text).map(|preset| preset.name.to_owned())
}

/// Returns the preset of this name.
pub(super) fn named(name: &str) -> Result<&'static Preset, String> {
    ALL.into_iter()
        .find(|preset| preset.name == name)
        .ok_or_else(|| format!("expected {}", names()))
}
