//! The object that a rotation prints for a program (`--json`): the work that is done, and the rest. Tokens are named by their fingerprints.

use serde_json::{Value, json};

use super::super::place::{Place, Way};
use super::Rotation;

/// The end of a run that did not fail.
#[derive(Clone, Copy)]
pub(super) enum Outcome {
    /// A new token is in place.
    Rotated,
    /// The token in place stays, and what an earlier run had left is revoked.
    Finished,
    /// There was nothing to do.
    Unchanged,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Finished => "finished",
            Self::Unchanged => "unchanged",
        }
    }
}

/// The facts of a run, noted as each becomes true, so that a run that fails can tell how far it came.
#[derive(Default)]
pub(super) struct Report {
    /// The fingerprint of the token in place when the run began.
    pub(super) before: Option<String>,
    /// The fingerprint of the token that the run made, and its id at Cloudflare.
    pub(super) made: Option<(String, Option<String>)>,
    put: Option<Value>,
    /// The fingerprint of the token in place now; `None` where nobody has seen it since.
    pub(super) now: Option<String>,
    /// Ids at Cloudflare.
    pub(super) revoked: Vec<String>,
    pub(super) revoked_by_hook: bool,
    warnings: Vec<String>,
    left: Vec<String>,
}

impl Report {
    /// Adds something that is left to do.
    pub(super) fn leave(&mut self, what: impl Into<String>) {
        self.left.push(what.into());
    }

    /// Notes that the token is about to be put: from now on it may be in the gate.
    pub(super) fn begin_put(&mut self, place: &Place) {
        self.now = None;
        self.warnings.extend(place.warning());
        let (way, store) = match &place.way {
            Way::Plain => ("secret", None),
            Way::Versions { .. } => ("versions", None),
            Way::Store { store, .. } => ("secrets-store", Some(store)),
        };
        self.put = Some(json!({
            "way": way,
            "store": store,
            "previous_versions": place.serving,
            "version": null,
            "done": false,
        }));
    }

    pub(super) fn end_put(&mut self, version: Option<String>) {
        if let Some(put) = &mut self.put {
            put["version"] = version.into();
            put["done"] = true.into();
        }
    }

    pub(super) fn object(&self, rotation: &Rotation<'_>, end: Result<Outcome, &str>) -> Value {
        let made = self.made.as_ref();
        let made = made.map(|(fingerprint, id)| json!({"fingerprint": fingerprint, "id": id}));
        json!({
            "configuration": rotation.project.name(),
            "environment": rotation.project.environment,
            "gate": rotation.options.which.address().origin(),
            "secret": rotation.secret,
            "outcome": end.map_or("failed", Outcome::name),
            "error": end.err(),
            "before": self.before,
            "now": self.now,
            "made": made,
            "put": self.put,
            "revoked": self.revoked,
            "revoked_by_hook": self.revoked_by_hook,
            "warnings": self.warnings,
            "left": self.left,
        })
    }
}
