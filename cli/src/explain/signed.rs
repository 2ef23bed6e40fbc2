//! Names the part of an RFC 9421 signature, or of its `Content-Digest`, that the gate cannot read. The gate's own parser
//! of structured fields reads them here, too.

use writegate::credential::base::{Component, MAX_COMPONENTS, Message};
use writegate::credential::digest::Digests;
use writegate::credential::structured::{Bare, Item, MAX_FIELD_BYTES, Member, Value, dictionary};
use writegate::{Head, Refusal};

/// Returns a sentence about the first part at fault; `None` where there is no signature, or all of it can be read.
/// Signatures of others, whose `keyid` is not `is_ours`, may accompany it.
pub(super) fn fault(head: &Head<'_>, is_ours: impl Fn(&str) -> bool) -> Option<String> {
    let (input, signature) = (head.header("signature-input"), head.header("signature"));
    let (input, signature) = match (input, signature) {
        (None, None) => return None,
        (Some(_), None) => return Some("there is Signature-Input and no Signature".to_owned()),
        (None, Some(old)) if old.contains("keyId=") => {
            return Some(
                "Signature is that of a draft of before RFC 9421: there is no Signature-Input"
                    .to_owned(),
            );
        }
        (None, Some(_)) => return Some("there is Signature and no Signature-Input".to_owned()),
        (Some(input), Some(signature)) => (input, signature),
    };
    let example = "sig1=(\"@method\" …);created=…;keyid=\"pk_…\"";
    let inputs = match read("Signature-Input", input, example) {
        Ok(inputs) => inputs,
        Err(fault) => return Some(fault),
    };
    let is_own = |input: &&Member<'_>| match parameter(input, "keyid") {
        Some(Bare::String(keyid)) => is_ours(keyid.as_str()),
        Some(Bare::Token(keyid)) => is_ours(keyid.as_str()),
        _ => false,
    };
    let mut named: Vec<&Member<'_>> = inputs.iter().filter(is_own).collect();
    if named.is_empty() {
        named.extend(inputs.iter().filter(|input| parameter(input, "keyid").is_some()));
    }
    let own = match named.as_slice() {
        [] => {
            return Some(
                "Signature-Input has no keyid, the id of the key that signed, in double quotes"
                    .to_owned(),
            );
        }
        [one] => one,
        several => {
            return Some(format!(
                "Signature-Input has {} signatures: send that of one key",
                several.len()
            ));
        }
    };
    let fault = list_fault(own, head);
    if fault.is_some() {
        return fault;
    }
    let signatures = match read("Signature", signature, "sig1=:…:") {
        Ok(signatures) => signatures,
        Err(fault) => return Some(fault),
    };
    let Some(tag) = signatures.iter().find(|signature| signature.label == own.label) else {
        return Some("Signature has no member of the name that Signature-Input has".to_owned());
    };
    let fault = match &tag.value {
        Value::Item(Bare::ByteSequence(tag)) if tag.len() == 32 => parameters_fault(own),
        Value::Item(Bare::ByteSequence(tag)) => Some(format!(
            "the MAC in Signature is {} bytes long; that of hmac-sha256 is 32",
            tag.len()
        )),
        _ => Some("the MAC in Signature is not base64 between colons, as in sig1=:…:".to_owned()),
    };
    fault.or_else(|| digest_fault(own, head))
}

/// Reads a field.
///
/// # Errors
/// A sentence about the field, if it is not a dictionary.
fn read<'f>(name: &str, field: &'f str, example: &str) -> Result<Vec<Member<'f>>, String> {
    dictionary(field).ok_or_else(|| {
        let hint = match field.split_once(":") {
            _ if field.len() > MAX_FIELD_BYTES => {
                return format!("{name} is {} bytes long, and may be {MAX_FIELD_BYTES}", field.len());
            }
            Some((_, tag)) if tag.contains(['-', '_']) && name != "Signature-Input" => {
                ": its base64 is that of URLs, with - and _, and must have + and /"
            }
            _ => "",
        };
        format!(
            "{name} is not a structured field such as {example}, or has a name twice (RFC 9651){hint}"
        )
    })
}

fn parameter<'m, 'a>(member: &'m Member<'a>, name: &str) -> Option<&'m Bare<'a>> {
    let mut parameters = member.parameters.iter();
    parameters.find(|(other, _)| other.as_str() == name).map(|(_, value)| value)
}

