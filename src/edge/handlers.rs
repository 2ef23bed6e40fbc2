//! The handlers that the platform calls.
//!
//! `fetch` is exported directly and not through `#[event(fetch)]`: its future is polled at once, and
//! only if it has to wait it becomes a promise ([`super::task`]). A refusal is returned directly, and a
//! forwarded request is the promise that JavaScript makes.

use std::cell::{OnceCell, RefCell};

use wasm_bindgen::prelude::*;
// Linked for its panic hook, which tells `entry.js` to begin a new memory.
use worker as _;

use crate::cache::CacheEntry;
use crate::gateway::exchange::Exchange;
use crate::gateway::forward::Outbound;
use crate::gateway::{Decision, Gate};
use crate::problem::Alarm;

use super::environment::JsEnvironment;
use super::exchange::JsExchange;
use super::flush::FlushBy;
use super::platform::JsPlatform;
use super::task::{JsTask, PromiseSlot};
use super::{clock, glue, wire};

/// The status of every response in the memory cache.
const STATUS_OK: u16 = 200;

thread_local! {
    /// The gate of this isolate: its configuration is parsed once.
    static GATE: OnceCell<&'static Gate> = const { OnceCell::new() };
}

/// Returns the isolate's gate. If the configuration does not parse, logs that once.
pub(super) fn gate(env: &JsValue) -> &'static Gate {
    GATE.with(|cell| {
        *cell.get_or_init(|| {
            let gate: &'static Gate = Box::leak(Box::new(Gate::new(&JsEnvironment(env))));
            if let Err(error) = gate.config() {
                glue::error(&Alarm::from(error).line(None));
            }
            gate
        })
    })
}

/// Installs the panic hook: it logs a panic's message and place, and gives up the state of other
/// requests. The next event begins with a new memory, which `entry.js` makes after `worker`'s own hook
/// has requested it.
#[wasm_bindgen(start)]
pub fn start() {
    // Each hook calls the one that was set before it.
    let worker_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        console_error_panic_hook::hook(info);
        worker_hook(info);
        glue::panicked();
    }));
}

/// Handles one request. Returns a `Response`, or the promise of one.
#[wasm_bindgen]
pub fn fetch(request: JsValue, env: JsValue, ctx: JsValue) -> JsValue {
    let (slot, task_ctx) = (PromiseSlot::default(), ctx.clone());
    let answer = Box::pin(answer(request, env, ctx, slot.clone()));
    match JsTask::begin(answer, slot) {
        Ok(response) => response,
        Err(task) => glue::run_task(task, &task_ctx),
    }
}

/// Room for most requests without their bodies, in bytes.
const ROOM: usize = 16 * 1024;

thread_local! {
    /// The buffer into which JavaScript writes a request in one crossing.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; ROOM]);
}

/// Returns the request as a message ([`wire::request`]).
fn read_request(request: &JsValue) -> String {
    BUFFER.with_borrow_mut(|buffer| {
        let mut written = glue::write_request(request, buffer);
        if let Ok(room) = usize::try_from(written.saturating_neg())
            && room > buffer.len()
        {
            buffer.resize(room, 0);
            written = glue::write_request(request, buffer);
        }
        let length = usize::try_from(written).unwrap_or_default();
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        buffer.truncate(ROOM);
        text
    })
}

async fn answer(request: JsValue, env: JsValue, ctx: JsValue, slot: PromiseSlot) -> JsValue {
    let message = read_request(&request);
    let Some((raw, context)) = wire::request(&message, clock::now()) else {
        // Only a mistake in `wire.js` could lead here.
        return JsValue::from(js_sys::Error::new("writegate: the request could not be read"));
    };
    #[cfg(feature = "panic-probe")]
    let probe = raw
        .headers
        .iter()
        .find(|(name, _)| *name == "x-writegate-panic")
        .map(|(_, value)| (*value).to_owned());
    #[cfg(feature = "panic-probe")]
    panic_if(probe.as_deref() == Some("early"));
    #[cfg(feature = "panic-probe")]
    if probe.as_deref() == Some("trap") {
        core::arch::wasm32::unreachable();
    }
    let platform = JsPlatform::new(&request, &env, slot);
    let gate = gate(&env);
    let decision = gate.decide(raw, context, &platform).await;
    #[cfg(feature = "panic-probe")]
    panic_if(probe.as_deref() == Some("late"));
    let flush = FlushBy { usage: gate.usage(), env: env.clone(), ctx: ctx.clone() };
    match decision {
        Decision::Respond(answer) => {
            flush.if_due(clock::now());
            glue::respond(&wire::response(&answer))
        }
        Decision::Forward(outbound, mut exchange) => {
            if let Some(response) = from_memory(&outbound, &mut exchange) {
                flush.if_due(clock::now());
                return response;
            }
            let plan = wire::plan(&outbound, exchange.timeout_ms());
            let exchange = JsExchange::new(exchange, flush);
            let body = platform.take_body(outbound.body);
            glue::forward(&request, &plan, exchange, &ctx, &body)
        }
    }
}

/// Returns the response to a cached read that this isolate served a moment ago, if it may be served
/// again.
fn from_memory(outbound: &Outbound<'_>, exchange: &mut Exchange<'_>) -> Option<JsValue> {
    let lookup = outbound.cache.as_ref();
    let lookup = lookup.filter(|lookup| !lookup.conditions.ask_range())?;
    let headers = glue::recall(&lookup.name)?;
    let headers = wire::headers(&headers);
    let entry = CacheEntry { headers: &headers, purged: None };
    let step = exchange.cached(STATUS_OK, entry, clock::now())?;
    Some(glue::serve(&lookup.name, outbound.is_head, &wire::step(&step)))
}

#[cfg(feature = "panic-probe")]
#[expect(clippy::panic, reason = "this feature exists to panic")]
fn panic_if(is_requested: bool) {
    if is_requested {
        panic!("asked to by the panic-probe feature");
    }
}
