//! The command beside a running gate: what it signs passes, what it changes counts, and a rotation leaves the gate with a
//! working token wherever it ends.

// The double of Cloudflare, and what a rotation is watched with.
mod cloudflare;
mod cloudflare_tokens;
mod cloudflare_worker;
mod rotate_front;
mod rotate_points;
mod rotate_run;
mod rotate_stage;
// What ends TLS, and somebody who does what a page says.
mod reader;
mod tls_front;

// A token replaced while callers write.
mod rotate_docs;
mod rotate_flow;
mod rotate_hook;
mod rotate_killed;
mod rotate_load;
mod rotate_refused;
mod rotate_twice;
mod rotate_wrangler;

// A gate set up, administered, checked, and called.
mod admin_command;
mod admin_docs;
mod admin_tls;
mod check_command;
mod explain_agrees;
mod gitlab;
mod init;
mod leaks;
mod npm;
mod pages;
mod recipe_link;
mod signing_command;

use std::process::Command;

/// Returns the command.
fn writegate() -> Command {
    Command::new(env!("CARGO_BIN_EXE_writegate"))
}