/// Says what is wrong with the list of covered components.
fn list_fault(input: &Member<'_>, head: &Head<'_>) -> Option<String> {
    let Value::InnerList(items) = &input.value else {
        return Some("the components in Signature-Input are not in parentheses".to_owned());
    };
    if items.len() > MAX_COMPONENTS {
        return Some(format!("{} components are covered; it may be {MAX_COMPONENTS}", items.len()));
    }
    let mut seen = Vec::new();
    let is_hop_by_hop = head.hop_by_hop();
    for item in items {
        let component = match component(item) {
            Ok(component) => component,
            Err(fault) => return Some(fault),
        };
        let name = component.identifier().into_owned();
        if matches!(&component, Component::Field(name) if is_hop_by_hop(name)) {
            return Some(format!(
                "{name} is covered, and Connection names it: no proxy hands it on"
            ));
        }
        if Message::new(head).value(&component) == Err(Refusal::SignatureUnsupported) {
            return Some(format!("{name} is covered, and its value is not ASCII"));
        }
        if seen.contains(&component) {
            return Some(format!("{name} is covered twice"));
        }
        seen.push(component);
    }
    None
}

fn component(item: &Item<'_>) -> Result<Component, String> {
    let Bare::String(name) = &item.bare else {
        return Err("a component in Signature-Input is not in double quotes".to_owned());
    };
    let name = name.as_str();
    if name == "@query-param" {
        let [(parameter, Bare::String(name))] = item.parameters.as_slice() else {
            return Err("\"@query-param\" needs one parameter, name, in double quotes".to_owned());
        };
        return match parameter.as_str() {
            "name" => Ok(Component::QueryParam(name.as_str().to_owned())),
            _ => Err("\"@query-param\" needs the parameter name".to_owned()),
        };
    }
    if let Some((flag, _)) = item.parameters.first() {
        return Err(format!(
            "the component {name:?} has the flag {}, which the gate does not take",
            flag.as_str()
        ));
    }
    Component::named(name).map_err(|refusal| match refusal {
        Refusal::SignatureUnsupported => {
            format!("{name:?} is not a component of a request that the gate knows")
        }
        _ => format!("the component {name:?} is not a header's name in lower case"),
    })
}

/// Says which parameter of a signature is not of its type.
fn parameters_fault(input: &Member<'_>) -> Option<String> {
    input.parameters.iter().find_map(|(name, value)| {
        let fault = match (name.as_str(), value) {
            ("created" | "expires", Bare::Integer(_))
            | ("keyid" | "alg" | "nonce", Bare::String(_)) => match (name.as_str(), value) {
                ("alg", Bare::String(alg)) if alg.as_str() != "hmac-sha256" => match alg.as_str() {
                    short if short.len() <= 32 => {
                        format!("alg is {short:?}; the gate takes \"hmac-sha256\" only")
                    }
                    _ => "alg is not \"hmac-sha256\"".to_owned(),
                },
                ("nonce", Bare::String(nonce)) if !(8..=128).contains(&nonce.as_str().len()) => {
                    format!(
                        "the nonce is {} characters long; it must be 8 to 128",
                        nonce.as_str().len()
                    )
                }
                _ => return None,
            },
            (name @ ("created" | "expires"), _) => {
                format!("{name} in Signature-Input is not a whole number of seconds")
            }
            (name @ ("keyid" | "alg" | "nonce"), _) => {
                format!("{name} in Signature-Input is not in double quotes")
            }
            _ => return None,
        };
        Some(fault)
    })
}

/// Says what is wrong with a digest that is covered.
fn digest_fault(input: &Member<'_>, head: &Head<'_>) -> Option<String> {
    let Value::InnerList(items) = &input.value else {
        return None;
    };
    let is_digest =
        |item: &Item<'_>| component(item) == Ok(Component::Field("content-digest".to_owned()));
    let field = head.header("content-digest").filter(|_| items.iter().any(is_digest))?;
    match Digests::parse(field) {
        Ok(_) => None,
        Err(Refusal::SignatureUnsupported) => {
            Some("Content-Digest names neither sha-256 nor sha-512".to_owned())
        }
        Err(_) => Some(
            "Content-Digest is not base64 between colons, as in sha-256=:…:, each algorithm once"
                .to_owned(),
        ),
    }
}
