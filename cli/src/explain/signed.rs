//! Names the part of an RFC 9421 signature, or of its `Content-Digest`, that the gate cannot read. The gate's own parser
//! of structured fields reads them here, too.

use writegate::credential::base::{Component, MAX_COMPONENTS, Message};
use writegate::credential::digest::Digests;
use writegate::credential::structured::{Bare, Item, MAX_FIELD_BYTES, Member, Value, dictionary};
use writegate::{Head, Refusal};

use super::secrets::{Checked, ensure};

/// Finds the first part at fault. Signatures of others, whose `keyid` is not `is_ours`, may accompany it.
///
/// # Errors
/// A sentence about it.
pub(super) fn check(head: &Head<'_>, is_ours: impl Fn(&str) -> bool) -> Checked {
    let (input, signature) = match (head.header("signature-input"), head.header("signature")) {
        (None, None) => return Ok(()),
        (Some(input), Some(signature)) => (input, signature),
        (Some(_), None) => return ensure(false, "there is Signature-Input and no Signature"),
        (None, Some(old)) => {
            let draft =
                "Signature is that of a draft of before RFC 9421: there is no Signature-Input";
            ensure(!old.contains("keyId="), draft)?;
            return ensure(false, "there is Signature and no Signature-Input");
        }
    };
    let example = "sig1=(\"@method\" …);created=…;keyid=\"pk_…\"";
    let inputs = read("Signature-Input", input, example)?;
    let is_own = |input: &&Member<'_>| match parameter(input, "keyid") {
        Some(Bare::String(keyid)) => is_ours(keyid.as_str()),
        Some(Bare::Token(keyid)) => is_ours(keyid.as_str()),
        _ => false,
    };
    let mut named: Vec<&Member<'_>> = inputs.iter().filter(is_own).collect();
    if named.is_empty() {
        named.extend(inputs.iter().filter(|input| parameter(input, "keyid").is_some()));
    }
    let [own] = named.as_slice() else {
        let none = "Signature-Input has no keyid, the id of the key that signed, in double quotes";
        ensure(!named.is_empty(), none)?;
        let count = named.len();
        return Err(format!("Signature-Input has {count} signatures: send that of one key"));
    };
    check_list(own, head)?;
    let signatures = read("Signature", signature, "sig1=:…:")?;
    let tag = signatures.iter().find(|signature| signature.label == own.label);
    let tag = tag.ok_or("Signature has no member of the name that Signature-Input has")?;
    let Value::Item(Bare::ByteSequence(tag)) = &tag.value else {
        return ensure(false, "the MAC in Signature is not base64 between colons, as in sig1=:…:");
    };
    let length = tag.len();
    let odd = format!("the MAC in Signature is {length} bytes long; that of hmac-sha256 is 32");
    ensure(length == 32, odd)?;
    check_parameters(own)?;
    check_digest(own, head)
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

/// Finds what is wrong with the list of covered components.
fn check_list(input: &Member<'_>, head: &Head<'_>) -> Checked {
    let Value::InnerList(items) = &input.value else {
        return ensure(false, "the components in Signature-Input are not in parentheses");
    };
    let many = format!("{} components are covered; it may be {MAX_COMPONENTS}", items.len());
    ensure(items.len() <= MAX_COMPONENTS, many)?;
    let mut seen = Vec::new();
    let is_hop_by_hop = head.hop_by_hop();
    for item in items {
        let component = component(item)?;
        let name = component.identifier().into_owned();
        let hops = matches!(&component, Component::Field(name) if is_hop_by_hop(name));
        let fault = format!("{name} is covered, and Connection names it: no proxy hands it on");
        ensure(!hops, fault)?;
        let is_ascii = Message::new(head).value(&component) != Err(Refusal::SignatureUnsupported);
        ensure(is_ascii, format!("{name} is covered, and its value is not ASCII"))?;
        ensure(!seen.contains(&component), format!("{name} is covered twice"))?;
        seen.push(component);
    }
    Ok(())
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

/// Finds the parameter of a signature that is not of its type.
fn check_parameters(input: &Member<'_>) -> Checked {
    for (name, value) in &input.parameters {
        match (name.as_str(), value) {
            ("created" | "expires", Bare::Integer(_)) | ("keyid", Bare::String(_)) => {}
            ("alg", Bare::String(alg)) => {
                let alg = alg.as_str();
                let fault = match alg.len() <= 32 {
                    true => format!("alg is {alg:?}; the gate takes \"hmac-sha256\" only"),
                    false => "alg is not \"hmac-sha256\"".to_owned(),
                };
                ensure(alg == "hmac-sha256", fault)?;
            }
            ("nonce", Bare::String(nonce)) => {
                let length = nonce.as_str().len();
                let fault = format!("the nonce is {length} characters long; it must be 8 to 128");
                ensure((8..=128).contains(&length), fault)?;
            }
            (name @ ("created" | "expires"), _) => {
                return Err(format!("{name} in Signature-Input is not a whole number of seconds"));
            }
            (name @ ("keyid" | "alg" | "nonce"), _) => {
                return Err(format!("{name} in Signature-Input is not in double quotes"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Finds what is wrong with a digest that is covered.
fn check_digest(input: &Member<'_>, head: &Head<'_>) -> Checked {
    let Value::InnerList(items) = &input.value else {
        return Ok(());
    };
    let is_digest =
        |item: &Item<'_>| component(item) == Ok(Component::Field("content-digest".to_owned()));
    let field = head.header("content-digest").filter(|_| items.iter().any(is_digest));
    field.map_or(Ok(()), |field| match Digests::parse(field) {
        Ok(_) => Ok(()),
        Err(Refusal::SignatureUnsupported) => {
            ensure(false, "Content-Digest names neither sha-256 nor sha-512")
        }
        Err(_) => ensure(
            false,
            "Content-Digest is not base64 between colons, as in sha-256=:…:, each algorithm once",
        ),
    })
}
