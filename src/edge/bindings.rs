//! The gate's bindings, as `bindings.js` calls them. Each function returns a promise, which is rejected
//! when the binding is missing, fails or takes too long.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/bindings.js")]
extern "C" {
    /// Reads the text of this name in KV, or null.
    pub(super) fn record(env: &JsValue, name: &str) -> JsValue;

    /// Reads the texts of these names (one per line), as they were last written: a JSON array of texts
    /// and nulls.
    pub(super) fn records(env: &JsValue, names: &str) -> JsValue;

    /// Reads a page of records from `cursor` on: `{"records":[[name,text],…],"cursor":…}` as JSON.
    pub(super) fn page(env: &JsValue, cursor: Option<&str>) -> JsValue;

    /// Reads the names of a page of at most `limit` records from `cursor` on: `[[name,…],cursor]` as JSON.
    pub(super) fn names(env: &JsValue, cursor: Option<&str>, limit: usize) -> JsValue;

    /// Writes records, a JSON array of `[name, expected text or null, new text]`. Returns `true` as JSON
    /// if every expected text was right, otherwise `false`.
    #[wasm_bindgen(js_name = writeRecords)]
    pub(super) fn write_records(env: &JsValue, changes: &str) -> JsValue;

    /// Reads the value of a secret in a Secrets Store, by its binding.
    pub(super) fn secret(env: &JsValue, name: &str) -> JsValue;

    /// Counts a request at a rate limiter. Returns true if it is within the limit.
    #[wasm_bindgen(js_name = withinRate)]
    pub(super) fn within_rate(env: &JsValue, binding: &str, rate_limit_key: &str) -> JsValue;

    /// Sends a batch of usage to a key's ledger. Returns the ledger's answer as JSON.
    #[wasm_bindgen(js_name = submitUsage)]
    pub(super) fn submit_usage(env: &JsValue, key: &str, batch: &str) -> JsValue;

    /// Sends [`super::wire::batches`] to the ledgers of their keys, unless they are empty, and reads the
    /// ledgers: two lines for each key, the ledger's answer to the batch and the JSON of its rows.
    pub(super) fn usage(env: &JsValue, batches: &str, from: &str, to: &str) -> JsValue;

    /// Records a nonce in the Durable Object `name` until this Unix time in seconds. Returns true if the
    /// nonce is new.
    pub(super) fn remember(env: &JsValue, name: &str, nonce: &str, until: &str) -> JsValue;
}
