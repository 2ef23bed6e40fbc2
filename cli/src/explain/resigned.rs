//! A caller's request, signed anew for a gate with another root. A holder of only the key's secret can thus ask the gate's own code
//! about everything but that root.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use writegate::MacKey;
use writegate::Secret;
use writegate::Timestamp;
use writegate::credential::session::Session;
use writegate::credential::url::{sign, without_trackers};
use writegate::{KeyId, derive_ss};

use super::bases;
use super::request_input::RequestInput;

/// Returns the request with its credential of the key secret `from` made again with `to`; `None` if it is not of `from`.
pub(super) fn resigned(
    request: &RequestInput,
    id: &KeyId,
    from: &Secret,
    to: &Secret,
) -> Option<RequestInput> {
    let mut request = request.clone();
    let (mut from, mut to) = (from.clone(), to.clone());
    let mut is_done = false;
    let authorization = request.header("authorization").map(str::to_owned);
    if let Some((scheme, token)) = authorization.as_deref().and_then(|value| value.split_once(' '))
    {
        let session = Session::parse(token.trim_start_matches(' ')).ok()?;
        let (signed, tag) = token.rsplit_once('.')?;
        let message = signed.trim_start_matches(' ').as_bytes();
        is_genuine(&from, message, &URL_SAFE_NO_PAD.decode(tag).ok()?)?;
        let tag = URL_SAFE_NO_PAD.encode(MacKey::new(&to).tag(message));
        // The base of its signature covers the session as it was.
        let kid = session.bound_to().map(str::to_owned);
        let bound = kid.filter(|_| request.is_signed());
        let before = request.head().and_then(|head| {
            let signature = bases::signature(&head).ok()?;
            Some((signature.base(&head).ok()?, signature.tag().to_vec()))
        });
        request.replace("authorization", &format!("{scheme} {signed}.{tag}"));
        let Some(kid) = bound else {
            return Some(request);
        };
        (from, to) = (derive_ss(&from, &kid), derive_ss(&to, &kid));
        let (base, tag) = before?;
        is_genuine(&from, base.as_bytes(), &tag)?;
        is_done = true;
    }
    if request.is_signed() {
        let head = request.head()?;
        let signature = bases::signature(&head).ok()?;
        let base = signature.base(&head).ok()?;
        if !is_done {
            is_genuine(&from, base.as_bytes(), signature.tag())?;
        }
        let old = STANDARD.encode(signature.tag());
        let new = STANDARD.encode(MacKey::new(&to).tag(base.as_bytes()));
        let header = request.header("signature")?.replace(&old, &new);
        request.replace("signature", &header);
        return Some(request);
    }
    // A signed URL: what the command itself would make of it.
    let trackers = request.url.strip_prefix(without_trackers(&request.url))?.to_owned();
    let (before, _sig) = without_trackers(&request.url).rsplit_once("&sig=")?;
    let (before, exp) = before.rsplit_once("&exp=")?;
    let plain = before
        .strip_suffix(id.as_str())?
        .strip_suffix("key=")?
        .strip_suffix(['?', '&'])?
        .to_owned();
    let end = Timestamp::from_seconds(exp.parse().ok()?);
    let made = |secret: &Secret| {
        let bare = RequestInput { url: plain.clone(), ..request.clone() };
        let head = bare.head()?;
        let link = sign(&head, id, end, &MacKey::new(secret));
        Some(format!("{}://{}{link}{trackers}", head.scheme(), head.authority()))
    };
    (made(&from)? == request.url).then_some(())?;
    Some(RequestInput { url: made(&to)?, ..request })
}

fn is_genuine(secret: &Secret, message: &[u8], tag: &[u8]) -> Option<()> {
    MacKey::new(secret).verify(message, tag).then_some(())
}
