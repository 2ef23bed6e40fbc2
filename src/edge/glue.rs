//! The JavaScript beside this file, `glue.js`, `forward.js` and `store.js`: one call each way, for every
//! crossing costs.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

use super::exchange::JsExchange;
use super::task::JsTask;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    /// Makes a `Response` of [`super::wire::response`], after its lines are written to the log.
    pub(super) fn respond(message: &str) -> JsValue;

    /// Awaits what the work waits for until it has a `Response`, and returns the promise of that.
    #[wasm_bindgen(js_name = runTask)]
    pub(super) fn run_task(task: JsTask, ctx: &JsValue) -> JsValue;

    /// Rust panicked, so that the exchanges of other requests must not be used any more.
    pub(super) fn panicked();

    /// `env[name]`: `t` and a text, `j` and the JSON of a variable, `r` for something to call, absent as
    /// `undefined`.
    pub(super) fn variable(env: &JsValue, name: &str) -> JsValue;
}

#[wasm_bindgen(module = "/src/edge/wire.js")]
extern "C" {
    /// Writes the request into `buffer` for [`super::wire::request`]. Returns the number of bytes written, or,
    /// where there is too little room, minus the room that is enough.
    #[wasm_bindgen(js_name = writeRequest)]
    pub(super) fn write_request(request: &JsValue, buffer: &mut [u8]) -> i32;
}

#[wasm_bindgen(module = "/src/edge/body.js")]
extern "C" {
    /// A body that was read.
    pub(super) type HeldBody;

    /// The bytes.
    #[wasm_bindgen(method, getter)]
    pub(super) fn bytes(this: &HeldBody) -> Uint8Array;

    /// The digests that were asked for; none where Rust is to compute the one.
    #[wasm_bindgen(method, getter)]
    pub(super) fn digests(this: &HeldBody) -> Array;

    /// The body counts against the budget no more.
    #[wasm_bindgen(method)]
    pub(super) fn release(this: &HeldBody);

    /// Reads the body, of at most so many bytes, in so many milliseconds: the promise of a [`HeldBody`] with
    /// the digests of these names of WebCrypto, with commas between, or of a word why there is none.
    pub(super) fn read(request: &JsValue, max_bytes: f64, ms: u32, names: &str) -> JsValue;
}

#[wasm_bindgen(module = "/src/edge/forward.js")]
extern "C" {
    /// Sends the request on, with the body that was read if one was, and returns the promise of a
    /// `Response`.
    pub(super) fn forward(
        request: &JsValue,
        plan: &str,
        exchange: JsExchange,
        ctx: &JsValue,
        body: &JsValue,
    ) -> JsValue;

    /// A GET without a body: the promise of the status on the first line, then the beginning of the body.
    pub(super) fn probe(plan: &str) -> JsValue;
}

#[wasm_bindgen(module = "/src/edge/memory_cache.js")]
extern "C" {
    /// The headers, in lines, of the answer of this name, if it was served a moment ago.
    pub(super) fn recall(name: &str) -> Option<String>;

    /// That answer as a `Response`: see [`super::wire::step`].
    pub(super) fn serve(name: &str, is_head: bool, step: &str) -> JsValue;
}

#[wasm_bindgen(module = "/src/edge/store.js")]
extern "C" {
    /// Marks answers as purged: the promise of `true`.
    pub(super) fn purge(mark: &str) -> JsValue;
}

#[wasm_bindgen]
extern "C" {
    /// `console.log`.
    #[wasm_bindgen(js_namespace = console)]
    pub(super) fn log(line: &str);

    /// `console.warn`.
    #[wasm_bindgen(js_namespace = console)]
    pub(super) fn warn(line: &str);

    /// `console.error`.
    #[wasm_bindgen(js_namespace = console)]
    pub(super) fn error(line: &str);

    /// Fills `bytes` with random ones.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    pub(super) fn fill_random(bytes: &mut [u8]);
}
