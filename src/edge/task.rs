//! A request that has to wait for the platform. JavaScript awaits the promise and calls back: one
//! crossing, while a waker would need closures, a queue and a promise of its own.

use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use wasm_bindgen::prelude::*;

/// The slot in which a waiting future leaves its promise, and JavaScript the result.
#[derive(Clone, Default)]
pub(super) struct PromiseSlot(Rc<RefCell<State>>);

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Awaiting(JsValue),
    Settled(Result<JsValue, ()>),
}

impl PromiseSlot {
    /// Waits for a promise. Returns an error if it was rejected.
    pub(super) fn wait(&self, promise: JsValue) -> Waiting<'_> {
        let _ = self.0.replace(State::Awaiting(promise));
        Waiting(self)
    }
}

/// A future that is ready once the slot is settled.
pub(super) struct Waiting<'s>(&'s PromiseSlot);

impl Future for Waiting<'_> {
    type Output = Result<JsValue, ()>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.0.borrow_mut();
        match core::mem::take(&mut *state) {
            State::Settled(result) => Poll::Ready(result),
            unsettled @ (State::Idle | State::Awaiting(_)) => {
                *state = unsettled;
                Poll::Pending
            }
        }
    }
}

/// A future with its slot, as JavaScript keeps it while it waits.
#[wasm_bindgen]
pub struct JsTask {
    future: Pin<Box<dyn Future<Output = JsValue>>>,
    slot: PromiseSlot,
}

impl JsTask {
    /// Begins `future`, which waits only through `slot`. Returns its result if it did not wait, or else
    /// the rest of the task.
    pub(super) fn begin(
        future: Pin<Box<dyn Future<Output = JsValue>>>,
        slot: PromiseSlot,
    ) -> Result<JsValue, Self> {
        let mut task = Self { future, slot };
        let response = task.poll();
        match response.is_undefined() {
            true => Err(task),
            false => Ok(response),
        }
    }

    fn poll(&mut self) -> JsValue {
        // No waker is needed: after the slot is settled, `resume` polls again.
        let mut context = Context::from_waker(Waker::noop());
        match self.future.as_mut().poll(&mut context) {
            Poll::Ready(response) => response,
            Poll::Pending => JsValue::UNDEFINED,
        }
    }
}

#[wasm_bindgen]
impl JsTask {
    /// Returns the promise that the task waits for.
    pub fn awaited(&self) -> JsValue {
        match self.slot.0.replace(State::Idle) {
            State::Awaiting(promise) => promise,
            State::Idle | State::Settled(_) => JsValue::UNDEFINED,
        }
    }

    /// Continues after that promise was settled. Returns a response or the promise of one, or
    /// `undefined` if the task waits for another promise.
    pub fn resume(&mut self, value: JsValue, rejected: bool) -> JsValue {
        let result = if rejected { Err(()) } else { Ok(value) };
        let _ = self.slot.0.replace(State::Settled(result));
        self.poll()
    }
}
