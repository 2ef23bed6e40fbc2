//! The functions of the JavaScript files that Rust calls: few calls with much in each, because every
//! crossing is expensive.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

use super::exchange::JsExchange;
use super::task::JsTask;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    /// Returns a `Response` made of [`super::wire::response`], after writing its lines to the log.
    pub(super) fn respond(message: &str) -> JsValue;

    /// Awaits the task's promises until it has a `Response`, and returns the promise of that.
    #[wasm_bindgen(js_name = runTask)]
    pub(super) fn run_task(task: JsTask, ctx: &JsValue) -> JsValue;

    /// Notes that Rust panicked, so the exchanges of other requests must not be used any more.
    pub(super) fn panicked();

    /// Reads `env[name]`: `t` and a text, `j` and the JSON of a variable, `r` for an object with
    /// methods, or `undefined`.
    pub(super) fn variable(env: &JsValue, name: &str) -> JsValue;
}

#[wasm_bindgen(module = "/src/edge/wire.js")]
extern "C" {
    /// Writes the request into `buffer` for [`super::wire::request`]. Returns the number of bytes
    /// written, or, if there is too little room, minus the room that is enough.
    #[wasm_bindgen(js_name = writeRequest)]
    pub(super) fn write_request(request: &JsValue, buffer: &mut [u8]) -> i32;
}

#[wasm_bindgen(module = "/src/edge/body.js")]
extern "C" {
    /// A request body that was read and buffered.
    pub(super) type BufferedBody;

    /// Returns the bytes.
    #[wasm_bindgen(method, getter)]
    pub(super) fn bytes(this: &BufferedBody) -> Uint8Array;

    /// Returns the requested digests; none if Rust computes the only one.
    #[wasm_bindgen(method, getter)]
    pub(super) fn digests(this: &BufferedBody) -> Array;

    /// Releases the body, which then does not count against the memory budget any more.
    #[wasm_bindgen(method)]
    pub(super) fn release(this: &BufferedBody);

    /// Reads a body of at most `max_bytes` within `ms` milliseconds. Returns the promise of a
    /// [`HeldBody`] with the digests of these WebCrypto names (separated by commas), or of a word that
    /// says why there is none.
    pub(super) fn read(request: &JsValue, max_bytes: f64, ms: u32, names: &str) -> JsValue;
}

#[wasm_bindgen(module = "/src/edge/forward.js")]
extern "C" {
    /// Forwards the request, with the buffered body if there is one, and returns the promise of a
    /// `Response`.
    pub(super) fn forward(
        request: &JsValue,
        plan: &str,
        exchange: JsExchange,
        ctx: &JsValue,
        body: &JsValue,
    ) -> JsValue;

    /// Sends the GETs of these plans, some at once. Returns the promise of their answers, in the same order: the status on the
    /// first line, then the beginning of the body, or `undefined`.
    pub(super) fn probe(plans: Array) -> JsValue;
}

#[wasm_bindgen(module = "/src/edge/memory_cache.js")]
extern "C" {
    /// Returns the headers, in lines, of the cache entry of this name, if it was served a moment ago.
    pub(super) fn recall(name: &str) -> Option<String>;

    /// Returns that entry as a `Response`, by a step as [`super::wire::step`] writes it.
    pub(super) fn serve(name: &str, is_head: bool, step: &str) -> JsValue;
}

#[wasm_bindgen(module = "/src/edge/store.js")]
extern "C" {
    /// Stores a purge marker. Returns the promise of `true`.
    pub(super) fn purge(marker: &str) -> JsValue;
}

#[wasm_bindgen(module = "/src/edge/siteverify.js")]
extern "C" {
    /// Posts a form to Turnstile's siteverify. Returns the promise of the status on the first line, then the
    /// body, which is rejected when there is no whole answer.
    pub(super) fn siteverify(url: &str, form: &str) -> JsValue;
}

#[wasm_bindgen]
extern "C" {
    /// Writes a line by `console.log`.
    #[wasm_bindgen(js_namespace = console)]
    pub(super) fn log(line: &str);

    /// Writes a line by `console.warn`.
    #[wasm_bindgen(js_namespace = console)]
    pub(super) fn warn(line: &str);

    /// Writes a line by `console.error`.
    #[wasm_bindgen(js_namespace = console)]
    pub(super) fn error(line: &str);

    /// Fills `bytes` with random values.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    pub(super) fn fill_random(bytes: &mut [u8]);
}
