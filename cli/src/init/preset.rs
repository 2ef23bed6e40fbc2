//! Presets: how a gate in front of a known API looks. `docs/recipes/` tells of each,
//! and the tests run what stands there.

/// The answers that `init` need not ask for.
pub(super) struct Preset {
    pub(super) name: &'static str,
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
    /// Variables of the gate itself.
    pub(super) vars: &'static [&'static str],
    /// With keys in KV beside those of the configuration.
    pub(super) registry: bool,
    /// With the rate limiter `RATE_STANDARD`.
    pub(super) limiter: bool,
}

/// Where an API is.
pub(super) enum Address {
    /// The operator knows; an example.
    Asked(&'static str),
    Fixed(&'static str),
    /// `{account}` stands for the Cloudflare account's id.
    OfAccount(&'static str),
}

/// Any other API.
pub(super) const OTHER: Preset = Preset {
    name: "other",
    path: "/*",
    upstream: Address::Asked("https://api.example.com"),
    probe: None,
    route: &[],
    key_name: "First key",
    methods: &[],
    paths: &[],
    origins: false,
    key: &[],
    vars: &[],
    registry: false,
    limiter: false,
};

/// A headless CMS: servers and scripts that write content.
const CMS: Preset = Preset {
    name: "cms",
    upstream: Address::Asked("https://cms.example.com/api"),
    key_name: "Editors' tools",
    methods: &["GET", "POST", "PUT", "PATCH"],
    ..OTHER
};

/// Workers AI, spoken to as OpenAI-style clients do.
const WORKERS_AI: Preset = Preset {
    name: "workers-ai",
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
    path: "/client/v4/*",
    upstream: Address::Fixed("https://api.cloudflare.com/client/v4"),
    probe: Some("/user/tokens/verify"),
    key_name: "Automation",
    methods: &["GET", "POST", "PUT", "PATCH"],
    ..OTHER
};

/// Images that pages show, from a store that wants a token for reads too.
const IMAGES: Preset = Preset {
    name: "images",
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
        "rate = \"standard\"",
    ],
    vars: &[
        "# The limit of [[ratelimits]] below, to tell callers.",
        "RATES = { standard = { limit = 100, period = 60 } }",
    ],
    registry: true,
    limiter: true,
    ..OTHER
};

const ALL: [&Preset; 5] = [&CMS, &WORKERS_AI, &CLOUDFLARE_API, &IMAGES, &OTHER];

/// The preset of this name.
pub(super) fn named(name: &str) -> Result<&'static Preset, String> {
    ALL.into_iter()
        .find(|preset| preset.name == name)
        .ok_or_else(|| "expected cms, workers-ai, cloudflare-api, images or other".to_owned())
}
