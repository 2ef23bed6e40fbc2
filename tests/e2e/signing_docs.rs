//! The snippets of docs/signing.md.
