//! `ReplayGuard`, the Durable Object that remembers nonces. The platform calls a class; what it does
//! is two lines of SQL, in `replay.js`, and needs nothing of the gate's.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/replay.js")]
extern "C" {
    fn record(state: &JsValue, request: &JsValue) -> JsValue;
    fn forget(state: &JsValue) -> JsValue;
}

/// One shard of one key's nonces.
#[wasm_bindgen]
pub struct ReplayGuard {
    state: JsValue,
}

#[wasm_bindgen]
impl ReplayGuard {
    /// What the platform makes it of.
    #[wasm_bindgen(constructor)]
    pub fn new(state: JsValue, _env: JsValue) -> Self {
        Self { state }
    }

    /// Records the nonce of this request: the promise of a 201 for a new one, of a 409 for one seen
    /// before.
    pub fn fetch(&self, request: &JsValue) -> JsValue {
        record(&self.state, request)
    }

    /// Forgets what would be stale anyway.
    pub fn alarm(&self) -> JsValue {
        forget(&self.state)
    }
}
