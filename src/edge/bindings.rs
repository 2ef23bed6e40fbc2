//! The gate's bindings, as `bindings.js` calls them: each function returns a promise, which is rejected
//! when the binding is missing, fails or takes too long.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/bindings.js")]
extern "C" {
    /// The text under this name in KV, or null.
    pub(super) fn record(env: &JsValue, name: &str) -> JsValue;

    /// The texts under these names, a line each, as they were last written: a JSON array of texts and nulls.
    pub(super) fn records(env: &JsValue, names: &str) -> JsValue;

    /// `{"records":[[name,text],…],"cursor":…}` as JSON, from `cursor` on.
    pub(super) fn page(env: &JsValue, cursor: Option<&str>) -> JsValue;

    /// Writes records: JSON of arrays of a name, the text that is there or null, and the new text. Returns
    /// `true` as JSON if each was as that says, else `false`.
    #[wasm_bindgen(js_name = writeRecords)]
    pub(super) fn write_records(env: &JsValue, changes: &str) -> JsValue;

    /// What a Secrets Store has under this binding.
    pub(super) fn secret(env: &JsValue, name: &str) -> JsValue;

    /// Counts a request at a rate limiter: whether it is within.
    #[wasm_bindgen(js_name = withinRate)]
    pub(super) fn within_rate(env: &JsValue, binding: &str, rate_limit_key: &str) -> JsValue;

    /// Sends a batch of usage to a key's ledger: its answer, as JSON.
    #[wasm_bindgen(js_name = submitUsage)]
    pub(super) fn submit_usage(env: &JsValue, key: &str, batch: &str) -> JsValue;

    /// The rows of a key's ledger, as JSON.
    pub(super) fn usage(env: &JsValue, key: &str, from: &str, to: &str) -> JsValue;

    /// Has the Durable Object `name` record a nonce until these Unix seconds: whether it is new.
    pub(super) fn remember(env: &JsValue, name: &str, nonce: &str, until: &str) -> JsValue;
}
