//! End-to-end tests: the gate on real workerd, callers that send raw bytes, and an upstream that records what arrives.
//! They are written to the wire contract and share no code with the gate.

// The harness.
mod spent;
mod usage;

// What a caller presents, and what a key allows.
mod paths;
mod rates;
mod registry;
mod robustness;
mod rules;

// Signed requests and signed links.
mod digest_limits;
mod digests;
mod links;
mod replay;
mod replay_memory;
mod signed_requests;

// Keys of the registry, made and changed while the gate runs.
mod admin;
mod admin_batch;
mod admin_bodies;
mod admin_failures;
mod admin_isolates;
mod admin_log;

// What crosses the gate.
mod bodies;
mod crossing;
mod failures;
mod mint;
mod retries;
mod stored_token;
mod streaming;
mod waits;

// What a key has had, and what it may have.
mod costs;
mod costs_docs;
mod quota;
mod quota_answers;
mod quota_ledger;
mod usage_api;
mod usage_codes;
mod usage_ledger;
mod usage_outcomes;
mod usage_pages;
mod usage_passed;
mod usage_streams;
mod usage_volume;

// Reads that need not reach the upstream.
mod cache;
mod cache_bodies;
mod cache_browser;
mod cache_echo;
mod cache_expiry;
mod cache_headers;
mod cache_parts;
mod cache_purge;
mod cache_refusals;
mod cache_requests;
mod cache_stored;
mod cache_upstream;

// What its operator sees.
mod audit;
mod config;
mod odd_bindings;
mod panic;
mod rotation;

// The gate's pages in a browser.
mod browser;

// Software that is not ours.
mod bindings;
mod datasette;
mod foreign_jwt;
mod foreign_signatures;
mod recipes;
mod signing_docs;
mod wrangler;
