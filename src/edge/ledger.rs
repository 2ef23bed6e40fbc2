//! `Ledger`, the Durable Object that adds up what a key has had. The platform calls a class; what it does
//! is some lines of SQL, in `ledger.js`, and needs nothing of the gate's.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/ledger.js")]
extern "C" {
    fn serve(state: &JsValue, request: &JsValue) -> JsValue;
}

/// One key's usage.
#[wasm_bindgen]
pub struct Ledger {
    state: JsValue,
}

#[wasm_bindgen]
impl Ledger {
    /// What the platform makes it of.
    #[wasm_bindgen(constructor)]
    pub fn new(state: JsValue, _env: JsValue) -> Self {
        Self { state }
    }

    /// Takes a batch and says what there is since a day (POST), or lists days (GET): the promise of JSON.
    pub fn fetch(&self, request: &JsValue) -> JsValue {
        serve(&self.state, request)
    }
}
