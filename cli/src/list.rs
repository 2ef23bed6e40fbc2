//! Arguments that may be given several times: with commas between the values, except where a comma may be part of one.

use std::convert::Infallible;

/// Parses one of several values with commas between them.
pub(crate) fn item(text: &str) -> Result<String, Infallible> {
    Ok(text.trim().to_owned())
}

/// Checks a path. It may contain a comma, so one argument is always one path.
pub(crate) fn one_path(text: &str) -> Result<String, String> {
    let is_one = !text.contains(",/") && !text.contains(", ");
    is_one.then(|| text.to_owned()).ok_or_else(|| {
        "each path has a --path of its own, because a comma may be part of one (one with ,/ in it is written into the \
         configuration by hand)"
            .to_owned()
    })
}
