//! The cause of each code, its fix, and an example, for the page `/_gate/problems`. The answer itself has the shorter
//! [`Description`](super::Description).

use super::{Fault, Problem, Refusal};

/// The texts about one code on the page.
pub(super) struct Advice {
    pub(super) cause: &'static str,
    pub(super) fix: &'static str,
    pub(super) example: &'static str,
}

const fn advice(cause: &'static str, fix: &'static str, example: &'static str) -> Advice {
    Advice { cause, fix, example }
}

/// Returns the texts about a problem.
pub(super) const fn of(problem: Problem) -> Advice {
    match problem {
        Problem::Refused(refusal) => of_refusal(refusal),
        Problem::Failed(fault) => of_fault(fault),
    }
}

const fn of_refusal(refusal: Refusal) -> Advice {
    match refusal {
        Refusal::BadPath => advice(
            "Two servers could read this path differently: it has a dot segment, an empty segment, a backslash, a space, a control character, an encoded slash, or an encoded spelling of another path, which another route or limit is for.",
            "Send the path in its normal form.",
            "refused   GET /posts/../drafts/1\npasses    GET /drafts/1",
        ),
        Refusal::BadRequest => advice(
            "The host is malformed, a GET or HEAD has a body, the request asks for an Upgrade, its URL or header fields are too large, Connection names a signed field, or the query has a parameter that the operator denies, such as _method. Under /_gate/, a part of the body or the query is wrong.",
            "Under /_gate/, change the part that field names as hint says. Elsewhere, send an ordinary request.",
            "POST /_gate/keys   {\"paths\": \"/posts\"}\n400   \"field\": \"paths\", \"hint\": \"expected a list …\"",
        ),
        Refusal::BadCredential => advice(
            "The session, signature or signed URL is malformed, or Authorization has a scheme other than Bearer.",
            "Make the credential as docs/clients.md of writegate says. A library for JWT or RFC 9421 does so.",
            "refused   Authorization: Basic dXNlcjpwYXNz\npasses    Authorization: Bearer eyJ…",
        ),
        Refusal::AmbiguousCredential => advice(
            "The request has more than one credential, or two that name different keys.",
            "Send one credential. Only a session may come with a signature, by its own session secret.",
            "refused   GET /posts?key=pk_a   with   X-Public-Key: pk_b\npasses    GET /posts            with   X-Public-Key: pk_b",
        ),
        Refusal::SignatureUnsupported => advice(
            "The signature uses an algorithm, a flag or a digest that the gate does not know, or covers more than 64 components.",
            "Sign with hmac-sha256, without the flags sf, key, bs, tr and req. Use sha-256 or sha-512 for Content-Digest.",
            "refused   (\"@method\" … \"content-type\";sf);created=1795392000;keyid=\"pk_site\"\npasses    (\"@method\" … \"content-type\");created=1795392000;keyid=\"pk_site\"",
        ),
        Refusal::CredentialMissing => advice(
            "The request has no credential that the gate knows.",
            "Send a session, sign the request, or use a signed URL. In a page, call through client.js.",
            "curl https://gate.example.com/posts -H \"Authorization: Bearer $SESSION\"",
        ),
        Refusal::KeyUnknown => advice(
            "The gate has no key with this id.",
            "Check the id, and that the key is for this gate. A new key of the registry may need 90 s to be known everywhere.",
            "npx writegate key list --gate https://gate.example.com",
        ),
        Refusal::KeyRevoked => advice(
            "The gate's operator revoked the key.",
            "Ask the operator for another key. The operator can restore one that is not deleted.",
            "PATCH /_gate/keys/pk_site   {\"revoked\": null}",
        ),
        Refusal::KeyExpired => advice(
            "The time in the key's expires has passed.",
            "Ask the operator for another key, or to extend this one.",
            "PATCH /_gate/keys/pk_site   {\"expires\": \"2027-06-30T00:00:00Z\"}",
        ),
        Refusal::SchemeNotAllowed => advice(
            "The key's record does not list this kind of credential in schemes.",
            "Use a kind that is listed, or ask the operator to list this one.",
            "schemes = [\"session\", \"signature\"]",
        ),
        Refusal::SignatureInvalid => advice(
            "The MAC does not match: it was made with another secret or another version of it, or the request was changed on its way.",
            "Use the secret as text, with its prefix. For a signed request, compare signature_base in the answer with what was signed.",
            "npx writegate explain --problem answer.json -- https://gate.example.com/posts -X POST …",
        ),
        Refusal::SessionExpired => advice(
            "The session's exp has passed. If it is new, the clock of the machine that made it is slow.",
            "Get a new session and send the request again, once. client.js does so by itself.",
            "npx writegate session mint --key pk_site --ttl 300",
        ),
        Refusal::SessionNotYetValid => advice(
            "The session's nbf or iat is in the future: the clock of the machine that made it is fast.",
            "Set the clock of that machine.",
            "timedatectl set-ntp true",
        ),
        Refusal::SessionTooLong => advice(
            "The session's exp is further ahead than the gate's SESSION_MAX_TTL.",
            "Make shorter sessions.",
            "refused   \"exp\": now + 86400\npasses    \"exp\": now + 300",
        ),
        Refusal::AudienceMismatch => advice(
            "The session's aud names another gate.",
            "Put this gate's origin, or writegate, into aud.",
            "\"aud\": \"https://gate.example.com\"",
        ),
        Refusal::SignatureIncomplete => advice(
            "The signature leaves out a component that it must cover, or covers one that the request does not have exactly once. Or created or a required nonce is missing.",
            "Cover what Accept-Signature in the answer lists, with its parameters.",
            "(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\");created=1795392000;keyid=\"pk_site\"",
        ),
        Refusal::SignatureStale => advice(
            "The signature's created is more than 300 s old or in the future, or its expires has passed.",
            "Sign each request when it is sent, and set the clock of the machine that signs.",
            "refused   created=1795392000   sent at 1795392301\npasses    created=1795392300   sent at 1795392301",
        ),
        Refusal::DigestMismatch => advice(
            "Content-Digest is not the digest of the body that arrived.",
            "Compute it over exactly the bytes that are sent, after their last change.",
            "Content-Digest: sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        ),
        Refusal::ProofMissing => advice(
            "The session is bound to a session secret, or the key requires a nonce, and the request has no such signature.",
            "Sign the request with the session secret, cover authorization, and add a nonce if Accept-Signature lists one.",
            "Signature-Input: sig1=(\"@method\" … \"authorization\");created=1795392000;keyid=\"s_…\"",
        ),
        Refusal::Replayed => advice(
            "The signature's nonce was used before. The first request may have arrived.",
            "Sign each request again, with a fresh nonce.",
            "nonce=\"9f86d081884c7d659a2feaa0c55ad015\"",
        ),
        Refusal::UrlExpired => advice(
            "The signed URL has expired. If it is new, the clock of the machine that made it is wrong.",
            "Get a new URL.",
            "npx writegate url sign --key pk_site --ttl 3600 https://gate.example.com/photos/1",
        ),
        Refusal::OriginDenied => advice(
            "The page's origin is not one that the key or the session allows. A request without Origin or Referer has none.",
            "Call from an allowed page, or ask the operator to list this origin, with its scheme and port.",
            "allowed_origins = [\"https://www.example.com\", \"https://*.example.com\"]",
        ),
        Refusal::IpDenied => advice(
            "The key does not allow the caller's address.",
            "Call from an allowed address, or ask the operator to list this one.",
            "allowed_ips = [\"203.0.113.0/24\", \"2001:db8::/32\"]",
        ),
        Refusal::MethodDenied => advice(
            "The key, the session or the kind of credential does not allow this method; limit in the answer says which.",
            "Use an allowed method. Signed URLs and public keys alone only read.",
            "methods = [\"GET\", \"POST\"]",
        ),
        Refusal::PathDenied => advice(
            "The key or the session does not allow this path; limit in the answer says which.",
            "Use an allowed path. An exact path allows itself, a final /* everything below.",
            "paths = [\"/posts\", \"/posts/*\"]",
        ),
        Refusal::ChallengeFailed => advice(
            "Turnstile did not accept the token for this page; reason in the answer says why. A token is valid once, for 300 s, on the page where it was solved.",
            "Solve a new challenge for each session; client.js does. For the reasons hostname, action and testing-key, tell the operator.",
            "403   \"code\": \"challenge-failed\", \"reason\": \"spent\"",
        ),
        Refusal::NoRoute => advice(
            "No route of the gate has this path, or there is no such key.",
            "Check the path. The gate's operator adds routes in wrangler.toml.",
            "[[vars.ROUTES]]\npath = \"/posts/*\"\nupstream = \"https://api.example.com\"",
        ),
        Refusal::MethodNotAllowed => advice(
            "The path does not support this method, for any key.",
            "Use a method that the field Allow of the answer lists.",
            "405   Allow: GET, HEAD, POST",
        ),
        Refusal::RateLimited => advice(
            "The key has sent more requests than its rate allows in 10 or 60 seconds.",
            "Wait as long as Retry-After says, then send the request again.",
            "429   Retry-After: 60\n      RateLimit-Policy: \"standard\";q=100;w=60",
        ),
        Refusal::QuotaExceeded => advice(
            "The key has used all its requests or bytes of this day or month (UTC).",
            "Wait as long as Retry-After says, or ask the operator for a higher quota.",
            "quota = { requests = 100000, per = \"month\" }",
        ),
        Refusal::BodyTooLarge => advice(
            "The body is longer than this path accepts, or longer than 10 MiB with a signed digest.",
            "Send less, or in parts. The operator sets the limit of a route.",
            "max_body_bytes = 104857600",
        ),
        Refusal::BodyTimeout => advice(
            "The gate reads this body before it forwards the request, and it did not arrive in time. Nothing was forwarded.",
            "Send it faster, or smaller. The operator sets the time of a route.",
            "timeout_ms = 100000",
        ),
        Refusal::KeyExists => advice(
            "The id of the new key is in use, perhaps by a deleted key. An id is never used again.",
            "Choose another id, or send none, and the gate makes one.",
            "POST /_gate/keys   {\"name\": \"Customer 17\"}",
        ),
        Refusal::KeyInConfiguration => advice(
            "The key is in the gate's configuration.",
            "Change it in wrangler.toml and deploy.",
            "[[vars.KEYS]]\nid = \"pk_site\"\nmethods = [\"POST\"]",
        ),
    }
}

const fn of_fault(fault: Fault) -> Advice {
    match fault {
        Fault::UpstreamUnreachable => advice(
            "The request was accepted, but the API behind the gate could not be reached. A write may have happened.",
            "Try again later; repeat a write only with the same Idempotency-Key.",
            "Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324",
        ),
        Fault::UpstreamRejectedToken => advice(
            "The API behind the gate refused the gate's own token. It is not the caller's fault.",
            "Tell the operator, who finds the reason in the log and replaces the token.",
            "npx writegate token put --secret WRITE_TOKEN",
        ),
        Fault::UpstreamTimeout => advice(
            "The API behind the gate did not answer in time. A write may have happened.",
            "Try again later; repeat a write only with the same Idempotency-Key. The operator sets the time of a route.",
            "timeout_ms = 100000",
        ),
        Fault::Misconfigured => advice(
            "The gate's configuration, or the record of this key, has a field that does not parse.",
            "Tell the operator, who finds the field in the log.",
            "npx writegate check",
        ),
        Fault::TokenMissing => advice(
            "The gate has no token for the API behind it.",
            "Tell the operator, who sets the secret that the route names.",
            "npx writegate token put --secret WRITE_TOKEN",
        ),
        Fault::FeatureUnavailable => advice(
            "The key, the route or the path needs a binding or a service that this gate does not have, or that does not answer.",
            "Tell the operator, who finds its name in the log.",
            "[[durable_objects.bindings]]\nname = \"LEDGER\"\nclass_name = \"Ledger\"",
        ),
        Fault::Overloaded => advice(
            "The gate holds too many request bodies in memory. Nothing was forwarded.",
            "Wait as long as Retry-After says, then send the request again.",
            "503   Retry-After: 1",
        ),
    }
}
