//! `GET /_gate/status`: the age of each token, the presence of each binding, and the keys of the
//! configuration (docs/wire-contract.md, "The gate's own paths").

use super::LocalResponse;
use crate::base::json;
use crate::platform::{AdminBackend, Platform};
use crate::telemetry::token_age;

use super::handler::AdminHandler;

impl<P: Platform + AdminBackend> AdminHandler<'_, P> {
    pub(super) async fn status(&self) -> LocalResponse {
        let config = self.config;
        let tokens = self
            .token_cache
            .all(&config.tokens, &config.roots.current, self.platform, self.now)
            .await;
        let tokens = token_age::reports(config, &tokens, &[], self.now);
        let tokens = tokens.iter().map(token_age::Report::status);
        let bindings = json::object([
            ("KEY_REGISTRY", config.registry.into()),
            ("KEY_WRITER", config.key_writer.into()),
            ("REPLAY", config.replay.into()),
            ("LEDGER", config.ledger.into()),
        ]);
        let status = json::object([
            ("version", env!("CARGO_PKG_VERSION").into()),
            ("tokens", tokens.collect()),
            ("keys", config.key_records.clone().into()),
            ("bindings", bindings),
        ]);
        LocalResponse::json(200, &status)
    }
}
