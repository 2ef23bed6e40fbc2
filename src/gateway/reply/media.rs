//! The media types that a browser may show without a sandbox.
//!
//! Browsers disagree about media types that do not parse: Chromium takes `text/html (x)` for HTML. So
//! only a type on the list, spelled exactly, is passive. Everything else is sandboxed, also a response
//! without a type.

/// Returns true if no browser runs scripts of a document with this `Content-Type`.
///
/// Repeated fields are joined with commas, and browsers differ in which one they take (Fetch
/// Standard, "extract a MIME type"), so all must be passive.
pub(super) fn is_passive(content_type: &str) -> bool {
    content_type.split(',').all(|media_type| {
        let essence = media_type.split(';').next().unwrap_or_default();
        // HTTP whitespace: no other character may surround a type (MIME Sniffing Standard, section 4.4).
        let essence = essence.trim_matches([' ', '\t']);
        is_passive_essence(essence) || is_passive_essence(&essence.to_ascii_lowercase())
    })
}

fn is_passive_essence(essence: &str) -> bool {
    match essence {
        // Shown as text. `text/css` and JavaScript are not here: a sandbox does not hinder a page that
        // loads them, and a worker that is made of them must not have the gate's origin.
        "application/json"
        | "application/problem+json"
        | "application/x-ndjson"
        | "text/plain"
        | "text/event-stream"
        | "text/csv"
        | "text/markdown" => true,
        "image/png"
        | "image/jpeg"
        | "image/gif"
        | "image/webp"
        | "image/avif"
        | "image/apng"
        | "image/bmp"
        | "image/x-icon"
        | "image/vnd.microsoft.icon" => true,
        // Chromium shows no PDF in a sandbox; scripts of a PDF run in the viewer's origin.
        "application/pdf" => true,
        // Downloaded.
        "application/octet-stream" | "application/zip" | "application/gzip" => true,
        other => is_of_passive_family(other),
    }
}

/// Returns true for types of JSON, audio, video and fonts. Their subtypes are plain words, so none ends
/// in `+xml`.
fn is_of_passive_family(essence: &str) -> bool {
    let Some((family, subtype)) = essence.split_once('/') else {
        return false;
    };
    let subtype = match family {
        "application" => subtype.strip_suffix("+json"),
        "audio" | "video" | "font" => Some(subtype),
        _ => None,
    };
    subtype.is_some_and(|subtype| {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        !subtype.is_empty() && subtype.bytes().all(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_on_the_list_are_passive() {
        for passive in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json;charset=\"x\"",
            " text/plain\t",
            "image/png",
            "application/vnd.api+json",
            "video/mp4",
            "font/woff2",
            "application/pdf",
            "application/zip",
            "text/plain, application/json",
        ] {
            assert!(is_passive(passive), "{passive}");
        }
    }

    #[test]
    fn everything_else_is_sandboxed() {
        for active in [
            "",
            ",",
            "application/json,",
            "text/html",
            "Text/HTML; charset=utf-8",
            "text/html (x)",
            "text/html x",
            "text/html;x",
            "text/html\t",
            "\u{b}text/plain",
            "text/plain\u{a0}",
            "text/xsl",
            "text/xml",
            "image/svg+xml",
            "image/svg+xml(x)",
            "image/svg+xml;x",
            "application/xhtml+xml",
            "application/xml",
            "application/atom+xml",
            "application/mathml+xml",
            "audio/x+xml",
            "video/svg+xml(x)",
            "application/x(y)+json",
            "application/ +json",
            "application/json (text/html)",
            "application/json text/html",
            "application / json",
            "image/*",
            "*/*",
            "unknown/unknown",
            "application/unknown",
            "text",
            "text/",
            "audio/",
            "application/+json",
            "multipart/x-mixed-replace",
            "multipart/related",
            "message/rfc822",
            "text/css",
            "text/javascript",
            "application/x-shockwave-flash",
            "text/plain, text/html",
            "text/html, text/plain",
            "text/plain; a=\"x, text/html; y\"",
        ] {
            assert!(!is_passive(active), "{active:?}");
        }
    }
}
